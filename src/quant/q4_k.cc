#include "quant/q4_k.h"

#include "quant/block.h"
#include "quant/half.h"

namespace rocforge::quant {

void PackScaleMinK4(const ScaleMin (&groups)[8], uint8_t (&scales)[12]) {
  for (int g = 0; g < 4; ++g) {
    const ScaleMin low = groups[g];
    const ScaleMin high = groups[g + 4];
    scales[g] = static_cast<uint8_t>(low.scale | (high.scale >> 4) << 6);
    scales[g + 4] = static_cast<uint8_t>(low.min | (high.min >> 4) << 6);
    scales[g + 8] = static_cast<uint8_t>((high.scale & 0xf) | (high.min & 0xf) << 4);
  }
}

void DecodeQ4K(const std::byte* blocks, float* out, int64_t n) {
  for (int64_t i = 0; i < n / BlockQ4K::kElements; ++i) {
    const auto block = LoadBlock<BlockQ4K>(blocks, i);
    const float d = HalfToFloat(block.d);
    const float dmin = HalfToFloat(block.dmin);
    for (int g = 0; g < 8; ++g) {
      const ScaleMin packed = ScaleMinK4(block.scales, g);
      const float scale = d * static_cast<float>(packed.scale);
      const float min = dmin * static_cast<float>(packed.min);
      const uint8_t* qs = block.qs + 32 * (g / 2);
      const int shift = 4 * (g % 2);
      for (int l = 0; l < 32; ++l) {
        *out++ = scale * static_cast<float>((qs[l] >> shift) & 0xf) - min;
      }
    }
  }
}

}  // namespace rocforge::quant
