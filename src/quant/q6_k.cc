#include "quant/q6_k.h"

#include "quant/block.h"
#include "quant/half.h"

namespace rocforge::quant {

void DecodeQ6K(const std::byte* blocks, float* out, int64_t n) {
  for (int64_t i = 0; i < n / BlockQ6K::kElements; ++i) {
    const auto block = LoadBlock<BlockQ6K>(blocks, i);
    const float d = HalfToFloat(block.d);
    for (int g = 0; g < 16; ++g) {
      const float scale = d * static_cast<float>(block.scales[g]);
      const int half = g / 8;
      const int quarter = g / 2 % 4;
      const uint8_t* ql = block.ql + 64 * half + 32 * (quarter % 2) + 16 * (g % 2);
      const uint8_t* qh = block.qh + 32 * half + 16 * (g % 2);
      for (int l = 0; l < 16; ++l) {
        const int q = ((ql[l] >> (4 * (quarter / 2))) & 0xf) | ((qh[l] >> (2 * quarter)) & 3) << 4;
        *out++ = scale * static_cast<float>(q - 32);
      }
    }
  }
}

}  // namespace rocforge::quant
