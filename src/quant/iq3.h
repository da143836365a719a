// Three-bit codebook formats: 256 weights in 8 parts of 32, each of 8 groups of 4 weights. A group
// is a grid entry (4 magnitudes) with 4 signs.
//
// IQ3_XXS: 98 bytes, 3.0625 bits per weight. Grid kIq3XxsGrid.
// w = (d * (s + 1/2) / 2) * magnitude * sign, s of 4 bits per part.
//
//   byte 0      2             66                    98
//        | d f16 | qs: 64 B    | 8 u32 (unaligned)   |
//   qs[8 * p + i]: grid index of group i of part p. u32 p: bits 7k..7k+6 are the signs of groups 2k
//   and 2k + 1 (EvenSigns), bits 28..31 are s.
//
// IQ3_S: 110 bytes, 3.4375 bits per weight. Grid kIq3SGrid.
// w = (d * (2 * s + 1)) * magnitude * sign, s of 4 bits per part.
//
//   byte 0      2             66        74             106            110
//        | d f16 | qs: 64 B    | qh: 8 B | signs: 32 B  | scales: 4 B  |
//   Group i of part p: grid index = qs[8 * p + i] + 256 * bit i of qh[p]. Weight 8 * k + j of part
//   p is negative if bit j of signs[4 * p + k] is set. s of part p is nibble p % 2 of scales[p /
//   2].
#pragma once

#include <cstddef>
#include <cstdint>

namespace rocforge::quant {

struct BlockIQ3XXS {
  static constexpr int kElements = 256;
  uint16_t d;
  uint8_t qs[64];
  uint8_t scales_and_signs[32];
};
static_assert(sizeof(BlockIQ3XXS) == 98);

struct BlockIQ3S {
  static constexpr int kElements = 256;
  uint16_t d;
  uint8_t qs[64];
  uint8_t qh[8];
  uint8_t signs[32];
  uint8_t scales[4];
};
static_assert(sizeof(BlockIQ3S) == 110);

// `n`: weights, a multiple of kElements.
void DecodeIQ3XXS(const std::byte* blocks, float* out, int64_t n);
void DecodeIQ3S(const std::byte* blocks, float* out, int64_t n);

}  // namespace rocforge::quant
