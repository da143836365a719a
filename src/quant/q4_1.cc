#include "quant/q4_1.h"

#include "quant/block.h"
#include "quant/half.h"

namespace rocforge::quant {

void DecodeQ4_1(const std::byte* blocks, float* out, int64_t n) {
  for (int64_t i = 0; i < n / BlockQ4_1::kElements; ++i) {
    const auto block = LoadBlock<BlockQ4_1>(blocks, i);
    const float d = HalfToFloat(block.d);
    const float m = HalfToFloat(block.m);
    for (int j = 0; j < 16; ++j) {
      out[j] = static_cast<float>(block.qs[j] & 0xf) * d + m;
      out[j + 16] = static_cast<float>(block.qs[j] >> 4) * d + m;
    }
    out += BlockQ4_1::kElements;
  }
}

}  // namespace rocforge::quant
