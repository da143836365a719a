// Four-bit floating point (E2M1) with shared scales, from the OCP Microscaling Formats 1.0.
// The code points are 0, .5, 1, 1.5, 2, 3, 4, 6 and their negatives; kFp4Doubled holds their
// doubles, which are integers, and the scales below are halved to match.
//
// MXFP4: 32 weights in 17 bytes, 4.25 bits per weight. w = 2^(e - 128) * kFp4Doubled[q].
//
//   byte 0        1                          17
//        | e E8M0  | qs: 16 bytes             |
//   qs[j]: low nibble is q of weight j, high nibble of weight j + 16.
//
// NVFP4: 64 weights in 36 bytes, 4.5 bits per weight; 4 groups of 16. w = UE4M3(d[g]) / 2 *
// kFp4Doubled[q]. A model may carry one more factor per tensor in a tensor of its own.
//
//   byte 0            4                          36
//        | d: 4 UE4M3  | qs: 32 bytes             |
//   Group g: qs[8 * g + j] holds weights 16 * g + j (low nibble) and 16 * g + 8 + j (high nibble).
#pragma once

#include <cstddef>
#include <cstdint>

namespace rocforge::quant {

inline constexpr int8_t kFp4Doubled[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

struct BlockMXFP4 {
  static constexpr int kElements = 32;
  uint8_t e;
  uint8_t qs[16];
};
static_assert(sizeof(BlockMXFP4) == 17);

struct BlockNVFP4 {
  static constexpr int kElements = 64;
  uint8_t d[4];
  uint8_t qs[32];
};
static_assert(sizeof(BlockNVFP4) == 36);

// `n`: weights, a multiple of kElements. `importance`: null or n weights of the squared errors.
void DecodeMXFP4(const std::byte* blocks, float* out, int64_t n);
void DecodeNVFP4(const std::byte* blocks, float* out, int64_t n);
void EncodeMXFP4(const float* in, const float* importance, int64_t n, std::byte* blocks);

}  // namespace rocforge::quant
