// Pairs of weights as f16 straight from packed words in shared memory: the operands of gemm_few.
//
// A stage of a row is kStageUnits units: four chunks of nibbles (Q8_0: the first halves), then what
// else the type has per unit, filled up to an odd number of chunks, so that eight rows' words lie
// in all banks. Beside it what the type keeps of scales, as it is; the wave that uses a unit makes
// f16 of them.
//
// An integer q is made an f16 by putting its bits below those of 1024, or four places higher below
// those of 64, where the last place counts 1 too; then that number is taken away, and the middle of
// q's range with it: w = s (q - middle) + (o + s middle) rounds less than s q + o.
#pragma once

#include "kernels/gpu/ops/skinny_weight.h"
#include "kernels/gpu/ops/unit.h"
#include "kernels/gpu/port/tile.h"

namespace rocforge::port {
namespace {

constexpr uint32_t kStageUnits = 4;

RF_DEVICE uint32_t Least(uint32_t a, uint32_t b) { return a < b ? a : b; }

template <uint32_t kType>
struct FewType {
  static constexpr bool kKQuant = kType == gpu::kWeightQ4_K || kType == gpu::kWeightQ5_K;
  // Of plane 1, beside the quants, for a unit.
  static constexpr uint32_t kExtraBytes = kType == gpu::kWeightQ8_0   ? 16
                                          : kType == gpu::kWeightQ6_K ? 8
                                          : kType == gpu::kWeightQ5_K ? 4
                                                                      : 0;
  static constexpr uint32_t kExtraChunks = kExtraBytes * kStageUnits / 16;
  static constexpr uint32_t kRowChunks = (kStageUnits + kExtraChunks) | 1;
  static constexpr uint32_t kScalePlane = kExtraBytes == 0 ? 1 : 2;  // two bytes a unit
  // In the plane after it, for eight units.
  static constexpr uint32_t kSuperBytes = kKQuant ? 4 : kType == gpu::kWeightQ6_K ? 2 : 0;
  // What is taken away: low and high nibbles.
  static constexpr uint32_t kMiddle = kType == gpu::kWeightQ8_0   ? 128
                                      : kType == gpu::kWeightQ6_K ? 32
                                      : kType == gpu::kWeightQ5_K ? 16
                                                                  : 8;
  static constexpr uint32_t kLowBase = 0x6400u + kMiddle;
  static constexpr uint32_t kHighBase =
      kType == gpu::kWeightQ8_0 ? kLowBase : 0x5400u + 16 * kMiddle;
  // Of the bits: formats whose q is in two's complement count from the middle as they are.
  static constexpr uint32_t kLowOnes = kKQuant ? 0x6400u : kLowBase;
  static constexpr uint32_t kHighOnes = kKQuant ? 0x5400u : kHighBase;
};

constexpr uint32_t Twice(uint32_t half) { return half | half << 16; }
constexpr uint32_t kMinusHalf = 0x8000u;

// Finite in f16: an integer of 0 must stay 0.
RF_DEVICE float WithinHalf(float v) {
  const float most = v < 65504.0f ? v : 65504.0f;
  return most > -65504.0f ? most : -65504.0f;
}

// The scales of a unit, each twice as f16: scale and offset, or of both halves. `scale`: its two
// bytes; `super`: of its super-block; `norm` brings weights into the range of f16.
template <uint32_t kType>
RF_DEVICE U32x2 FewScales(uint32_t scale, uint32_t super, float norm) {
  using Type = FewType<kType>;
  float first, second = 0.0f;
  if constexpr (Type::kKQuant) {
    first = LowHalf(super) * norm * UnsignedByte(scale, 0);
    second = Fma(first, static_cast<float>(Type::kMiddle),
                 -(HighHalf(super) * norm) * UnsignedByte(scale, 1));
  } else if constexpr (kType == gpu::kWeightQ6_K) {
    const float d = LowHalf(super) * norm;
    first = d * SignedByte(scale, 0);
    second = d * SignedByte(scale, 1);
  } else {
    first = LowHalf(scale) * norm;
  }
  first = WithinHalf(first);
  second = WithinHalf(second);
  return {HalfPair(first, first), HalfPair(second, second)};
}

// Columns c and c + 2, and 16 + c and 18 + c of a unit, c = 4 word + odd. `v`: the word of nibbles
// (Q8_0: of the first half); `extra`: what else the unit has, words of plane 1; `scale`: FewScales.
template <uint32_t kType>
RF_DEVICE U32x2 FewPair(uint32_t v, const uint32_t* extra, uint32_t word, uint32_t odd,
                        U32x2 scale) {
  using Type = FewType<kType>;
  v >>= 8 * odd;
  uint32_t low, high;
  constexpr uint32_t kLow = Twice(Type::kLowOnes), kHigh = Twice(Type::kHighOnes);
  if constexpr (kType == gpu::kWeightQ8_0) {
    low = MaskFlip(v, 0x00FF00FFu, kLow);
    high = MaskFlip(extra[word] >> (8 * odd), 0x00FF00FFu, kHigh);
  } else {
    low = MaskFlip(v, 0x000F000Fu, kLow);
    high = MaskFlip(v, 0x00F000F0u, kHigh);
  }
  if constexpr (kType == gpu::kWeightQ5_K) {
    const uint32_t bits = extra[0] >> (8 * odd + word);
    low = MaskFlip(bits << 4, 0x00100010u, low);
    high = MaskFlip(bits << 4, 0x01000100u, high);
  } else if constexpr (kType == gpu::kWeightQ6_K) {
    const uint32_t first = extra[0] >> (2 * word);
    const uint32_t second = extra[1] >> (2 * word);
    low = MaskFlip(odd != 0 ? first >> 4 : first << 4, 0x00300030u, low);
    high = MaskFlip(odd != 0 ? second : second << 8, 0x03000300u, high);
  }
  low = AddPairs(low, Twice(Type::kLowBase | kMinusHalf));
  high = AddPairs(high, Twice(Type::kHighBase | kMinusHalf));
  if constexpr (Type::kKQuant)
    return {FmaPairs(low, scale.x, scale.y), FmaPairs(high, scale.x, scale.y)};
  return {FmaPairs(low, scale.x, 0),
          FmaPairs(high, kType == gpu::kWeightQ6_K ? scale.y : scale.x, 0)};
}

// The block's stages (gemm_args.h), weight by weight, in tiles of kRows rows of w with n_stages
// each: f.operator()<type>(w, begin, end, done) for stages [begin, end) counted from that weight's
// first tile, after `done` of the block's.
template <uint32_t kRows, typename F>
RF_DEVICE void ForFewStages(const SkinnyArgs& args, uint32_t n_stages, F&& f) {
  for (uint32_t i = 0; i < args.n_weights; ++i) {
    const SkinnyWeight w = WeightAt(args, i);
    const uint32_t block_begin = BlockId() * args.stages_per_block;
    const uint32_t block_end = block_begin + args.stages_per_block;
    const uint32_t first = w.first_column / kRows * n_stages;
    const uint32_t all = (w.weight.n_rows + kRows - 1) / kRows * n_stages;
    const uint32_t begin = block_begin > first ? block_begin - first : 0;
    const uint32_t end = block_end > first ? Least(block_end - first, all) : 0;
    if (begin >= end) continue;
    const uint32_t done = first + begin - block_begin;
    switch (w.weight.type) {
#define RF_FEW(name)                                                \
  case gpu::kWeight##name:                                          \
    f.template operator()<gpu::kWeight##name>(w, begin, end, done); \
    break;
      RF_FEW(Q4_0)
      RF_FEW(Q8_0)
      RF_FEW(Q4_K)
      RF_FEW(Q5_K)
      RF_FEW(Q6_K)
#undef RF_FEW
      default:
        break;
    }
  }
}

// For FillTiles: a unit of the rows from `words` and `scales` on.
template <uint32_t kType>
struct FewPairs {
  const uint32_t* words;  // of the stage
  const U32x2* scales;    // of the unit
  uint32_t scale_stride;  // from row to row
  uint32_t unit;          // of the stage

  RF_MEMBER U32x2 operator()(uint32_t row, uint32_t word, uint32_t odd) const {
    using Type = FewType<kType>;
    const uint32_t* at = words + row * Type::kRowChunks * 4;
    return FewPair<kType>(at[4 * unit + word], at + 4 * kStageUnits + Type::kExtraBytes / 4 * unit,
                          word, odd, scales[row * scale_stride]);
  }
};

}  // namespace
}  // namespace rocforge::port
