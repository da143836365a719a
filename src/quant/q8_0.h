// Q8_0: 32 weights in 34 bytes, 8.5 bits per weight. w = d * q, q in [-128, 128) (encoders use
// [-127, 127]).
//
//   byte 0      2                          34
//        | d f16 | qs: 32 signed bytes      |
#pragma once

#include <cstddef>
#include <cstdint>

namespace rocforge::quant {

struct BlockQ8_0 {
  static constexpr int kElements = 32;
  uint16_t d;
  int8_t qs[32];
};
static_assert(sizeof(BlockQ8_0) == 34);

// `n`: weights, a multiple of kElements. `importance`: null or n weights of the squared errors.
void DecodeQ8_0(const std::byte* blocks, float* out, int64_t n);
void EncodeQ8_0(const float* in, const float* importance, int64_t n, std::byte* blocks);

}  // namespace rocforge::quant
