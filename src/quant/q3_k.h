// Q3_K: 256 weights in 110 bytes, 3.4375 bits per weight; 16 groups of 16 weights.
// w = (d * (scale - 32)) * (q - 4), q in [0, 8), scale of the group in [0, 64).
//
//   byte 0            32           96              108     110
//        | hmask: 32 B | qs: 64 B   | scales: 12 B  | d f16 |
//   Weight 128 * h + 32 * s + l (l < 32): low bits are the bits 2 * s and up of qs[32 * h + l], the
//   third bit is bit 4 * h + s of hmask[l].
//   Scale of group g: low 4 bits in nibble g / 8 of scales[g % 8], high 2 bits are the bits
//   2 * (g / 4) and up of scales[8 + g % 4].
#pragma once

#include <cstddef>
#include <cstdint>

namespace rocforge::quant {

struct BlockQ3K {
  static constexpr int kElements = 256;
  uint8_t hmask[32];
  uint8_t qs[64];
  uint8_t scales[12];
  uint16_t d;
};
static_assert(sizeof(BlockQ3K) == 110);

// Scale of group g in [0, 16), bias not removed: in [0, 64).
inline int ScaleQ3K(const uint8_t* scales, int g) {
  return ((scales[g % 8] >> (4 * (g / 8))) & 0xf) | ((scales[8 + g % 4] >> (2 * (g / 4))) & 3) << 4;
}

// `n`: weights, a multiple of kElements. `importance`: null or n weights of the squared errors.
void DecodeQ3K(const std::byte* blocks, float* out, int64_t n);
void EncodeQ3K(const float* in, const float* importance, int64_t n, std::byte* blocks);

}  // namespace rocforge::quant
