// Products of float rows with float or half rows in register tiles: prefill's weights (decoded
// before) and attention's scores. Include after a vec.h.
#pragma once

#include "kernels/cpu/simd/tiles.h"

namespace rocforge::cpu {
namespace {

inline constexpr int kGemmWeights = 4;  // weight rows of a register tile: see Reduce4

template <int R>
ROCFORGE_INLINE void ReduceRows(const V* acc, int64_t stride, bool accumulate, float* y) {
  float sums[R];
  if constexpr (R == 4) {
    Reduce4(acc[0], acc[stride], acc[2 * stride], acc[3 * stride], sums);
  } else {
    for (int r = 0; r < R; ++r) sums[r] = ReduceAdd(acc[r * stride]);
  }
  for (int r = 0; r < R; ++r) y[r] = accumulate ? y[r] + sums[r] : sums[r];
}

// M rows of x times N weight rows over k elements.
template <typename Element, int M, int N>
ROCFORGE_INLINE void GemmTile(const typename Element::Type* w, int64_t w_stride,
                              const float* const* x, int64_t x_offset, int64_t k, bool accumulate,
                              float* y, int64_t y_stride) {
  V acc[M][N];
  for (int i = 0; i < M; ++i) {
    for (int r = 0; r < N; ++r) acc[i][r] = Zero();
  }
  const float* rows[M];
  for (int i = 0; i < M; ++i) rows[i] = x[i] + x_offset;
  int64_t e = 0;
  for (; e + kLanes <= k; e += kLanes) {
    if constexpr (kLanes == 16) {  // registers for the weights
      V weights[N];
#pragma GCC unroll 4
      for (int r = 0; r < N; ++r) weights[r] = Element::Get(w + r * w_stride + e);
#pragma GCC unroll 6
      for (int i = 0; i < M; ++i) {
        const V xi = Load(rows[i] + e);
#pragma GCC unroll 4
        for (int r = 0; r < N; ++r) acc[i][r] = Fma(weights[r], xi, acc[i][r]);
      }
    } else {  // registers for x
      V xs[M];
#pragma GCC unroll 6
      for (int i = 0; i < M; ++i) xs[i] = Load(rows[i] + e);
#pragma GCC unroll 4
      for (int r = 0; r < N; ++r) {
        const V weights = Element::Get(w + r * w_stride + e);
#pragma GCC unroll 6
        for (int i = 0; i < M; ++i) acc[i][r] = Fma(weights, xs[i], acc[i][r]);
      }
    }
  }
  if (e < k) {
    const int64_t count = k - e;
    for (int r = 0; r < N; ++r) {
      const V weights = Element::GetPartial(w + r * w_stride + e, count);
      for (int i = 0; i < M; ++i) {
        acc[i][r] = Fma(weights, LoadPartial(rows[i] + e, count), acc[i][r]);
      }
    }
  }
  for (int i = 0; i < M; ++i) ReduceRows<N>(acc[i], 1, accumulate, y + i * y_stride);
}

template <typename Element, int M>
void GemmRows(const typename Element::Type* w, int64_t w_stride, int64_t n, const float* const* x,
              int64_t x_offset, int64_t k, bool accumulate, float* y, int64_t y_stride) {
  int64_t r = 0;
  for (; r + kGemmWeights <= n; r += kGemmWeights) {
    GemmTile<Element, M, kGemmWeights>(w + r * w_stride, w_stride, x, x_offset, k, accumulate,
                                       y + r, y_stride);
  }
  for (; r < n; ++r) {
    GemmTile<Element, M, 1>(w + r * w_stride, w_stride, x, x_offset, k, accumulate, y + r,
                            y_stride);
  }
}

template <typename Element>
void GemmElements(const typename Element::Type* w, int64_t w_stride, int64_t n,
                  const float* const* x, int64_t x_offset, int64_t m, int64_t k, bool accumulate,
                  float* y, int64_t y_stride) {
  ForRowTiles(m, [&](auto rows, int64_t first) {
    GemmRows<Element, decltype(rows)::value>(w, w_stride, n, x + first, x_offset, k, accumulate,
                                             y + first * y_stride, y_stride);
  });
}

}  // namespace
}  // namespace rocforge::cpu
