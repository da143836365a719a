#include "quant/q3_k.h"

#include "quant/block.h"
#include "quant/half.h"

namespace rocforge::quant {

void DecodeQ3K(const std::byte* blocks, float* out, int64_t n) {
  for (int64_t i = 0; i < n / BlockQ3K::kElements; ++i) {
    const auto block = LoadBlock<BlockQ3K>(blocks, i);
    const float d = HalfToFloat(block.d);
    for (int g = 0; g < 16; ++g) {
      const float scale = d * static_cast<float>(ScaleQ3K(block.scales, g) - 32);
      const uint8_t* qs = block.qs + 32 * (g / 8) + 16 * (g % 2);
      const uint8_t* hmask = block.hmask + 16 * (g % 2);
      const int shift = 2 * (g / 2 % 4);
      for (int l = 0; l < 16; ++l) {
        const int q = ((qs[l] >> shift) & 3) | ((hmask[l] >> (g / 2)) & 1) << 2;
        *out++ = scale * static_cast<float>(q - 4);
      }
    }
  }
}

}  // namespace rocforge::quant
