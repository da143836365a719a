// x of the matvec kernels of one row (matvec.h): rounded to signed bytes into shared memory by the
// whole block, as it is or normalised.
#pragma once

#include "kernels/gpu/block/reduce.h"
#include "kernels/gpu/ops/matvec_rows.h"
#include "kernels/gpu/ops/norm.h"
#include "kernels/gpu/ops/quantize_rows.h"

namespace rocforge::port {
namespace {

using gpu::kMaxMatvecUnits;

// A copy of the type's code book, or a placeholder.
template <typename Entry, uint32_t kEntries>
struct Codes {
  Entry codes[kEntries > 0 ? kEntries : 4];
};
template <uint32_t kType>
using CodesShared = Codes<typename CodeBook<kType>::Entry, CodeBook<kType>::kEntries>;

// x of one block; the same type for all types of weights without a code book.
template <typename Book>
struct SharedWithBook {
  // The last unit is for what nobody reads (of aux, two: a multiple of 16 bytes).
  U32x4 low[kMaxMatvecUnits + 1];
  U32x4 high[kMaxMatvecUnits + 1];
  U32x2 aux[kMaxMatvecUnits + 2];
  BlockReduceShared reduce;
  Book book;
};
template <uint32_t kType>
using MatvecShared = SharedWithBook<CodesShared<kType>>;

// By the whole block; a barrier must follow.
template <uint32_t kType>
RF_DEVICE void CopyCodeBook(CodesShared<kType>& shared) {
  for (uint32_t i = ThreadId(); i < CodeBook<kType>::kEntries; i += BlockDim())
    shared.codes[i] = CodeBook<kType>::Table()[i];
}

RF_DEVICE void StoreShared(const QuantisedRow& row, uint32_t oct, const QuantisedOct& q) {
  StoreOct(row, oct < 4 * kMaxMatvecUnits ? oct : 4 * kMaxMatvecUnits + oct % 4, q);
}

RF_DEVICE float SumOfSquares(const U32x4& v, float sum) {
  sum = Fma(BitCast<float>(v.x), BitCast<float>(v.x), sum);
  sum = Fma(BitCast<float>(v.y), BitCast<float>(v.y), sum);
  sum = Fma(BitCast<float>(v.z), BitCast<float>(v.z), sum);
  return Fma(BitCast<float>(v.w), BitCast<float>(v.w), sum);
}
RF_DEVICE U32x4 Times(const U32x4& a, const U32x4& b) {
  const auto one = [](uint32_t x, uint32_t y) {
    return BitCast<uint32_t>(BitCast<float>(x) * BitCast<float>(y));
  };
  return {one(a.x, b.x), one(a.y, b.y), one(a.z, b.z), one(a.w, b.w)};
}

// A row of x into shared memory by the whole block, then units of zeroes as far as lanes multiply.
// With kNorm x times the norm's weights, and the waves' sums of squares into shared.reduce: what
// the norm divides by is the same for all columns, so the products are divided by it (NormScale).
// Ends with a barrier.
//   Nothing here branches between a load and its use: NVIDIA's compiler would have the use wait
// for every load that is under way, and those of weights take far longer than those of x.
template <uint32_t kType, bool kNorm>
RF_DEVICE void RoundIntoShared(const MatvecArgs& args, const float* x, uint32_t n_units,
                               MatvecShared<kType>& shared) {
  const QuantisedRow row = {shared.low, shared.high, shared.aux};
  const uint32_t n_octs = args.cols / kOct;
  float squares = 0.0f;
  const auto round = [&]<uint32_t kOcts>(uint32_t begin) {
    Oct v[kOcts];
    Oct weight[kOcts];
#pragma unroll
    for (uint32_t k = 0; k < kOcts; ++k) {
      const uint32_t oct = begin + k * BlockDim() + ThreadId();
      v[k] = LoadOct(x, oct, n_octs);
      if constexpr (kNorm) weight[k] = LoadOct(args.norm_weight, oct, n_octs);
    }
#pragma unroll
    for (uint32_t k = 0; k < kOcts; ++k) {
      if constexpr (kNorm) {
        squares = SumOfSquares(v[k].high, SumOfSquares(v[k].low, squares));
        v[k] = {Times(v[k].low, weight[k].low), Times(v[k].high, weight[k].high)};
      }
      StoreShared(row, begin + k * BlockDim() + ThreadId(),
                  QuantiseOct(v[k].low, v[k].high, SumsOf(kType)));
    }
  };
  // A row of one batch for itself, which the loop would do as well: 8B, which has many of them,
  // then generates 0.7 % more tokens a second (H200).
  if (4 * n_units <= BlockDim()) {
    round.template operator()<1>(0);
  } else {
    // Octs that a lane asks for at once; types with many registers in flight have room for one.
    constexpr bool kOneOct = kNorm || kType == gpu::kWeightQ6_K || kType == gpu::kWeightIQ4_XS ||
                             kType == gpu::kWeightMXFP4;
    constexpr uint32_t kBatch = kOneOct ? 1 : 2;
    for (uint32_t begin = 0; begin < 4 * n_units; begin += kBatch * BlockDim())
      round.template operator()<kBatch>(begin);
  }
  if constexpr (kNorm) PutWaveSum(squares, shared.reduce);
  BlockBarrier();
}

// What products of the rounded row are to be multiplied with, after RoundIntoShared with kNorm.
template <uint32_t kType>
RF_DEVICE float NormScale(const MatvecArgs& args, const MatvecShared<kType>& shared) {
  return InverseDeviation(SumOfWaves(shared.reduce), args.cols, args.norm_eps);
}

}  // namespace
}  // namespace rocforge::port
