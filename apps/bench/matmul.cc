// `rocforge bench matmul`: products of every weight type, for given shapes or those of a model.
#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "apps/bench/suite.h"
#include "apps/bench/suites.h"
#include "apps/engine_options.h"
#include "apps/pull/model_path.h"
#include "base/format.h"
#include "gguf/reader.h"
#include "graph/plan.h"
#include "model/model.h"
#include "quant/quant.h"

namespace rocforge::apps {
namespace {

struct ShapeNK {
  int64_t n_out = 0;
  int64_t cols = 0;
};

struct MatmulFlags {
  BenchOptions bench;
  std::string model;
  std::vector<std::string> types;
  std::vector<std::string> shapes;
  std::vector<int64_t> batches;
};

constexpr DType kUsualTypes[] = {DType::kF16,  DType::kQ4_0, DType::kQ8_0,
                                 DType::kQ4_K, DType::kQ6_K, DType::kIQ4_XS};
constexpr ShapeNK kAllShapes[] = {
    {512, 512}, {1024, 1024}, {2048, 4096}, {4096, 4096}, {4096, 14336}};
constexpr int64_t kAllBatches[] = {1, 4, 8, 16, 64, 512};
constexpr int64_t kUsualBatches[] = {1, 8, 64};

Result<ShapeNK> ParseShape(const std::string& text) {
  ShapeNK shape;
  char x = 0;
  char more = 0;
  long long n = 0;
  long long k = 0;
  if (std::sscanf(text.c_str(), "%lld%c%lld%c", &n, &x, &k, &more) != 3 || x != 'x' || n < 1 ||
      k < 1 || n > (1 << 24) || k > (1 << 24)) {
    return InvalidArgument(Format("'{}' is no shape; write OUTPUTSxINPUTS, such as 4096x14336",
                                  EscapeForTerminal(text, 40)));
  }
  shape.n_out = n;
  shape.cols = k;
  return shape;
}

Result<std::vector<DType>> Types(const MatmulFlags& flags) {
  std::vector<DType> types;
  for (const std::string& name : flags.types) {
    ROCFORGE_ASSIGN_OR_RETURN(const DType type, ParseDType(name));
    if (!quant::CanDecode(type))
      return InvalidArgument(Format("{} is no type of weights", Name(type)));
    types.push_back(type);
  }
  if (!types.empty()) return types;
  if (!flags.bench.full) return std::vector<DType>(std::begin(kUsualTypes), std::end(kUsualTypes));
  for (const DTypeInfo& info : AllDTypes()) {
    if (quant::CanDecode(info.type)) types.push_back(info.type);
  }
  return types;
}

Result<std::vector<ShapeNK>> Shapes(const MatmulFlags& flags) {
  std::vector<ShapeNK> shapes;
  for (const std::string& text : flags.shapes) {
    ROCFORGE_ASSIGN_OR_RETURN(const ShapeNK shape, ParseShape(text));
    shapes.push_back(shape);
  }
  if (!shapes.empty()) return shapes;
  if (flags.bench.full) return std::vector<ShapeNK>(std::begin(kAllShapes), std::end(kAllShapes));
  return std::vector<ShapeNK>{{4096, 4096}};
}

std::vector<int64_t> Batches(const MatmulFlags& flags) {
  if (!flags.batches.empty()) return flags.batches;
  if (flags.bench.full) return std::vector<int64_t>(std::begin(kAllBatches), std::end(kAllBatches));
  return std::vector<int64_t>(std::begin(kUsualBatches), std::end(kUsualBatches));
}

bool Quantised(const bench::MatMulCase& test) {
  return std::any_of(test.types.begin(), test.types.end(),
                     [](DType type) { return Info(type).quantised; });
}

// A case on each device that is open. `count`: how often a model's step has it.
class MatmulCases {
 public:
  MatmulCases(const BenchDevices& devices, Suite* suite) : devices_(devices), suite_(suite) {}

  void Add(const std::string& name, const bench::MatMulCase& test, int count) {
    if (devices_.cpu != nullptr)
      AddFor("cpu", *devices_.cpu, name, test, count, devices_.cpu_ceilings);
    if (devices_.gpu != nullptr)
      AddFor("gpu", *devices_.gpu, name, test, count, devices_.gpu_ceilings);
  }

 private:
  template <typename Target>
  void AddFor(const char* device, const Target& target, const std::string& name,
              const bench::MatMulCase& test, int count, const prof::Ceilings& ceilings) {
    const op::Cost cost = test.Cost();
    BenchCase c;
    c.name = Format("{} {} b{}", device, name, test.rows);
    int64_t n_out = 0;
    std::string types;
    for (size_t i = 0; i < test.types.size(); ++i) {
      n_out += test.n_out[i];
      if (i == 0 || test.types[i] != test.types[i - 1])
        types += (types.empty() ? "" : "+") + std::string(Name(test.types[i]));
    }
    c.about = {{"device", device},    {"type", types},      {"outputs", n_out},
               {"inputs", test.cols}, {"batch", test.rows}, {"count", count}};
    c.bytes = cost.bytes();
    c.operations = cost.ops;
    c.items = static_cast<double>(test.rows);
    c.peak_bytes_per_s = ceilings.read_bytes_per_s;
    // On the CPU quantised types may be multiplied as bytes.
    c.peak_ops_per_s =
        Quantised(test) && devices_.cpu != nullptr && std::string_view(device) == "cpu"
            ? std::max(ceilings.int8_ops_per_s, ceilings.float_ops_per_s)
            : ceilings.float_ops_per_s;
    c.prepare = [&target, test] { return bench::PrepareMatMul(target, test); };
    suite_->cases.push_back(std::move(c));
  }

  const BenchDevices& devices_;
  Suite* suite_;
};

Status AddShapes(const MatmulFlags& flags, MatmulCases& cases) {
  ROCFORGE_ASSIGN_OR_RETURN(const std::vector<DType> types, Types(flags));
  ROCFORGE_ASSIGN_OR_RETURN(const std::vector<ShapeNK> shapes, Shapes(flags));
  for (const DType type : types) {
    for (const ShapeNK& shape : shapes) {
      if (shape.cols % Info(type).block_elements != 0) {
        return InvalidArgument(Format("{} has blocks of {} weights, and {} inputs are no multiple",
                                      Name(type), Info(type).block_elements, shape.cols));
      }
      for (const int64_t rows : Batches(flags)) {
        bench::MatMulCase test;
        test.types = {type};
        test.n_out = {shape.n_out};
        test.cols = shape.cols;
        test.rows = rows;
        cases.Add(Format("{} {}x{}", Name(type), shape.n_out, shape.cols), test, 1);
      }
    }
  }
  return {};
}

// The product of a node, and what to call it.
struct ModelProduct {
  bench::MatMulCase test;
  int count = 0;
};

bench::MatMulCase CaseOf(const graph::Graph& graph, const graph::Node& node) {
  bench::MatMulCase test;
  test.params = std::get<op::MatMul>(node.params);
  // Biases are vectors: they cost nothing that shows.
  for (bool& has_bias : test.params.has_bias) has_bias = false;
  for (int i = 0; i < test.params.n_weights; ++i) {
    const graph::Value& w = graph.values[static_cast<size_t>(node.in[static_cast<size_t>(1 + i)])];
    test.types.push_back(w.dtype);
    test.n_out.push_back(w.rows.count);
    test.cols = w.cols;
  }
  return test;
}

std::string ProductName(const graph::Node& node, const bench::MatMulCase& test) {
  std::string name = node.name;
  const std::string layer = Format("blk.{}.", node.layer);
  for (size_t at = name.find(layer); node.layer >= 0 && at != std::string::npos;
       at = name.find(layer))
    name.erase(at, layer.size());
  std::string types;
  std::string rows;
  for (size_t i = 0; i < test.types.size(); ++i) {
    if (i == 0 || test.types[i] != test.types[i - 1])
      types += (i == 0 ? "" : "+") + std::string(Name(test.types[i]));
    rows += Format("{}{}", i == 0 ? "" : "+", test.n_out[i]);
  }
  return Format("{} {} {}x{}", EscapeForTerminal(name, 60), types, rows, test.cols);
}

Status AddModelProducts(const MatmulFlags& flags, const std::string& path, MatmulCases& cases) {
  ROCFORGE_ASSIGN_OR_RETURN(const gguf::File file, gguf::File::Open(path));
  Result<model::Model> model = model::BuildModel(file, 0);
  if (!model.ok()) return model.status().WithContext(EscapeForTerminal(path));
  ROCFORGE_ASSIGN_OR_RETURN(const graph::Plan plan,
                            graph::BuildPlan(std::move(model->graph), {}, {512, 512}));
  std::vector<std::string> order;
  std::map<std::string, ModelProduct> products;
  for (const graph::Node& node : plan.graph.nodes) {
    if (node.kind() != op::Kind::kMatMul) continue;
    const bench::MatMulCase test = CaseOf(plan.graph, node);
    const std::string name = ProductName(node, test);
    ModelProduct& product = products[name];
    if (product.count++ == 0) {
      order.push_back(name);
      product.test = test;
    }
  }
  if (order.empty()) return Unsupported("the model has no plain matrix products");
  for (const int64_t rows : Batches(flags)) {
    for (const std::string& name : order) {
      ModelProduct& product = products[name];
      product.test.rows = rows;
      cases.Add(name, product.test, product.count);
    }
  }
  return {};
}

// What the products of a whole step take together.
std::string ModelRemarks(const std::vector<BenchResult>& results) {
  std::map<std::pair<std::string, int64_t>, double> seconds;
  for (const BenchResult& r : results) {
    const nlohmann::ordered_json& about = r.test->about;
    if (!r.ok()) return "";
    seconds[{about["device"].get<std::string>(), about["batch"].get<int64_t>()}] +=
        r.summary.p50 * about["count"].get<int>();
  }
  std::string text;
  for (const auto& [key, total] : seconds) {
    text +=
        Format("{}: these products, as often as a step has them: {} for {} token{}, {:.1f} tok/s\n",
               key.first, TimeText(total), key.second, key.second == 1 ? "" : "s",
               static_cast<double>(key.second) / total);
  }
  return text;
}

Status MatMul(const MatmulFlags& flags) {
  const BenchOptions& options = flags.bench;
  if (!flags.model.empty() && (!flags.types.empty() || !flags.shapes.empty()))
    return InvalidArgument("--types and --shapes do not go with --model, which has its own");
  ROCFORGE_ASSIGN_OR_RETURN(
      const BenchDevices devices,
      OpenBenchDevices(options, options.device.empty() ? "auto" : options.device, !options.list));
  Suite suite;
  suite.name = "matmul";
  suite.item = "tok/s";
  suite.machine = devices.Describe();
  MatmulCases cases(devices, &suite);
  if (flags.model.empty()) {
    ROCFORGE_RETURN_IF_ERROR(AddShapes(flags, cases));
  } else {
    ROCFORGE_ASSIGN_OR_RETURN(const std::string path, ResolveModel(flags.model));
    ROCFORGE_RETURN_IF_ERROR(AddModel(path, &suite.machine));
    ROCFORGE_RETURN_IF_ERROR(AddModelProducts(flags, path, cases));
    if (options.filter.empty()) suite.remarks = ModelRemarks;
  }
  return RunSuite(std::move(suite), options);
}

}  // namespace

void RegisterBenchMatMul(Command bench, std::function<Status()>* run) {
  auto flags = std::make_shared<MatmulFlags>();
  Command command =
      bench.AddSubcommand("matmul", "Matrix products of every weight type, or those of a model");
  AddBenchFlags(command, &flags->bench,
                "cpu, gpu, gpu:N, all, or auto: the GPU where there is one (default)");
  command.AddOption("-m,--model,--gguf", flags->model, "the products of this model instead")
      .TypeName("MODEL");
  command.AddOption("--types", flags->types, "weight types (default: the usual; --full: all)")
      .TypeName("TYPE,...")
      .Delimiter(',');
  command
      .AddOption("--shapes", flags->shapes,
                 "outputs and inputs (default 4096x4096; --full: from 512x512 to 4096x14336)")
      .TypeName("NxK,...")
      .Delimiter(',');
  command
      .AddOption("--batch", flags->batches, "rows of x (default 1,8,64; --full: 1,4,8,16,64,512)")
      .TypeName("N,...")
      .Delimiter(',')
      .Range(1, 65536);
  command.OnParsed([flags, run] { *run = [flags] { return MatMul(*flags); }; });
}

}  // namespace rocforge::apps
