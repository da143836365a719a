// Q2_K: 256 weights in 84 bytes, 2.625 bits per weight; 16 groups of 16 weights.
// w = (d * scale) * q - (dmin * min), q in [0, 4), scale and min of the group in [0, 16).
//
//   byte 0             16             80      82          84
//        | scales: 16 B | qs: 64 B     | d f16 | dmin f16  |
//   scales[g]: low nibble is the scale of group g, high nibble its min.
//   Weight 128 * h + 32 * s + l (l < 32) is the bits 2 * s and up of qs[32 * h + l].
#pragma once

#include <cstddef>
#include <cstdint>

namespace rocforge::quant {

struct BlockQ2K {
  static constexpr int kElements = 256;
  uint8_t scales[16];
  uint8_t qs[64];
  uint16_t d;
  uint16_t dmin;
};
static_assert(sizeof(BlockQ2K) == 84);

// `n`: weights, a multiple of kElements. `importance`: null or n weights of the squared errors.
void DecodeQ2K(const std::byte* blocks, float* out, int64_t n);
void EncodeQ2K(const float* in, const float* importance, int64_t n, std::byte* blocks);

}  // namespace rocforge::quant
