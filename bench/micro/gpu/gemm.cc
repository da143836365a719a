// MatMul of many rows (prefill): the kernels of the matrix product by themselves, unpacking and
// product together for single matrices, and all matrices of a model one after the other.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/format.h"
#include "bench/kernels/gpu_ops.h"
#include "bench/micro/gpu/bench.h"
#include "kernels/gpu/launch/gemm.h"
#include "kernels/gpu/ops/gemm_args.h"

namespace rocforge::gpu::bench {
namespace {

using rocforge::bench::GpuMatMuls;
using rocforge::bench::MatMulCase;

double WeightsOf(const MatMulCase& p) {
  double sum = 0;
  for (const int64_t n : p.n_out) sum += static_cast<double>(n * p.cols);
  return sum;
}
// Packed bytes read; for more than a few rows f16 written and read again.
double BytesOf(const MatMulCase& p, GemmUnit unit) {
  const bool few = p.rows <= kMaxSkinnyRows &&
                   (unit == GemmUnit::kSkinny || unit == GemmUnit::kFew || unit == GemmUnit::kAuto);
  return p.weight_bytes() + (few ? 0 : 4 * WeightsOf(p));
}

// Products by the matrix unit alone.
GpuMatMuls GemmSet(Bench& bench, int64_t tokens, GemmOptions options) {
  return GpuMatMuls(
      bench.target(), tokens,
      [options](const op::Call& call, const RowCount& rows, const BindContext& context) {
        return BindGemm(call, rows, context, options);
      });
}

Status Reserve(GpuMatMuls& set, int64_t most_cols, int64_t most_out, int64_t tokens,
               const GemmOptions& options) {
  // Tiles of x, of a chunk of the weights, and what is small.
  const int64_t column_bytes = 2 * (most_cols + kGemmDepth);
  return set.Reserve(most_cols, most_out,
                     (tokens + kGemmRows) * column_bytes +
                         std::max(options.weight_bytes, 2 * kGemmColumns * column_bytes) +
                         (1 << 20));
}

const char* UnitName(GemmUnit unit) {
  return unit == GemmUnit::kTile            ? "tile"
         : unit == GemmUnit::kWarpgroup     ? "warpgroup"
         : unit == GemmUnit::kWarpgroupWide ? "wide"
         : unit == GemmUnit::kSkinny        ? "skinny"
         : unit == GemmUnit::kFew           ? "few"
                                            : "auto";
}

void Single(Bench& bench, DType type, int64_t n_out, int64_t cols, int64_t tokens,
            GemmOptions options) {
  std::string name = Format("gemm {} {}x{}, {} rows, {}, {} MB", Name(type), n_out, cols, tokens,
                            UnitName(options.unit), options.weight_bytes >> 20);
  if (options.parts != 0) name += Format(", {} parts", options.parts);
  if (!bench.Wants(name)) return;
  const MatMulCase product{{}, {type}, {n_out}, cols, tokens};
  GpuMatMuls set = GemmSet(bench, tokens, options);
  Status status = Reserve(set, cols, n_out, tokens, options);
  const size_t copies =
      std::min<size_t>(16, bench.target().CopiesOf(static_cast<int64_t>(product.weight_bytes())));
  for (size_t i = 0; i < copies && status.ok(); ++i) status = set.Add(product);
  if (!status.ok()) return bench.Fail(name, status);
  bench.Run(name, set.size(), set.enqueue(),
            {BytesOf(product, options.unit), 2 * WeightsOf(product) * static_cast<double>(tokens)});
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
  GpuMatMuls set = GemmSet(bench, tokens, options);
  Status status = Reserve(set, m.hidden, m.hidden, tokens, options);
  Work work;
  const auto add = [&](const MatMulCase& p) {
    if (status.ok()) status = set.Add(p);
    work.bytes += BytesOf(p, options.unit);
    work.ops += 2 * WeightsOf(p) * static_cast<double>(tokens);
  };
  constexpr DType k4 = DType::kQ4_K;
  for (int64_t layer = 0; layer < m.layers; ++layer) {
    const bool more =
        layer < m.layers / 8 || layer >= 7 * m.layers / 8 || (layer - m.layers / 8) % 3 == 2;
    const DType mixed = more ? DType::kQ6_K : k4;
    MatMulCase down{{}, {mixed}, {m.width}, m.hidden, tokens};
    down.params.has_residual = true;
    MatMulCase gate_up{{}, {k4, k4}, {m.hidden, m.hidden}, m.width, tokens};
    gate_up.params.n_weights = 2;
    gate_up.params.glu.kind = op::GluKind::kSilu;
    MatMulCase qkv{{}, {k4, k4, mixed}, {m.width, m.kv_width, m.kv_width}, m.width, tokens};
    qkv.params.n_weights = 3;
    MatMulCase o{{}, {k4}, {m.width}, m.width, tokens};
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
  const bool warpgroup = bench.target().modules().Find("gemm", "gemm_warpgroup").ok();
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
  for (const auto& [n_out, cols] :
       {std::pair<int64_t, int64_t>{4096, 4096}, {12288, 4096}, {22016, 4096}, {4096, 11008}}) {
    for (const uint32_t parts : {0u, 1u, 2u, 3u, 4u, 6u, 8u, 12u}) {
      GemmOptions few = options(GemmUnit::kFew, 256);
      few.parts = parts;
      Single(bench, DType::kQ4_K, n_out, cols, 32, few);
    }
  }
  for (const DType type : {DType::kQ4_0, DType::kQ5_K, DType::kQ6_K, DType::kQ8_0, DType::kIQ4_XS})
    Single(bench, type, 22016, 4096, 32, options(GemmUnit::kFew, 256));
  const ModelShape llama2_7b{"7B", 32, 4096, 4096, 11008};
  const ModelShape llama31_8b{"8B", 32, 4096, 1024, 14336};
  for (const int64_t mb : {24, 36, 64, 256})
    Model(bench, llama2_7b, 512, options(GemmUnit::kAuto, mb));
  if (warpgroup) {
    Model(bench, llama2_7b, 512, options(GemmUnit::kWarpgroup, 256));
    Model(bench, llama2_7b, 512, options(GemmUnit::kWarpgroupWide, 256));
  }
  for (const int64_t tokens : {2, 4, 6, 8, 9, 16, 32, 64, 128, 1024, 2048})
    Model(bench, llama2_7b, tokens, options(GemmUnit::kAuto, 256));
  Model(bench, llama31_8b, 512, options(GemmUnit::kAuto, 256));
}

[[maybe_unused]] const bool registered = Register(Gemm);

}  // namespace
}  // namespace rocforge::gpu::bench
