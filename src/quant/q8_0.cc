#include "quant/q8_0.h"

#include "quant/block.h"
#include "quant/half.h"

namespace rocforge::quant {

void DecodeQ8_0(const std::byte* blocks, float* out, int64_t n) {
  for (int64_t i = 0; i < n / BlockQ8_0::kElements; ++i) {
    const auto block = LoadBlock<BlockQ8_0>(blocks, i);
    const float d = HalfToFloat(block.d);
    for (int j = 0; j < BlockQ8_0::kElements; ++j) out[j] = static_cast<float>(block.qs[j]) * d;
    out += BlockQ8_0::kElements;
  }
}

}  // namespace rocforge::quant
