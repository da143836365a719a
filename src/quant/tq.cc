#include "quant/tq.h"

#include "quant/block.h"
#include "quant/half.h"

namespace rocforge::quant {

namespace {

constexpr uint8_t kPowersOf3[5] = {1, 3, 9, 27, 81};

// Trit k of a TQ1_0 byte, as a weight in units of d.
float TritWeight(uint8_t byte, int k) {
  const auto rotated = static_cast<uint8_t>(byte * kPowersOf3[k]);
  return static_cast<float>((rotated * 3 >> 8) - 1);
}

}  // namespace

void DecodeTQ1_0(const std::byte* blocks, float* out, int64_t n) {
  for (int64_t i = 0; i < n / BlockTQ1_0::kElements; ++i) {
    const auto block = LoadBlock<BlockTQ1_0>(blocks, i);
    const float d = HalfToFloat(block.d);
    for (int k = 0; k < 5; ++k) {
      for (int m = 0; m < 32; ++m) *out++ = TritWeight(block.qs[m], k) * d;
    }
    for (int k = 0; k < 5; ++k) {
      for (int m = 32; m < 48; ++m) *out++ = TritWeight(block.qs[m], k) * d;
    }
    for (int k = 0; k < 4; ++k) {
      for (int m = 0; m < 4; ++m) *out++ = TritWeight(block.qh[m], k) * d;
    }
  }
}

void DecodeTQ2_0(const std::byte* blocks, float* out, int64_t n) {
  for (int64_t i = 0; i < n / BlockTQ2_0::kElements; ++i) {
    const auto block = LoadBlock<BlockTQ2_0>(blocks, i);
    const float d = HalfToFloat(block.d);
    for (int part = 0; part < 8; ++part) {
      const uint8_t* qs = block.qs + 32 * (part / 4);
      const int shift = 2 * (part % 4);
      for (int m = 0; m < 32; ++m) *out++ = static_cast<float>(((qs[m] >> shift) & 3) - 1) * d;
    }
  }
}

}  // namespace rocforge::quant
