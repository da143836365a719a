// What an instruction set provides: inner loops over raw memory, without threads or operands. The
// drivers in common/ call them; each instruction set instantiates the templates of simd/ with its
// own vector type.
//
// Invariance: the bits of every result depend on the operands of that result alone, never on how
// many rows are computed together, nor on threads. All products of rows are formed in the same
// order: chunks of kChunk elements; in a chunk, lane l of a vector of L lanes sums the elements
// l, l + L, l + 2L, ... in order with fused multiply-adds; then lanes are added as a binary tree;
// then chunks are added in order.
#pragma once

#include <cstddef>
#include <cstdint>

namespace rocforge::cpu {

inline constexpr int kTypeSlots = 64;  // indexed by DType
// Rows of x that `dot` takes; from three on, decoding to a panel first is as fast or faster.
inline constexpr int kMaxDotRows = 2;
inline constexpr int64_t kChunk = 1024;  // a multiple of every block
inline constexpr int kKvTypes = 2;  // index of the KV element type: 0 F32, also decoded Q8_0; 1 F16
inline constexpr int kGluKinds = 5;  // indexed by op::GluKind

struct MatMulPrimitives {
  // y[i * y_stride + r] = w_r . x_i for n weight rows r that lie row_bytes apart and m <=
  // kMaxDotRows rows x[i] of k floats. Null for a type that is decoded by quant/ instead.
  using Dot = void (*)(const std::byte* w, int64_t row_bytes, int64_t n, const float* const* x,
                       int m, int64_t k, float* y, int64_t y_stride);
  Dot dot[kTypeSlots];

  // out[0..n) = the elements of the blocks at w; n is a multiple of the block. Null as for dot.
  using Decode = void (*)(const std::byte* w, float* out, int64_t n);
  Decode decode[kTypeSlots];

  // y[i * y_stride + r] = or += (accumulate) w_r . x_i over one chunk of k <= kChunk floats;
  // w_r = w + r * w_stride, x_i = x[i] + x_offset.
  void (*gemm)(const float* w, int64_t w_stride, int64_t n, const float* const* x, int64_t x_offset,
               int64_t m, int64_t k, bool accumulate, float* y, int64_t y_stride);
};

struct AttentionPrimitives {
  // s[i * s_stride + j] = q[i] . k_j for n keys of head_dim elements that lie behind one another.
  using Scores = void (*)(const void* k, int64_t head_dim, int64_t n, const float* const* q,
                          int64_t m, float* s, int64_t s_stride);
  Scores scores[kKvTypes];

  // s[j] = exp(t_j - max t) with t = scale * s, or softcap * tanh(scale * s / softcap) if softcap >
  // 0; returns the maximum and the sum. n >= 1.
  void (*softmax)(float* s, int64_t n, float scale, float softcap, float* maximum, float* sum);

  // o[i * o_stride + d] += sum_j p[i * p_stride + j] * v_j[d], j in order.
  using Accumulate = void (*)(const void* v, int64_t head_dim, int64_t n, const float* p,
                              int64_t p_stride, int64_t m, float* o, int64_t o_stride);
  Accumulate accumulate[kKvTypes];

  // out[j, c] = quants[j, c] * scales[j, c / 32] for n rows of head_dim elements and
  // ceil(head_dim / 32) f16 scales: positions of a Q8_0 plane (kernels/op/kv_page.h).
  void (*decode_q8)(const int8_t* quants, const uint16_t* scales, int64_t head_dim, int64_t n,
                    float* out);
};

struct VectorPrimitives {
  // out may be any of the inputs.
  void (*glu[kGluKinds])(const float* gate, const float* up, float alpha, float limit, float* out,
                         int64_t n);
  void (*add_scaled)(const float* a, const float* b, float scale_b, float* out, int64_t n);
  // out = scale_a * a + scale_b * b, one rounding for b's product and the sum.
  void (*blend)(const float* a, float scale_a, const float* b, float scale_b, float* out,
                int64_t n);
  void (*scale)(const float* x, float scale, float* out, int64_t n);
  void (*soft_cap)(const float* x, float cap, float* out, int64_t n);
  // One group; weight and bias may be null.
  void (*norm_rms)(const float* x, const float* weight, const float* bias, float eps, float* out,
                   int64_t n);
  void (*norm_layer)(const float* x, const float* weight, const float* bias, float eps, float* out,
                     int64_t n);
  // One head: the first rope_dim columns; out may be x.
  void (*rotate_normal)(const float* x, const float* table, float* out, int64_t rope_dim);
  void (*rotate_neox)(const float* x, const float* table, float* out, int64_t rope_dim);
  // Rounds to nearest even, beyond the range to infinity.
  void (*to_f16)(const float* x, uint16_t* out, int64_t n);
};

struct Primitives {
  const MatMulPrimitives* matmul;
  const AttentionPrimitives* attention;
  const VectorPrimitives* vector;
};

}  // namespace rocforge::cpu
