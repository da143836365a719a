#include "quant/q4_0.h"

#include "quant/block.h"
#include "quant/half.h"

namespace rocforge::quant {

void DecodeQ4_0(const std::byte* blocks, float* out, int64_t n) {
  for (int64_t i = 0; i < n / BlockQ4_0::kElements; ++i) {
    const auto block = LoadBlock<BlockQ4_0>(blocks, i);
    const float d = HalfToFloat(block.d);
    for (int j = 0; j < 16; ++j) {
      out[j] = static_cast<float>((block.qs[j] & 0xf) - 8) * d;
      out[j + 16] = static_cast<float>((block.qs[j] >> 4) - 8) * d;
    }
    out += BlockQ4_0::kElements;
  }
}

}  // namespace rocforge::quant
