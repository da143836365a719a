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
  U32x4 low[kMaxMatvecUnits];
  U32x4 high[kMaxMatvecUnits];
  U32x2 aux[kMaxMatvecUnits];
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

// A row of x into shared memory by the whole block, then units of zeroes as far as lanes multiply.
// Ends with a barrier.
template <uint32_t kType>
RF_DEVICE void QuantiseIntoShared(const float* x, uint32_t cols, uint32_t n_units,
                                  MatvecShared<kType>& shared) {
  // Octs that a lane asks for at once; types with many registers in flight have room for one.
  constexpr bool kOneOct =
      kType == gpu::kWeightQ6_K || kType == gpu::kWeightIQ4_XS || kType == gpu::kWeightMXFP4;
  constexpr uint32_t kBatch = kOneOct ? 1 : 2;
  const QuantisedRow row = {shared.low, shared.high, shared.aux};
  for (uint32_t begin = 0; begin < 4 * n_units; begin += kBatch * BlockDim()) {
    Oct v[kBatch];
#pragma unroll
    for (uint32_t k = 0; k < kBatch; ++k)
      v[k] = LoadOct(x, begin + k * BlockDim() + ThreadId(), cols / kOct);
#pragma unroll
    for (uint32_t k = 0; k < kBatch; ++k) {
      if (begin + k * BlockDim() < 4 * n_units)
        QuantiseOct(v[k].low, v[k].high, begin + k * BlockDim() + ThreadId(), 4 * n_units,
                    SumsOf(kType), row);
    }
  }
  BlockBarrier();
}

RF_DEVICE float SumOfSquares(const U32x4& v, float sum) {
  sum = Fma(BitCast<float>(v.x), BitCast<float>(v.x), sum);
  sum = Fma(BitCast<float>(v.y), BitCast<float>(v.y), sum);
  sum = Fma(BitCast<float>(v.z), BitCast<float>(v.z), sum);
  return Fma(BitCast<float>(v.w), BitCast<float>(v.w), sum);
}
RF_DEVICE U32x4 Normed(const U32x4& v, const U32x4& weight, float scale) {
  const auto one = [&](uint32_t x, uint32_t w) {
    return BitCast<uint32_t>(BitCast<float>(x) * scale * BitCast<float>(w));
  };
  return {one(v.x, weight.x), one(v.y, weight.y), one(v.z, weight.z), one(v.w, weight.w)};
}

// The same of what an RMS norm makes of x. `first_weight`: the norm's weights of the thread's first
// oct, ThreadId().
template <uint32_t kType>
RF_DEVICE void NormIntoShared(const MatvecArgs& args, uint32_t n_units, const Oct& first_weight,
                              MatvecShared<kType>& shared) {
  const uint32_t n_octs = args.cols / kOct;
  const Oct first = LoadOct(args.x, ThreadId(), n_octs);
  float squares = SumOfSquares(first.high, SumOfSquares(first.low, 0.0f));
  for (uint32_t oct = ThreadId() + BlockDim(); oct < n_octs; oct += BlockDim()) {
    const Oct v = LoadOct(args.x, oct, n_octs);
    squares = SumOfSquares(v.high, SumOfSquares(v.low, squares));
  }
  const float scale = InverseDeviation(BlockSum(squares, shared.reduce), args.cols, args.norm_eps);
  const QuantisedRow row = {shared.low, shared.high, shared.aux};
  const auto round = [&](const Oct& v, const Oct& weight, uint32_t oct) {
    QuantiseOct(Normed(v.low, weight.low, scale), Normed(v.high, weight.high, scale), oct,
                4 * n_units, SumsOf(kType), row);
  };
  round(first, first_weight, ThreadId());
  for (uint32_t begin = BlockDim(); begin < 4 * n_units; begin += BlockDim()) {
    const uint32_t oct = begin + ThreadId();
    round(LoadOct(args.x, oct, n_octs), LoadOct(args.norm_weight, oct, n_octs), oct);
  }
  BlockBarrier();
}

}  // namespace
}  // namespace rocforge::port
