#include "quant/q5_1.h"

#include "quant/block.h"
#include "quant/half.h"

namespace rocforge::quant {

void DecodeQ5_1(const std::byte* blocks, float* out, int64_t n) {
  for (int64_t i = 0; i < n / BlockQ5_1::kElements; ++i) {
    const auto block = LoadBlock<BlockQ5_1>(blocks, i);
    const float d = HalfToFloat(block.d);
    const float m = HalfToFloat(block.m);
    uint32_t high;
    std::memcpy(&high, block.qh, sizeof(high));
    for (int j = 0; j < 16; ++j) {
      const int low_q = (block.qs[j] & 0xf) | static_cast<int>((high >> j) & 1) << 4;
      const int high_q = (block.qs[j] >> 4) | static_cast<int>((high >> (j + 16)) & 1) << 4;
      out[j] = static_cast<float>(low_q) * d + m;
      out[j + 16] = static_cast<float>(high_q) * d + m;
    }
    out += BlockQ5_1::kElements;
  }
}

}  // namespace rocforge::quant
