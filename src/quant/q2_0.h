// Q2_0: 64 weights in 18 bytes, 2.25 bits per weight. w = d * (q - 1), q in [0, 4).
//
//   byte 0      2                          18
//        | d f16 | qs: 16 bytes             |
//   Weight j is the bits 2 * (j % 4) and up of qs[j / 4].
#pragma once

#include <cstddef>
#include <cstdint>

namespace rocforge::quant {

struct BlockQ2_0 {
  static constexpr int kElements = 64;
  uint16_t d;
  uint8_t qs[16];
};
static_assert(sizeof(BlockQ2_0) == 18);

// `n`: weights, a multiple of kElements.
void DecodeQ2_0(const std::byte* blocks, float* out, int64_t n);

}  // namespace rocforge::quant
