// Inner loops of attention over one contiguous run of positions. Include after a vec.h.
#pragma once

#include "kernels/cpu/simd/gemm.h"
#include "kernels/cpu/simd/math.h"
#include "kernels/cpu/simd/primitives.h"

namespace rocforge::cpu {
namespace {

template <typename Element>
void Scores(const void* k, int64_t head_dim, int64_t n, const float* const* q, int64_t m, float* s,
            int64_t s_stride) {
  GemmElements<Element>(static_cast<const typename Element::Type*>(k), head_dim, n, q, 0, m,
                        head_dim, false, s, s_stride);
}

// The first n < kLanes elements, then `fill`.
ROCFORGE_INLINE V LoadFilled(const float* p, int64_t n, float fill) {
  float buffer[kLanes];
  Store(buffer, Set1(fill));
  std::memcpy(buffer, p, static_cast<size_t>(n) * sizeof(float));
  return Load(buffer);
}

ROCFORGE_INLINE V Capped(V t, float softcap) {
  return softcap > 0.0f ? Mul(Tanh(Div(t, Set1(softcap))), Set1(softcap)) : t;
}

inline void Softmax(float* s, int64_t n, float scale, float softcap, float* maximum, float* sum) {
  constexpr float kMinusInfinity = -__builtin_inff();
  V most = Set1(kMinusInfinity);
  int64_t j = 0;
  for (; j + kLanes <= n; j += kLanes) {
    const V t = Capped(Mul(Load(s + j), Set1(scale)), softcap);
    Store(s + j, t);
    most = Max(most, t);
  }
  if (j < n) {
    const V t = Capped(Mul(LoadPartial(s + j, n - j), Set1(scale)), softcap);
    StorePartial(s + j, t, n - j);
    most = Max(most, LoadFilled(s + j, n - j, kMinusInfinity));
  }
  *maximum = ReduceMax(most);
  const V shift = Set1(*maximum);
  V total = Zero();
  for (j = 0; j + kLanes <= n; j += kLanes) {
    const V p = Exp(Sub(Load(s + j), shift));
    Store(s + j, p);
    total = Add(total, p);
  }
  if (j < n) {
    const V p = Exp(Sub(LoadFilled(s + j, n - j, kMinusInfinity), shift));
    StorePartial(s + j, p, n - j);
    total = Add(total, p);
  }
  *sum = ReduceAdd(total);
}

// D vectors of columns from column d on, for M rows.
template <typename Element, int M, int D>
ROCFORGE_INLINE void AccumulateTile(const typename Element::Type* v, int64_t head_dim, int64_t n,
                                    const float* p, int64_t p_stride, float* o, int64_t o_stride) {
  V acc[M][D];
  for (int i = 0; i < M; ++i) {
    for (int d = 0; d < D; ++d) acc[i][d] = Load(o + i * o_stride + d * kLanes);
  }
  for (int64_t j = 0; j < n; ++j) {
    V weights[M];
#pragma GCC unroll 6
    for (int i = 0; i < M; ++i) weights[i] = Set1(p[i * p_stride + j]);
#pragma GCC unroll 4
    for (int d = 0; d < D; ++d) {
      const V value = Element::Get(v + j * head_dim + d * kLanes);
#pragma GCC unroll 6
      for (int i = 0; i < M; ++i) acc[i][d] = Fma(weights[i], value, acc[i][d]);
    }
  }
  for (int i = 0; i < M; ++i) {
    for (int d = 0; d < D; ++d) Store(o + i * o_stride + d * kLanes, acc[i][d]);
  }
}

// The last count < kLanes columns of one row.
template <typename Element>
void AccumulateTail(const typename Element::Type* v, int64_t head_dim, int64_t n, const float* p,
                    int64_t count, float* o) {
  V acc = LoadPartial(o, count);
  for (int64_t j = 0; j < n; ++j) {
    acc = Fma(Set1(p[j]), Element::GetPartial(v + j * head_dim, count), acc);
  }
  StorePartial(o, acc, count);
}

template <typename Element>
void Accumulate(const void* values, int64_t head_dim, int64_t n, const float* p, int64_t p_stride,
                int64_t m, float* o, int64_t o_stride) {
  const auto* v = static_cast<const typename Element::Type*>(values);
  ForRowTiles(m, [&](auto rows, int64_t first) {
    constexpr int M = decltype(rows)::value;
    const float* pt = p + first * p_stride;
    float* ot = o + first * o_stride;
    int64_t d = 0;
    for (; d + 4 * kLanes <= head_dim; d += 4 * kLanes) {
      AccumulateTile<Element, M, 4>(v + d, head_dim, n, pt, p_stride, ot + d, o_stride);
    }
    for (; d + kLanes <= head_dim; d += kLanes) {
      AccumulateTile<Element, M, 1>(v + d, head_dim, n, pt, p_stride, ot + d, o_stride);
    }
    if (d < head_dim) {
      for (int i = 0; i < M; ++i) {
        AccumulateTail<Element>(v + d, head_dim, n, pt + i * p_stride, head_dim - d,
                                ot + i * o_stride + d);
      }
    }
  });
}

inline void DecodeQ8(const int8_t* quants, const uint16_t* scales, int64_t head_dim, int64_t n,
                     float* out) {
  constexpr int64_t kBlock = 32;
  for (int64_t j = 0; j < n; ++j) {
    for (int64_t begin = 0; begin < head_dim; begin += kBlock) {
      const float scale = HalfToF32(*scales++);
      const int64_t count = head_dim - begin < kBlock ? head_dim - begin : kBlock;
      int64_t i = 0;
      for (; i + kLanes <= count; i += kLanes) Store(out + i, Mul(FromI8(quants + i), Set1(scale)));
      for (; i < count; ++i) out[i] = static_cast<float>(quants[i]) * scale;
      quants += count;
      out += count;
    }
  }
}

constexpr AttentionPrimitives MakeAttentionPrimitives() {
  return {{Scores<ElementF32>, Scores<ElementF16>},
          Softmax,
          {Accumulate<ElementF32>, Accumulate<ElementF16>},
          DecodeQ8};
}

}  // namespace
}  // namespace rocforge::cpu
