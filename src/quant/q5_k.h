// Q5_K: 256 weights in 176 bytes, 5.5 bits per weight; 8 groups of 32 weights.
// w = (d * scale) * q - (dmin * min), q in [0, 32), scale and min of the group in [0, 64).
//
//   byte 0      2          4              16          48              176
//        | d f16 | dmin f16 | scales: 12 B | qh: 32 B  | qs: 128 bytes |
//   Low 4 bits as in Q4_K; the 5th bit of weight 32 * g + l is bit g of qh[l]. Scales as in Q4_K
//   (ScaleMinK4).
#pragma once

#include <cstddef>
#include <cstdint>

namespace rocforge::quant {

struct BlockQ5K {
  static constexpr int kElements = 256;
  uint16_t d;
  uint16_t dmin;
  uint8_t scales[12];
  uint8_t qh[32];
  uint8_t qs[128];
};
static_assert(sizeof(BlockQ5K) == 176);

// `n`: weights, a multiple of kElements. `importance`: null or n weights of the squared errors.
void DecodeQ5K(const std::byte* blocks, float* out, int64_t n);
void EncodeQ5K(const float* in, const float* importance, int64_t n, std::byte* blocks);

}  // namespace rocforge::quant
