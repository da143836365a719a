#include "quant/fp4.h"

#include "quant/block.h"
#include "quant/half.h"

namespace rocforge::quant {

void DecodeMXFP4(const std::byte* blocks, float* out, int64_t n) {
  for (int64_t i = 0; i < n / BlockMXFP4::kElements; ++i) {
    const auto block = LoadBlock<BlockMXFP4>(blocks, i);
    const float d = E8m0ToFloatHalf(block.e);
    for (int j = 0; j < 16; ++j) {
      out[j] = static_cast<float>(kFp4Doubled[block.qs[j] & 0xf]) * d;
      out[j + 16] = static_cast<float>(kFp4Doubled[block.qs[j] >> 4]) * d;
    }
    out += BlockMXFP4::kElements;
  }
}

void DecodeNVFP4(const std::byte* blocks, float* out, int64_t n) {
  for (int64_t i = 0; i < n / BlockNVFP4::kElements; ++i) {
    const auto block = LoadBlock<BlockNVFP4>(blocks, i);
    for (int g = 0; g < 4; ++g) {
      const float d = Ue4m3ToFloat(block.d[g]) * 0.5f;
      const uint8_t* qs = block.qs + 8 * g;
      for (int j = 0; j < 8; ++j) {
        out[j] = static_cast<float>(kFp4Doubled[qs[j] & 0xf]) * d;
        out[j + 8] = static_cast<float>(kFp4Doubled[qs[j] >> 4]) * d;
      }
      out += 16;
    }
  }
}

}  // namespace rocforge::quant
