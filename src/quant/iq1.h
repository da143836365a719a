// One-and-a-half-bit formats: 256 weights in 32 groups of 8. A group is an entry of kIq1Grid
// (values g in {-1, 0, 1}), shifted: w = scale * (g + delta), delta = +1/8 or -1/8.
//
// IQ1_S: 50 bytes, 1.5625 bits per weight. Scale d * (2 * s + 1), s of 3 bits, and the sign of
// delta per 32 weights.
//
//   byte 0      2            34                   50
//        | d f16 | qs: 32 B   | qh: 8 u16          |
//   Group l of 32-weight part p: grid index = qs[4 * p + l] + 256 * bits 3l..3l+2 of qh[p].
//   qh[p] bits 12..14: s. Bit 15: delta is negative.
//
// IQ1_M: 56 bytes, 1.75 bits per weight. s per 16 weights, delta per 8.
//
//   byte 0             32            48             56
//        | qs: 32 B     | qh: 16 B    | scales: 4 u16 |
//   Nibble i % 2 of qh[i / 2] belongs to group i: low 3 bits are bits 8..10 of the grid index, the
//   top bit means that delta is negative.
//   scales[p / 2] bits 6 * (p % 2) + 3 * h and up (3 bits): s of half h of part p. The top 4 bits
//   of scales[0..3] are d as f16, lowest nibble first.
#pragma once

#include <cstddef>
#include <cstdint>

namespace rocforge::quant {

inline constexpr float kIq1Delta = 0.125f;

struct BlockIQ1S {
  static constexpr int kElements = 256;
  uint16_t d;
  uint8_t qs[32];
  uint16_t qh[8];
};
static_assert(sizeof(BlockIQ1S) == 50);

struct BlockIQ1M {
  static constexpr int kElements = 256;
  uint8_t qs[32];
  uint8_t qh[16];
  uint16_t scales[4];
};
static_assert(sizeof(BlockIQ1M) == 56);

// `n`: weights, a multiple of kElements.
void DecodeIQ1S(const std::byte* blocks, float* out, int64_t n);
void DecodeIQ1M(const std::byte* blocks, float* out, int64_t n);

}  // namespace rocforge::quant
