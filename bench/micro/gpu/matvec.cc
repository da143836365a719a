// MatMul of 1 to 8 rows: single matrices, and all matrices of a model one after the other.
#include <string>
#include <vector>

#include "base/format.h"
#include "bench/kernels/gpu_ops.h"
#include "bench/micro/gpu/bench.h"

namespace rocforge::gpu::bench {
namespace {

using rocforge::bench::GpuMatMuls;
using rocforge::bench::MatMulCase;

// Scratch of products of at most so many columns and outputs.
int64_t ScratchOf(int64_t most_cols, int64_t most_out, int64_t n_x) {
  return most_cols * n_x * 8 + most_out * n_x * 16;
}

Status Reserve(GpuMatMuls& set, int64_t most_cols, int64_t most_out, int64_t n_x) {
  return set.Reserve(most_cols, most_out, ScratchOf(most_cols, most_out, n_x));
}

void Single(Bench& bench, DType type, int64_t n_out, int64_t cols, int64_t n_x) {
  const std::string name = Format("matvec {} {}x{}, {} col", Name(type), n_out, cols, n_x);
  if (!bench.Wants(name)) return;
  const MatMulCase product{{}, {type}, {n_out}, cols, n_x};
  GpuMatMuls set(bench.target(), n_x);
  Status status = Reserve(set, cols, n_out, n_x);
  const size_t copies = bench.target().CopiesOf(static_cast<int64_t>(product.weight_bytes()));
  for (size_t i = 0; i < copies && status.ok(); ++i) status = set.Add(product);
  if (!status.ok()) return bench.Fail(name, status);
  bench.Run(name, set.size(), set.enqueue(), {product.weight_bytes(), product.Cost().ops});
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
  GpuMatMuls set(bench.target(), n_x);
  Status status = Reserve(set, m.hidden, m.vocab, n_x);
  Work work;
  const auto add = [&](const MatMulCase& p) {
    if (status.ok()) status = set.Add(p);
    work.bytes += p.weight_bytes();
    work.ops += p.Cost().ops;
  };
  constexpr DType k4 = DType::kQ4_K;
  for (int64_t layer = 0; layer < m.layers; ++layer) {
    const bool more =
        layer < m.layers / 8 || layer >= 7 * m.layers / 8 || (layer - m.layers / 8) % 3 == 2;
    const DType mixed = more ? DType::kQ6_K : k4;
    MatMulCase qkv{{}, {k4, k4, mixed}, {m.width, m.kv_width, m.kv_width}, m.width, n_x};
    qkv.params.n_weights = 3;
    add(qkv);
    MatMulCase o{{}, {k4}, {m.width}, m.width, n_x};
    o.params.has_residual = true;
    add(o);
    MatMulCase gate_up{{}, {k4, k4}, {m.hidden, m.hidden}, m.width, n_x};
    gate_up.params.n_weights = 2;
    gate_up.params.glu.kind = op::GluKind::kSilu;
    add(gate_up);
    MatMulCase down{{}, {mixed}, {m.width}, m.hidden, n_x};
    down.params.has_residual = true;
    add(down);
  }
  add(MatMulCase{{}, {DType::kQ6_K}, {m.vocab}, m.width, n_x});
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
                                      {4096, 14336},
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
  for (const int64_t n_x : {1, 2, 4, 6, 8}) Model(bench, llama2_7b, n_x);
  Model(bench, llama31_8b, 1);
}

[[maybe_unused]] const bool registered = Register(Matvec);

}  // namespace
}  // namespace rocforge::gpu::bench
