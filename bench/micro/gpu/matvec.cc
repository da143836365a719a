// MatMul of 1 to 8 rows: single matrices, and all matrices of a model one after the other.
#include <string>
#include <vector>

#include "base/format.h"
#include "bench/micro/gpu/bench.h"
#include "kernels/gpu/layout/weights.h"

namespace rocforge::gpu::bench {
namespace {

// One MatMul with its own weights; x, outputs and scratch are shared.
struct Product {
  op::MatMul params;
  std::vector<DType> types;
  std::vector<int64_t> n_out;
  int64_t cols = 0;
  int64_t n_x = 1;

  double bytes() const {
    double sum = 0;
    for (size_t i = 0; i < types.size(); ++i)
      sum += static_cast<double>(op::TensorDesc{types[i], 1, n_out[i], cols}.bytes());
    return sum;
  }
  double ops() const {
    double rows = 0;
    for (const int64_t n : n_out) rows += static_cast<double>(n);
    return 2 * rows * static_cast<double>(cols * n_x);
  }
};

// Bound products and what they use.
class Set {
 public:
  explicit Set(Bench& bench) : bench_(bench) {}

  Status Prepare(int64_t most_cols, int64_t most_out, int64_t n_x) {
    ROCFORGE_ASSIGN_OR_RETURN(x_, bench_.Floats(most_cols * n_x));
    for (Buffer& out : out_) {
      ROCFORGE_ASSIGN_OR_RETURN(out, bench_.Zeroes(most_out * n_x * 4));
    }
    ROCFORGE_ASSIGN_OR_RETURN(scratch_, bench_.Zeroes(most_cols * n_x * 8 + most_out * n_x * 16));
    return {};
  }

  Status Add(const Product& p) {
    std::vector<op::Operand> in = {{{DType::kF32, 1, p.n_x, p.cols}, Pointer(x_)}};
    for (size_t i = 0; i < p.types.size(); ++i) {
      const op::TensorDesc desc{p.types[i], 1, p.n_out[i], p.cols};
      ROCFORGE_ASSIGN_OR_RETURN(Buffer weights, bench_.Weights(desc));
      in.push_back({desc, Pointer(weights)});
      weights_.push_back(std::move(weights));
    }
    const bool glu = p.params.glu.kind != op::GluKind::kNone;
    std::vector<op::Operand> out;
    for (size_t i = 0; i < (glu ? 1 : p.types.size()); ++i)
      out.push_back({{DType::kF32, 1, p.n_x, p.n_out[i]}, Pointer(out_[i])});
    if (p.params.has_residual) in.push_back(out[0]);
    const op::Params params = p.params;
    const op::Call call{&params, in, out, nullptr, nullptr};
    if (ScratchBytes(call, *bench_.device()) > scratch_.bytes())
      return Internal("the benchmark's scratch is too small");
    ROCFORGE_ASSIGN_OR_RETURN(auto bound,
                              Bind(call, {RowCount::Unit::kToken, 1}, bench_.Context(scratch_)));
    bound_.push_back(std::move(bound));
    n_x_ = p.n_x;
    return {};
  }

  Bench::Enqueue enqueue() const {
    return [this](const Stream& stream, size_t i) {
      return bound_[i]->Enqueue(stream, {static_cast<int32_t>(n_x_), 1, 1, 0});
    };
  }
  size_t size() const { return bound_.size(); }

 private:
  Bench& bench_;
  Buffer x_, scratch_, out_[3];
  std::vector<Buffer> weights_;
  std::vector<std::unique_ptr<BoundOp>> bound_;
  int64_t n_x_ = 1;
};

void Single(Bench& bench, DType type, int64_t n_out, int64_t cols, int64_t n_x) {
  const std::string name = Format("matvec {} {}x{}, {} col", Name(type), n_out, cols, n_x);
  if (!bench.Wants(name)) return;
  const Product product{{}, {type}, {n_out}, cols, n_x};
  Set set(bench);
  Status status = set.Prepare(cols, n_out, n_x);
  const size_t copies = bench.CopiesOf(static_cast<int64_t>(product.bytes()));
  for (size_t i = 0; i < copies && status.ok(); ++i) status = set.Add(product);
  if (!status.ok()) return bench.Fail(name, status);
  bench.Run(name, set.size(), set.enqueue(), {product.bytes(), product.ops()});
}

struct ModelShape {
  const char* name;
  int64_t layers, width, kv_width, hidden, vocab;
};

// All matrices of a decoder in the mix of Q4_K_M: half of attn_v and ffn_down in Q6_K, and the
// output matrix.
void Model(Bench& bench, const ModelShape& m, int64_t n_x) {
  const std::string name = Format("matvec all of {} Q4_K_M, {} col", m.name, n_x);
  if (!bench.Wants(name)) return;
  Set set(bench);
  Status status = set.Prepare(m.hidden, m.vocab, n_x);
  Work work;
  const auto add = [&](const Product& p) {
    if (status.ok()) status = set.Add(p);
    work.bytes += p.bytes();
    work.ops += p.ops();
  };
  constexpr DType k4 = DType::kQ4_K;
  for (int64_t layer = 0; layer < m.layers; ++layer) {
    const bool more =
        layer < m.layers / 8 || layer >= 7 * m.layers / 8 || (layer - m.layers / 8) % 3 == 2;
    const DType mixed = more ? DType::kQ6_K : k4;
    Product qkv{{}, {k4, k4, mixed}, {m.width, m.kv_width, m.kv_width}, m.width, n_x};
    qkv.params.n_weights = 3;
    add(qkv);
    Product o{{}, {k4}, {m.width}, m.width, n_x};
    o.params.has_residual = true;
    add(o);
    Product gate_up{{}, {k4, k4}, {m.hidden, m.hidden}, m.width, n_x};
    gate_up.params.n_weights = 2;
    gate_up.params.glu.kind = op::GluKind::kSilu;
    add(gate_up);
    Product down{{}, {mixed}, {m.width}, m.hidden, n_x};
    down.params.has_residual = true;
    add(down);
  }
  add({{}, {DType::kQ6_K}, {m.vocab}, m.width, n_x});
  if (!status.ok()) return bench.Fail(name, status);
  bench.RunPass(name, set.size(), set.enqueue(), work);
}

void Matvec(Bench& bench) {
  for (const DType type : {DType::kQ4_0, DType::kQ4_K, DType::kQ5_K, DType::kQ6_K, DType::kQ8_0,
                           DType::kF16, DType::kIQ4_XS}) {
    for (const auto& [n_out, cols] : {std::pair<int64_t, int64_t>{4096, 4096},
                                      {11008, 4096},
                                      {4096, 11008},
                                      {14336, 4096},
                                      {32000, 4096}}) {
      Single(bench, type, n_out, cols, 1);
    }
  }
  for (const int64_t n_x : {2, 4, 8}) {
    for (const DType type : {DType::kQ4_K, DType::kQ6_K, DType::kF16})
      Single(bench, type, 11008, 4096, n_x);
  }
  for (const DType type : {DType::kQ2_K, DType::kQ3_K, DType::kIQ2_XS, DType::kIQ3_S, DType::kIQ1_S,
                           DType::kMXFP4, DType::kQ5_0})
    Single(bench, type, 11008, 4096, 1);
  const ModelShape llama2_7b{"7B", 32, 4096, 4096, 11008, 32000};
  const ModelShape llama31_8b{"8B", 32, 4096, 1024, 14336, 128256};
  for (const int64_t n_x : {1, 4, 8}) Model(bench, llama2_7b, n_x);
  Model(bench, llama31_8b, 1);
}

[[maybe_unused]] const bool registered = Register(Matvec);

}  // namespace
}  // namespace rocforge::gpu::bench
