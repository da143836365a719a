// Q5_0: 32 weights in 22 bytes, 5.5 bits per weight. w = d * (q - 16), q in [0, 32).
//
//   byte 0      2             6                   22
//        | d f16 | qh: 4 bytes | qs: 16 bytes      |
//   qs[j]: low nibble holds the low 4 bits of weight j, high nibble those of weight j + 16.
//   qh, as a little-endian u32: bit j is the 5th bit of weight j.
#pragma once

#include <cstddef>
#include <cstdint>

namespace rocforge::quant {

struct BlockQ5_0 {
  static constexpr int kElements = 32;
  uint16_t d;
  uint8_t qh[4];
  uint8_t qs[16];
};
static_assert(sizeof(BlockQ5_0) == 22);

// `n`: weights, a multiple of kElements. `importance`: null or n weights of the squared errors.
void DecodeQ5_0(const std::byte* blocks, float* out, int64_t n);
void EncodeQ5_0(const float* in, const float* importance, int64_t n, std::byte* blocks);

}  // namespace rocforge::quant
