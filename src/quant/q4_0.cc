#include "quant/q4_0.h"

#include "quant/block.h"
#include "quant/encode.h"
#include "quant/half.h"
#include "quant/search.h"

namespace rocforge::quant {
namespace {

ROCFORGE_CLONES BlockQ4_0 EncodeBlock(const float* x, const float* w, bool weighted) {
  constexpr search::IntegerLevels kLevels{-8.0f, 7.0f};
  constexpr int kElements = BlockQ4_0::kElements;
  const search::ScaleFit fit = search::FitScale(kLevels, x, w, kElements, weighted);
  BlockQ4_0 block;
  block.d = search::BestHalfScale(kLevels, x, w, kElements, fit.scale);
  uint8_t q[kElements];
  search::NearestIndices(kLevels, x, kElements, HalfToFloat(block.d), q);
  for (int j = 0; j < 16; ++j) block.qs[j] = static_cast<uint8_t>(q[j] | q[j + 16] << 4);
  return block;
}

}  // namespace

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

void EncodeQ4_0(const float* in, const float* importance, int64_t n, std::byte* blocks) {
  EncodeBlocks<BlockQ4_0>(in, importance, n, blocks, EncodeBlock);
}

}  // namespace rocforge::quant
