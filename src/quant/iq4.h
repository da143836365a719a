// Non-linear 4-bit formats: a weight is a scale times one of 16 levels, denser around zero.
//
// IQ4_NL: 32 weights in 18 bytes, 4.5 bits per weight. w = d * kIq4Levels[q].
//
//   byte 0      2                          18
//        | d f16 | qs: 16 bytes             |
//   qs[j]: low nibble is q of weight j, high nibble of weight j + 16.
//
// IQ4_XS: 256 weights in 136 bytes, 4.25 bits per weight; 8 groups of 32 weights.
// w = (d * (scale - 32)) * kIq4Levels[q], scale of the group in [0, 64).
//
//   byte 0      2              4              8               136
//        | d f16 | scales_h u16 | scales_l: 4 B | qs: 128 bytes |
//   Scale of group g: low 4 bits are nibble g % 2 of scales_l[g / 2], high 2 bits are the bits
//   2 * g and up of scales_h.
//   Group g: qs[16 * g + j] holds weights 32 * g + j (low nibble) and 32 * g + 16 + j (high).
#pragma once

#include <cstddef>
#include <cstdint>

namespace rocforge::quant {

inline constexpr int8_t kIq4Levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                          1,    13,   25,  38,  53,  69,  89,  113};

struct BlockIQ4NL {
  static constexpr int kElements = 32;
  uint16_t d;
  uint8_t qs[16];
};
static_assert(sizeof(BlockIQ4NL) == 18);

struct BlockIQ4XS {
  static constexpr int kElements = 256;
  uint16_t d;
  uint16_t scales_h;
  uint8_t scales_l[4];
  uint8_t qs[128];
};
static_assert(sizeof(BlockIQ4XS) == 136);

// Scale of group g in [0, 8), bias not removed: in [0, 64).
inline int ScaleIQ4XS(const BlockIQ4XS& block, int g) {
  return ((block.scales_l[g / 2] >> (4 * (g % 2))) & 0xf) | ((block.scales_h >> (2 * g)) & 3) << 4;
}

// `n`: weights, a multiple of kElements. `importance`: null or n weights of the squared errors.
void DecodeIQ4NL(const std::byte* blocks, float* out, int64_t n);
void DecodeIQ4XS(const std::byte* blocks, float* out, int64_t n);
void EncodeIQ4NL(const float* in, const float* importance, int64_t n, std::byte* blocks);
void EncodeIQ4XS(const float* in, const float* importance, int64_t n, std::byte* blocks);

}  // namespace rocforge::quant
