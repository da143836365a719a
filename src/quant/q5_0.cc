#include "quant/q5_0.h"

#include "quant/block.h"
#include "quant/encode.h"
#include "quant/half.h"
#include "quant/search.h"

namespace rocforge::quant {
namespace {

ROCFORGE_CLONES BlockQ5_0 EncodeBlock(const float* x, const float* w, bool weighted) {
  constexpr search::IntegerLevels kLevels{-16.0f, 15.0f};
  constexpr int kElements = BlockQ5_0::kElements;
  const search::ScaleFit fit = search::FitScale(kLevels, x, w, kElements, weighted);
  BlockQ5_0 block;
  block.d = search::BestHalfScale(kLevels, x, w, kElements, fit.scale);
  uint8_t q[kElements];
  search::NearestIndices(kLevels, x, kElements, HalfToFloat(block.d), q);
  uint32_t high = 0;
  for (int j = 0; j < kElements; ++j) high |= static_cast<uint32_t>(q[j] >> 4) << j;
  std::memcpy(block.qh, &high, sizeof(high));
  for (int j = 0; j < 16; ++j) {
    block.qs[j] = static_cast<uint8_t>((q[j] & 0xf) | (q[j + 16] & 0xf) << 4);
  }
  return block;
}

}  // namespace

void DecodeQ5_0(const std::byte* blocks, float* out, int64_t n) {
  for (int64_t i = 0; i < n / BlockQ5_0::kElements; ++i) {
    const auto block = LoadBlock<BlockQ5_0>(blocks, i);
    const float d = HalfToFloat(block.d);
    uint32_t high;
    std::memcpy(&high, block.qh, sizeof(high));
    for (int j = 0; j < 16; ++j) {
      const int low_q = (block.qs[j] & 0xf) | static_cast<int>((high >> j) & 1) << 4;
      const int high_q = (block.qs[j] >> 4) | static_cast<int>((high >> (j + 16)) & 1) << 4;
      out[j] = static_cast<float>(low_q - 16) * d;
      out[j + 16] = static_cast<float>(high_q - 16) * d;
    }
    out += BlockQ5_0::kElements;
  }
}

void EncodeQ5_0(const float* in, const float* importance, int64_t n, std::byte* blocks) {
  EncodeBlocks<BlockQ5_0>(in, importance, n, blocks, EncodeBlock);
}

}  // namespace rocforge::quant
