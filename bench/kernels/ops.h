// Ops made ready to be timed, on the CPU or on a GPU, with copies of what they read that rotate
// beyond the caches.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/thread_pool.h"
#include "bench/kernels/gpu_target.h"
#include "kernels/cpu/kernels.h"
#include "kernels/op/cost.h"
#include "kernels/op/op.h"
#include "rocforge/status.h"

namespace rocforge::bench {

class PreparedOp {
 public:
  virtual ~PreparedOp() = default;
  // Seconds of one call: the mean of as many as make a time that the clock can tell.
  virtual Result<double> Sample() = 0;
};

struct CpuTarget {
  ThreadPool* pool = nullptr;
  cpu::Isa isa = cpu::Isa::kReference;
  int64_t rotation_bytes = 0;
};

// y = x w^T for one to three weights of one x, as op::MatMul; biases are not supported.
struct MatMulCase {
  op::MatMul params;
  std::vector<DType> types;    // one a weight
  std::vector<int64_t> n_out;  // one a weight
  int64_t cols = 0;
  int64_t rows = 1;  // of x

  double weight_bytes() const;
  op::Cost Cost() const;
};

// A matrix of a type unpacked. On the CPU to f32, by the op that reads embeddings; the output is
// small enough to stay in a cache, so that what counts is reading and decoding. On a GPU to f16
// tiles in memory, by the kernel that a prompt runs before each of its matrix products.
struct DequantCase {
  DType type = DType::kQ4_K;
  int64_t cols = 4096;
  int64_t rows = 64;

  int64_t elements() const { return rows * cols; }
  op::TensorDesc table() const { return {type, 1, rows, cols}; }
  // Of the tiles: rows of whole tiles of 64 f16.
  int64_t UnpackedBytes() const { return rows * ((cols + 63) / 64) * 128; }
};

// n_seqs sequences that each have `tokens` in this step and `context` positions with them. Pages
// that follow each other in a sequence lie apart in memory, as they do after some use.
struct AttentionCase {
  int32_t n_heads = 32;
  int32_t n_kv_heads = 32;
  int32_t head_dim = 128;
  int32_t n_seqs = 1;
  int32_t tokens = 1;
  int32_t context = 512;
  DType kv_type = DType::kF16;
  int32_t page_size = 32;

  int32_t n_tokens() const { return n_seqs * tokens; }
  int32_t pages() const { return (context + page_size - 1) / page_size; }  // of a sequence
  int64_t cache_bytes() const;                                             // of all keys, or values
  // One page of all KV heads, of normal numbers; the cache is copies of it.
  std::vector<std::byte> RandomPage() const;
  op::Attention Params() const;
  op::Cost Cost() const;
};

using Prepared = Result<std::unique_ptr<PreparedOp>>;

// kUnsupported where the target has no kernel for the case; kResourceExhausted where memory is
// short. Targets outlive what was prepared for them.
Prepared PrepareMatMul(const CpuTarget& target, const MatMulCase& test);
Prepared PrepareMatMul(const GpuTarget& target, const MatMulCase& test);
Prepared PrepareDequant(const CpuTarget& target, const DequantCase& test);
Prepared PrepareDequant(const GpuTarget& target, const DequantCase& test);
Prepared PrepareAttention(const CpuTarget& target, const AttentionCase& test);
Prepared PrepareAttention(const GpuTarget& target, const AttentionCase& test);

// The arrays of a step of `test`.
struct AttentionStep {
  explicit AttentionStep(const AttentionCase& test);
  std::vector<int32_t> positions, seq_of_token, seq_begin, kv_len, page_table;
  op::Step View(const AttentionCase& test) const;
};

}  // namespace rocforge::bench
