// Q1_0: 128 weights in 18 bytes, 1.125 bits per weight. w = bit ? d : -d.
//
//   byte 0      2                          18
//        | d f16 | qs: 16 bytes             |
//   Weight j is bit j % 8 of qs[j / 8].
#pragma once

#include <cstddef>
#include <cstdint>

namespace rocforge::quant {

struct BlockQ1_0 {
  static constexpr int kElements = 128;
  uint16_t d;
  uint8_t qs[16];
};
static_assert(sizeof(BlockQ1_0) == 18);

// `n`: weights, a multiple of kElements.
void DecodeQ1_0(const std::byte* blocks, float* out, int64_t n);

}  // namespace rocforge::quant
