#include "quant/q2_0.h"

#include "quant/block.h"
#include "quant/half.h"

namespace rocforge::quant {

void DecodeQ2_0(const std::byte* blocks, float* out, int64_t n) {
  for (int64_t i = 0; i < n / BlockQ2_0::kElements; ++i) {
    const auto block = LoadBlock<BlockQ2_0>(blocks, i);
    const float d = HalfToFloat(block.d);
    for (int j = 0; j < BlockQ2_0::kElements; ++j) {
      out[j] = static_cast<float>(((block.qs[j / 4] >> (2 * (j % 4))) & 3) - 1) * d;
    }
    out += BlockQ2_0::kElements;
  }
}

}  // namespace rocforge::quant
