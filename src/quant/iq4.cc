#include "quant/iq4.h"

#include "quant/block.h"
#include "quant/half.h"

namespace rocforge::quant {

void DecodeIQ4NL(const std::byte* blocks, float* out, int64_t n) {
  for (int64_t i = 0; i < n / BlockIQ4NL::kElements; ++i) {
    const auto block = LoadBlock<BlockIQ4NL>(blocks, i);
    const float d = HalfToFloat(block.d);
    for (int j = 0; j < 16; ++j) {
      out[j] = d * static_cast<float>(kIq4Levels[block.qs[j] & 0xf]);
      out[j + 16] = d * static_cast<float>(kIq4Levels[block.qs[j] >> 4]);
    }
    out += BlockIQ4NL::kElements;
  }
}

void DecodeIQ4XS(const std::byte* blocks, float* out, int64_t n) {
  for (int64_t i = 0; i < n / BlockIQ4XS::kElements; ++i) {
    const auto block = LoadBlock<BlockIQ4XS>(blocks, i);
    const float d = HalfToFloat(block.d);
    for (int g = 0; g < 8; ++g) {
      const float scale = d * static_cast<float>(ScaleIQ4XS(block, g) - 32);
      const uint8_t* qs = block.qs + 16 * g;
      for (int j = 0; j < 16; ++j) {
        out[j] = scale * static_cast<float>(kIq4Levels[qs[j] & 0xf]);
        out[j + 16] = scale * static_cast<float>(kIq4Levels[qs[j] >> 4]);
      }
      out += 32;
    }
  }
}

}  // namespace rocforge::quant
