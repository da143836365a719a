// Q4_K: 256 weights in 144 bytes, 4.5 bits per weight; 8 groups of 32 weights.
// w = (d * scale) * q - (dmin * min), q in [0, 16), scale and min of the group in [0, 64).
//
//   byte 0      2          4              16              144
//        | d f16 | dmin f16 | scales: 12 B | qs: 128 bytes |
//   Weight 64 * c + l (l < 32) is the low nibble of qs[32 * c + l], weight 64 * c + 32 + l its high
//   nibble.
//   scales packs 8 scales and 8 mins of 6 bits:
//     g < 4:  scale = scales[g] & 63                 min = scales[g + 4] & 63
//     g >= 4: scale = low nibble of scales[g + 4], with the top 2 bits of scales[g - 4] above it
//             min = high nibble of scales[g + 4], with the top 2 bits of scales[g] above it
#pragma once

#include <cstddef>
#include <cstdint>

namespace rocforge::quant {

struct BlockQ4K {
  static constexpr int kElements = 256;
  uint16_t d;
  uint16_t dmin;
  uint8_t scales[12];
  uint8_t qs[128];
};
static_assert(sizeof(BlockQ4K) == 144);

struct ScaleMin {
  uint8_t scale;
  uint8_t min;
};

// Scale and min of group g in [0, 8), from the 12 bytes that Q4_K and Q5_K share.
inline ScaleMin ScaleMinK4(const uint8_t* scales, int g) {
  if (g < 4) {
    return {static_cast<uint8_t>(scales[g] & 63), static_cast<uint8_t>(scales[g + 4] & 63)};
  }
  return {static_cast<uint8_t>((scales[g + 4] & 0xf) | (scales[g - 4] >> 6) << 4),
          static_cast<uint8_t>((scales[g + 4] >> 4) | (scales[g] >> 6) << 4)};
}

// The inverse for all 8 groups; every scale and min is below 64.
void PackScaleMinK4(const ScaleMin (&groups)[8], uint8_t (&scales)[12]);

// `n`: weights, a multiple of kElements. `importance`: null or n weights of the squared errors.
void DecodeQ4K(const std::byte* blocks, float* out, int64_t n);
void EncodeQ4K(const float* in, const float* importance, int64_t n, std::byte* blocks);

}  // namespace rocforge::quant
