// Products of weight rows with rows of x. Include after a vec.h; the order of additions is fixed by
// primitives.h.
#pragma once

#include "kernels/cpu/simd/codecs.h"
#include "kernels/cpu/simd/codecs_small.h"
#include "kernels/cpu/simd/gemm.h"
#include "kernels/cpu/simd/primitives.h"
#include "tensor/dtype.h"

namespace rocforge::cpu {
namespace {

// Weight rows of a tile. Several chains of additions, from the rows of both sides, hide the latency
// of one; two are enough where a vector takes several instructions to decode.
template <typename Codec, int M>
constexpr int DotRowsAtOnce() {
  const int chains = Codec::kElements == 256 || kLanes == 4 ? 2 : 4;
  return chains / M;
}

// Adds the products of n elements from x_offset on to acc. w points at the chunk's first block.
template <typename Codec, int R, int M>
ROCFORGE_INLINE void DotChunk(const uint8_t* w, int64_t row_bytes, const float* const* x,
                              int64_t x_offset, int64_t n, V (&acc)[R][M]) {
  constexpr int kVectors = Codec::kRun / kLanes;
  const int64_t blocks = n / Codec::kElements;
  for (int64_t b = 0; b < blocks; ++b) {
    typename Codec::State states[R];
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
      Codec::Begin(w + r * row_bytes + b * Codec::kBytes, states[r]);
    }
    for (int run = 0; run < Codec::kElements / Codec::kRun; ++run) {
      const int64_t first = x_offset + b * Codec::kElements + run * Codec::kRun;
      // Rows take turns run by run, so that their chains of additions overlap.
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) {
        V weights[kVectors];
        Codec::Run(states[r], run, weights);
#pragma GCC unroll 16
        for (int v = 0; v < kVectors; ++v) {
#pragma GCC unroll 4
          for (int i = 0; i < M; ++i) {
            acc[r][i] = Fma(weights[v], Load(x[i] + first + v * kLanes), acc[r][i]);
          }
        }
      }
    }
  }
  if constexpr (Codec::kPlain) {
    for (int64_t e = blocks * Codec::kElements; e < n; e += kLanes) {
      const int64_t count = n - e < kLanes ? n - e : kLanes;
      for (int r = 0; r < R; ++r) {
        const V weights = Codec::Partial(w + r * row_bytes, e, count);
        for (int i = 0; i < M; ++i) {
          acc[r][i] = Fma(weights, LoadPartial(x[i] + x_offset + e, count), acc[r][i]);
        }
      }
    }
  }
}

template <typename Codec, int R, int M>
ROCFORGE_INLINE void DotTile(const uint8_t* w, int64_t row_bytes, const float* const* x, int64_t k,
                             float* y, int64_t y_stride) {
  for (int64_t begin = 0; begin < k || begin == 0; begin += kChunk) {
    V acc[R][M];
    for (int r = 0; r < R; ++r) {
      for (int i = 0; i < M; ++i) acc[r][i] = Zero();
    }
    const int64_t n = k - begin < kChunk ? k - begin : kChunk;
    DotChunk<Codec, R, M>(w + begin / Codec::kElements * Codec::kBytes, row_bytes, x, begin, n,
                          acc);
    for (int i = 0; i < M; ++i) ReduceRows<R>(&acc[0][i], M, begin > 0, y + i * y_stride);
  }
}

template <typename Codec, int M>
void DotRows(const uint8_t* w, int64_t row_bytes, int64_t n, const float* const* x, int64_t k,
             float* y, int64_t y_stride) {
  constexpr int R = DotRowsAtOnce<Codec, M>();
  int64_t r = 0;
  for (; r + R <= n; r += R) {
    DotTile<Codec, R, M>(w + r * row_bytes, row_bytes, x, k, y + r, y_stride);
  }
  if constexpr (R > 1) {
    for (; r < n; ++r) DotTile<Codec, 1, M>(w + r * row_bytes, row_bytes, x, k, y + r, y_stride);
  }
}

template <typename Codec>
void Dot(const std::byte* w, int64_t row_bytes, int64_t n, const float* const* x, int m, int64_t k,
         float* y, int64_t y_stride) {
  const uint8_t* bytes = reinterpret_cast<const uint8_t*>(w);
  if (m == 2 && kLanes > 4) {
    DotRows<Codec, 2>(bytes, row_bytes, n, x, k, y, y_stride);
    return;
  }
  for (int i = 0; i < m; ++i) {
    DotRows<Codec, 1>(bytes, row_bytes, n, x + i, k, y + i * y_stride, y_stride);
  }
}

template <typename Codec>
void Decode(const std::byte* w, float* out, int64_t n) {
  constexpr int kVectors = Codec::kRun / kLanes;
  const uint8_t* bytes = reinterpret_cast<const uint8_t*>(w);
  const int64_t blocks = n / Codec::kElements;
  for (int64_t b = 0; b < blocks; ++b) {
    typename Codec::State state;
    Codec::Begin(bytes + b * Codec::kBytes, state);
    for (int run = 0; run < Codec::kElements / Codec::kRun; ++run) {
      V weights[kVectors];
      Codec::Run(state, run, weights);
      for (int v = 0; v < kVectors; ++v) Store(out + v * kLanes, weights[v]);
      out += Codec::kRun;
    }
  }
  if constexpr (Codec::kPlain) {
    for (int64_t e = blocks * Codec::kElements; e < n; e += kLanes) {
      const int64_t count = n - e < kLanes ? n - e : kLanes;
      StorePartial(out, Codec::Partial(bytes, e, count), count);
      out += count;
    }
  }
}

inline void Gemm(const float* w, int64_t w_stride, int64_t n, const float* const* x,
                 int64_t x_offset, int64_t m, int64_t k, bool accumulate, float* y,
                 int64_t y_stride) {
  GemmElements<ElementF32>(w, w_stride, n, x, x_offset, m, k, accumulate, y, y_stride);
}

template <typename Codec>
constexpr void SetCodec(MatMulPrimitives& p, DType type) {
  p.dot[static_cast<int>(type)] = Dot<Codec>;
  p.decode[static_cast<int>(type)] = Decode<Codec>;
}

constexpr MatMulPrimitives MakeMatMulPrimitives() {
  MatMulPrimitives p{};
  SetCodec<CodecF32>(p, DType::kF32);
  SetCodec<CodecF16>(p, DType::kF16);
  SetCodec<CodecBF16>(p, DType::kBF16);
  SetCodec<CodecQ4_0>(p, DType::kQ4_0);
  SetCodec<CodecQ4_1>(p, DType::kQ4_1);
  SetCodec<CodecQ5_0>(p, DType::kQ5_0);
  SetCodec<CodecQ5_1>(p, DType::kQ5_1);
  SetCodec<CodecQ8_0>(p, DType::kQ8_0);
  SetCodec<CodecIQ4NL>(p, DType::kIQ4_NL);
  SetCodec<CodecMXFP4>(p, DType::kMXFP4);
  SetCodec<CodecQ2_K>(p, DType::kQ2_K);
  SetCodec<CodecQ3_K>(p, DType::kQ3_K);
  SetCodec<CodecQ4_K>(p, DType::kQ4_K);
  SetCodec<CodecQ5_K>(p, DType::kQ5_K);
  SetCodec<CodecQ6_K>(p, DType::kQ6_K);
  SetCodec<CodecIQ4XS>(p, DType::kIQ4_XS);
  SetCodec<CodecIQ2XXS>(p, DType::kIQ2_XXS);
  SetCodec<CodecIQ2XS>(p, DType::kIQ2_XS);
  SetCodec<CodecIQ2S>(p, DType::kIQ2_S);
  SetCodec<CodecIQ3XXS>(p, DType::kIQ3_XXS);
  SetCodec<CodecIQ3S>(p, DType::kIQ3_S);
  SetCodec<CodecIQ1S>(p, DType::kIQ1_S);
  SetCodec<CodecIQ1M>(p, DType::kIQ1_M);
  SetCodec<CodecTQ1_0>(p, DType::kTQ1_0);
  SetCodec<CodecTQ2_0>(p, DType::kTQ2_0);
  SetCodec<CodecQ1_0>(p, DType::kQ1_0);
  SetCodec<CodecQ2_0>(p, DType::kQ2_0);
  SetCodec<CodecNVFP4>(p, DType::kNVFP4);
  p.gemm = Gemm;
  return p;
}

}  // namespace
}  // namespace rocforge::cpu
