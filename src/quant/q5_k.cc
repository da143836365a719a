#include "quant/q5_k.h"

#include "quant/block.h"
#include "quant/half.h"
#include "quant/q4_k.h"

namespace rocforge::quant {

void DecodeQ5K(const std::byte* blocks, float* out, int64_t n) {
  for (int64_t i = 0; i < n / BlockQ5K::kElements; ++i) {
    const auto block = LoadBlock<BlockQ5K>(blocks, i);
    const float d = HalfToFloat(block.d);
    const float dmin = HalfToFloat(block.dmin);
    for (int g = 0; g < 8; ++g) {
      const ScaleMin packed = ScaleMinK4(block.scales, g);
      const float scale = d * static_cast<float>(packed.scale);
      const float min = dmin * static_cast<float>(packed.min);
      const uint8_t* qs = block.qs + 32 * (g / 2);
      const int shift = 4 * (g % 2);
      for (int l = 0; l < 32; ++l) {
        const int q = ((qs[l] >> shift) & 0xf) | ((block.qh[l] >> g) & 1) << 4;
        *out++ = scale * static_cast<float>(q) - min;
      }
    }
  }
}

}  // namespace rocforge::quant
