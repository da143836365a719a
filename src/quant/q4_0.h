// Q4_0: 32 weights in 18 bytes, 4.5 bits per weight. w = d * (q - 8), q in [0, 16).
//
//   byte 0      2                          18
//        | d f16 | qs: 16 bytes             |
//   qs[j]: low nibble is q of weight j, high nibble of weight j + 16.
#pragma once

#include <cstddef>
#include <cstdint>

namespace rocforge::quant {

struct BlockQ4_0 {
  static constexpr int kElements = 32;
  uint16_t d;
  uint8_t qs[16];
};
static_assert(sizeof(BlockQ4_0) == 18);

// `n`: weights, a multiple of kElements. `importance`: null or n weights of the squared errors.
void DecodeQ4_0(const std::byte* blocks, float* out, int64_t n);
void EncodeQ4_0(const float* in, const float* importance, int64_t n, std::byte* blocks);

}  // namespace rocforge::quant
