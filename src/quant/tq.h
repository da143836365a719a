// Ternary formats: 256 weights, w = d * (t - 1), trit t in {0, 1, 2}.
//
// TQ1_0: 54 bytes, 1.6875 bits per weight. A byte holds five trits as the fraction
// ceil(256 * value / 243), value = 81 * t0 + 27 * t1 + 9 * t2 + 3 * t3 + t4, so that the top trit
// of (byte * 3^k mod 256) is (that * 3) >> 8; 48 bytes hold 240 weights, 4 bytes hold 16 (with a
// fifth trit of 0).
//
//   byte 0             48            52      54
//        | qs: 48 B     | qh: 4 B     | d f16 |
//   Trit k of qs[m], m < 32: weight 32 * k + m.   Trit k of qs[32 + m], m < 16: weight
//   160 + 16 * k + m.   Trit k of qh[m], k < 4: weight 240 + 4 * k + m.
//
// TQ2_0: 66 bytes, 2.0625 bits per weight, two bits a trit.
//
//   byte 0             64      66
//        | qs: 64 B     | d f16 |
//   Weight 128 * h + 32 * s + m (m < 32) is the bits 2 * s and up of qs[32 * h + m].
#pragma once

#include <cstddef>
#include <cstdint>

namespace rocforge::quant {

struct BlockTQ1_0 {
  static constexpr int kElements = 256;
  uint8_t qs[48];
  uint8_t qh[4];
  uint16_t d;
};
static_assert(sizeof(BlockTQ1_0) == 54);

struct BlockTQ2_0 {
  static constexpr int kElements = 256;
  uint8_t qs[64];
  uint16_t d;
};
static_assert(sizeof(BlockTQ2_0) == 66);

// `n`: weights, a multiple of kElements.
void DecodeTQ1_0(const std::byte* blocks, float* out, int64_t n);
void DecodeTQ2_0(const std::byte* blocks, float* out, int64_t n);

}  // namespace rocforge::quant
