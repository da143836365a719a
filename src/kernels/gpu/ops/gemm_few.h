// Pairs of weights as f16 straight from packed words in shared memory: the operands of gemm_few.
//
// A stage of a row is kStageUnits units: four chunks of nibbles (Q8_0: the first halves), then what
// else the type has per unit, filled up to an odd number of chunks, so that eight rows' words lie
// in all banks. Beside it a word for each unit: two f16, scale and offset, or for types with halves
// both scales.
//
// An integer q is made an f16 by putting its bits below those of 1024, or four places higher below
// those of 64, where the last place counts 1 too; then that number is taken away, and the middle of
// q's range with it: w = s (q - middle) + (o + s middle) rounds less than s q + o.
#pragma once

#include "kernels/gpu/ops/unit.h"
#include "kernels/gpu/port/tile.h"

namespace rocforge::port {
namespace {

constexpr uint32_t kStageUnits = 4;

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

// The word of scales of a unit: `scale`, its two bytes; `super`, of a super-block; `norm` brings
// weights into the range of f16.
template <uint32_t kType>
RF_DEVICE uint32_t FewScales(uint32_t scale, uint32_t super, float norm) {
  using Type = FewType<kType>;
  if constexpr (Type::kKQuant) {
    const float s = LowHalf(super) * norm * UnsignedByte(scale, 0);
    const float o = -(HighHalf(super) * norm) * UnsignedByte(scale, 1);
    return HalfPair(WithinHalf(s), WithinHalf(Fma(s, static_cast<float>(Type::kMiddle), o)));
  } else if constexpr (kType == gpu::kWeightQ6_K) {
    const float d = LowHalf(super) * norm;
    return HalfPair(WithinHalf(d * SignedByte(scale, 0)), WithinHalf(d * SignedByte(scale, 1)));
  } else {
    return HalfPair(WithinHalf(LowHalf(scale) * norm), 0.0f);
  }
}

// For FillTiles: rows from `row0` on of one unit of the stage.
template <uint32_t kType>
struct FewPairs {
  const uint32_t* words;   // of the stage
  const uint32_t* scales;  // of the stage
  uint32_t row0;
  uint32_t unit;

  RF_MEMBER U32x2 operator()(uint32_t row, uint32_t word, uint32_t odd) const {
    using Type = FewType<kType>;
    const uint32_t* at = words + (row0 + row) * Type::kRowChunks * 4;
    const uint32_t* extra = at + 4 * kStageUnits;
    const uint32_t v = at[4 * unit + word] >> (8 * odd);
    uint32_t low, high;
    if constexpr (kType == gpu::kWeightQ8_0) {
      low = v & 0x00FF00FFu;
      high = (extra[4 * unit + word] >> (8 * odd)) & 0x00FF00FFu;
    } else {
      low = v & 0x000F000Fu;
      high = v & 0x00F000F0u;
    }
    if constexpr (kType == gpu::kWeightQ5_K) {
      const uint32_t bits = extra[unit] >> (8 * odd + word);
      low |= (bits << 4) & 0x00100010u;
      high |= (bits << 4) & 0x01000100u;
    } else if constexpr (kType == gpu::kWeightQ6_K) {
      const uint32_t first = extra[2 * unit] >> (2 * word);
      const uint32_t second = extra[2 * unit + 1] >> (2 * word);
      low |= (odd != 0 ? first >> 4 : first << 4) & 0x00300030u;
      high |= (odd != 0 ? second : second << 8) & 0x03000300u;
    }
    low = AddPairs(low ^ Twice(Type::kLowOnes), Twice(Type::kLowBase | kMinusHalf));
    high = AddPairs(high ^ Twice(Type::kHighOnes), Twice(Type::kHighBase | kMinusHalf));
    const uint32_t pair = scales[(row0 + row) * kStageUnits + unit];
    const uint32_t first = LookUp8(pair, pair, 0x1010);
    const uint32_t second = LookUp8(pair, pair, 0x3232);
    if constexpr (Type::kKQuant)
      return {FmaPairs(low, first, second), FmaPairs(high, first, second)};
    return {FmaPairs(low, first, 0), FmaPairs(high, kType == gpu::kWeightQ6_K ? second : first, 0)};
  }
};

}  // namespace
}  // namespace rocforge::port
