#include "quant/q1_0.h"

#include "quant/block.h"
#include "quant/half.h"

namespace rocforge::quant {

void DecodeQ1_0(const std::byte* blocks, float* out, int64_t n) {
  for (int64_t i = 0; i < n / BlockQ1_0::kElements; ++i) {
    const auto block = LoadBlock<BlockQ1_0>(blocks, i);
    const float d = HalfToFloat(block.d);
    for (int j = 0; j < BlockQ1_0::kElements; ++j) {
      out[j] = ((block.qs[j / 8] >> (j % 8)) & 1) != 0 ? d : -d;
    }
    out += BlockQ1_0::kElements;
  }
}

}  // namespace rocforge::quant
