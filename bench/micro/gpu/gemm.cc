// MatMul of many rows (prefill): the kernels of the matrix product by themselves, unpacking and
// product together for single matrices, and all matrices of a model one after the other.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/format.h"
#include "bench/micro/gpu/bench.h"
#include "kernels/gpu/launch/gemm.h"
#include "kernels/gpu/ops/gemm_args.h"

namespace rocforge::gpu::bench {
namespace {

struct Product {
  op::MatMul params;
  std::vector<DType> types;
  std::vector<int64_t> n_out;
  int64_t cols = 0;

  double weights() const {
    double sum = 0;
    for (const int64_t n : n_out) sum += static_cast<double>(n * cols);
    return sum;
  }
  double packed_bytes() const {
    double sum = 0;
    for (size_t i = 0; i < types.size(); ++i)
      sum += static_cast<double>(op::TensorDesc{types[i], 1, n_out[i], cols}.bytes());
    return sum;
  }
  // Packed bytes read, f16 written and read again.
  double bytes() const { return packed_bytes() + 4 * weights(); }
};

// Bound products with their own weights; x, outputs and scratch are shared.
class Set {
 public:
  Set(Bench& bench, int64_t tokens, GemmOptions options)
      : bench_(bench), tokens_(tokens), options_(options) {}

  Status Prepare(int64_t most_cols, int64_t most_out) {
    ROCFORGE_ASSIGN_OR_RETURN(x_, bench_.Floats(most_cols * tokens_));
    for (Buffer& out : out_) {
      ROCFORGE_ASSIGN_OR_RETURN(out, bench_.Zeroes(most_out * tokens_ * 4));
    }
    // Tiles of x, of a chunk of the weights, and what is small.
    const int64_t column_bytes = 2 * (most_cols + kGemmDepth);
    ROCFORGE_ASSIGN_OR_RETURN(
        scratch_, bench_.Zeroes((tokens_ + kGemmRows) * column_bytes +
                                std::max(options_.weight_bytes, 2 * kGemmColumns * column_bytes) +
                                (1 << 20)));
    return {};
  }

  Status Add(const Product& p) {
    std::vector<op::Operand> in = {{{DType::kF32, 1, tokens_, p.cols}, Pointer(x_)}};
    for (size_t i = 0; i < p.types.size(); ++i) {
      const op::TensorDesc desc{p.types[i], 1, p.n_out[i], p.cols};
      ROCFORGE_ASSIGN_OR_RETURN(Buffer weights, bench_.Weights(desc));
      in.push_back({desc, Pointer(weights)});
      weights_.push_back(std::move(weights));
    }
    const bool glu = p.params.glu.kind != op::GluKind::kNone;
    std::vector<op::Operand> out;
    for (size_t i = 0; i < (glu ? 1 : p.types.size()); ++i)
      out.push_back({{DType::kF32, 1, tokens_, p.n_out[i]}, Pointer(out_[i])});
    if (p.params.has_residual) in.push_back(out[0]);
    const op::Params params = p.params;
    const op::Call call{&params, in, out, nullptr, nullptr};
    ROCFORGE_ASSIGN_OR_RETURN(auto bound, BindGemm(call, {RowCount::Unit::kToken, 1},
                                                   bench_.Context(scratch_), options_));
    ROCFORGE_RETURN_IF_ERROR(bound->WeightsReady(bench_.stream()));
    bound_.push_back(std::move(bound));
    return {};
  }

  Bench::Enqueue enqueue() const {
    return [this](const Stream& stream, size_t i) {
      return bound_[i]->Enqueue(stream, {static_cast<int32_t>(tokens_), 1, 1, 0});
    };
  }
  size_t size() const { return bound_.size(); }

 private:
  Bench& bench_;
  int64_t tokens_;
  GemmOptions options_;
  Buffer x_, scratch_, out_[3];
  std::vector<Buffer> weights_;
  std::vector<std::unique_ptr<BoundOp>> bound_;
};

const char* UnitName(GemmUnit unit) {
  return unit == GemmUnit::kTile            ? "tile"
         : unit == GemmUnit::kWarpgroup     ? "warpgroup"
         : unit == GemmUnit::kWarpgroupWide ? "wide"
         : unit == GemmUnit::kSkinny        ? "skinny"
                                            : "auto";
}

void Single(Bench& bench, DType type, int64_t n_out, int64_t cols, int64_t tokens,
            GemmOptions options) {
  const std::string name = Format("gemm {} {}x{}, {} rows, {}, {} MB", Name(type), n_out, cols,
                                  tokens, UnitName(options.unit), options.weight_bytes >> 20);
  if (!bench.Wants(name)) return;
  const Product product{{}, {type}, {n_out}, cols};
  Set set(bench, tokens, options);
  Status status = set.Prepare(cols, n_out);
  const size_t copies =
      std::min<size_t>(16, bench.CopiesOf(static_cast<int64_t>(product.packed_bytes())));
  for (size_t i = 0; i < copies && status.ok(); ++i) status = set.Add(product);
  if (!status.ok()) return bench.Fail(name, status);
  bench.Run(name, set.size(), set.enqueue(),
            {product.bytes(), 2 * product.weights() * static_cast<double>(tokens)});
}

struct ModelShape {
  const char* name;
  int64_t layers, width, kv_width, hidden;
};

// All matrices of a decoder's layers in the mix of Q4_K_M; prefill wants logits of one row only, so
// the output matrix is not among them.
void Model(Bench& bench, const ModelShape& m, int64_t tokens, GemmOptions options) {
  const std::string name = Format("gemm layers of {} Q4_K_M, {} rows, {}, {} MB", m.name, tokens,
                                  UnitName(options.unit), options.weight_bytes >> 20);
  if (!bench.Wants(name)) return;
  Set set(bench, tokens, options);
  Status status = set.Prepare(m.hidden, m.hidden);
  Work work;
  const auto add = [&](const Product& p) {
    if (status.ok()) status = set.Add(p);
    work.bytes += p.bytes();
    work.ops += 2 * p.weights() * static_cast<double>(tokens);
  };
  constexpr DType k4 = DType::kQ4_K;
  for (int64_t layer = 0; layer < m.layers; ++layer) {
    const bool more =
        layer < m.layers / 8 || layer >= 7 * m.layers / 8 || (layer - m.layers / 8) % 3 == 2;
    const DType mixed = more ? DType::kQ6_K : k4;
    Product down{{}, {mixed}, {m.width}, m.hidden};
    down.params.has_residual = true;
    Product gate_up{{}, {k4, k4}, {m.hidden, m.hidden}, m.width};
    gate_up.params.n_weights = 2;
    gate_up.params.glu.kind = op::GluKind::kSilu;
    Product qkv{{}, {k4, k4, mixed}, {m.width, m.kv_width, m.kv_width}, m.width};
    qkv.params.n_weights = 3;
    Product o{{}, {k4}, {m.width}, m.width};
    o.params.has_residual = true;
    add(qkv);
    add(o);
    add(gate_up);
    add(down);
  }
  if (!status.ok()) return bench.Fail(name, status);
  bench.RunPass(name, set.size(), set.enqueue(), work);
}

void Gemm(Bench& bench) {
  const auto options = [](GemmUnit unit, int64_t mb) {
    GemmOptions o;
    o.unit = unit;
    o.weight_bytes = mb << 20;
    return o;
  };
  const bool warpgroup = bench.modules().Find("gemm", "gemm_warpgroup").ok();
  for (const GemmUnit unit : {GemmUnit::kTile, GemmUnit::kWarpgroup, GemmUnit::kWarpgroupWide}) {
    if (unit != GemmUnit::kTile && !warpgroup) continue;
    for (const auto& [n_out, cols] :
         {std::pair<int64_t, int64_t>{4096, 4096}, {12288, 4096}, {22016, 4096}, {4096, 11008}}) {
      for (const int64_t tokens : {512, 2048})
        Single(bench, DType::kQ4_K, n_out, cols, tokens, options(unit, 256));
    }
  }
  for (const DType type : {DType::kQ6_K, DType::kQ8_0, DType::kF16, DType::kIQ4_XS})
    Single(bench, type, 11008, 4096, 512, options(GemmUnit::kAuto, 256));
  const ModelShape llama2_7b{"7B", 32, 4096, 4096, 11008};
  const ModelShape llama31_8b{"8B", 32, 4096, 1024, 14336};
  for (const int64_t mb : {24, 36, 64, 256})
    Model(bench, llama2_7b, 512, options(GemmUnit::kAuto, mb));
  if (warpgroup) {
    Model(bench, llama2_7b, 512, options(GemmUnit::kWarpgroup, 256));
    Model(bench, llama2_7b, 512, options(GemmUnit::kWarpgroupWide, 256));
  }
  for (const int64_t tokens : {9, 16, 32, 64, 128, 1024, 2048})
    Model(bench, llama2_7b, tokens, options(GemmUnit::kAuto, 256));
  Model(bench, llama31_8b, 512, options(GemmUnit::kAuto, 256));
}

[[maybe_unused]] const bool registered = Register(Gemm);

}  // namespace
}  // namespace rocforge::gpu::bench
