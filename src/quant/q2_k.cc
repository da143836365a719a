#include "quant/q2_k.h"

#include "quant/block.h"
#include "quant/half.h"

namespace rocforge::quant {

void DecodeQ2K(const std::byte* blocks, float* out, int64_t n) {
  for (int64_t i = 0; i < n / BlockQ2K::kElements; ++i) {
    const auto block = LoadBlock<BlockQ2K>(blocks, i);
    const float d = HalfToFloat(block.d);
    const float dmin = HalfToFloat(block.dmin);
    for (int g = 0; g < 16; ++g) {
      const float scale = d * static_cast<float>(block.scales[g] & 0xf);
      const float min = dmin * static_cast<float>(block.scales[g] >> 4);
      const uint8_t* qs = block.qs + 32 * (g / 8) + 16 * (g % 2);
      const int shift = 2 * (g / 2 % 4);
      for (int l = 0; l < 16; ++l) *out++ = scale * static_cast<float>((qs[l] >> shift) & 3) - min;
    }
  }
}

}  // namespace rocforge::quant
