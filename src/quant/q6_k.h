// Q6_K: 256 weights in 210 bytes, 6.5625 bits per weight; 16 groups of 16 weights.
// w = (d * scale) * (q - 32), q in [0, 64), scale of the group a signed byte.
//
//   byte 0             128           192             208     210
//        | ql: 128 B    | qh: 64 B    | scales: 16 B  | d f16 |
//   Weight 128 * h + 32 * s + l (s < 4, l < 32): low 4 bits are nibble s / 2 of
//   ql[64 * h + 32 * (s % 2) + l], high 2 bits are the bits 2 * s and up of qh[32 * h + l].
#pragma once

#include <cstddef>
#include <cstdint>

namespace rocforge::quant {

struct BlockQ6K {
  static constexpr int kElements = 256;
  uint8_t ql[128];
  uint8_t qh[64];
  int8_t scales[16];
  uint16_t d;
};
static_assert(sizeof(BlockQ6K) == 210);

// `n`: weights, a multiple of kElements. `importance`: null or n weights of the squared errors.
void DecodeQ6K(const std::byte* blocks, float* out, int64_t n);
void EncodeQ6K(const float* in, const float* importance, int64_t n, std::byte* blocks);

}  // namespace rocforge::quant
