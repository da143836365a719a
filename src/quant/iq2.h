// Two-bit codebook formats: 256 weights in 8 parts of 32, each of 4 groups of 8 weights. A group is
// a grid entry (8 magnitudes) with 8 signs; w = (d * (s + 1/2) / 4) * magnitude * sign, s of 4
// bits.
//
// IQ2_XXS: 66 bytes, 2.0625 bits per weight. Grid kIq2XxsGrid.
//
//   byte 0      2                          66
//        | d f16 | qs: 8 parts of 8 bytes   |
//   A part is two u32. The bytes of the first are the grid indices of its 4 groups. The second:
//   bits 7l..7l+6 are the signs of group l (EvenSigns), bits 28..31 are s.
//
// IQ2_XS: 74 bytes, 2.3125 bits per weight. Grid kIq2XsGrid; s per 16 weights.
//
//   byte 0      2                 66             74
//        | d f16 | qs: 32 u16      | scales: 8 B  |
//   qs[group]: bits 0..8 grid index, 9..15 signs (EvenSigns).
//   scales[part]: low nibble is s of groups 0 and 1, high nibble of groups 2 and 3.
//
// IQ2_S: 82 bytes, 2.5625 bits per weight. Grid kIq2SGrid; s per 16 weights, as in IQ2_XS.
//
//   byte 0      2             34             66          74             82
//        | d f16 | qs: 32 B    | signs: 32 B  | qh: 8 B   | scales: 8 B  |
//   Group l of part p: grid index = qs[4 * p + l] + 256 * bits 2l..2l+1 of qh[p]; its 8 signs are
//   signs[4 * p + l].
#pragma once

#include <cstddef>
#include <cstdint>

namespace rocforge::quant {

struct BlockIQ2XXS {
  static constexpr int kElements = 256;
  uint16_t d;
  uint16_t qs[32];
};
static_assert(sizeof(BlockIQ2XXS) == 66);

struct BlockIQ2XS {
  static constexpr int kElements = 256;
  uint16_t d;
  uint16_t qs[32];
  uint8_t scales[8];
};
static_assert(sizeof(BlockIQ2XS) == 74);

struct BlockIQ2S {
  static constexpr int kElements = 256;
  uint16_t d;
  uint8_t qs[32];
  uint8_t signs[32];
  uint8_t qh[8];
  uint8_t scales[8];
};
static_assert(sizeof(BlockIQ2S) == 82);

// `n`: weights, a multiple of kElements.
void DecodeIQ2XXS(const std::byte* blocks, float* out, int64_t n);
void DecodeIQ2XS(const std::byte* blocks, float* out, int64_t n);
void DecodeIQ2S(const std::byte* blocks, float* out, int64_t n);

}  // namespace rocforge::quant
