#include "quant/q5_1.h"

#include "quant/block.h"
#include "quant/encode.h"
#include "quant/half.h"
#include "quant/search_affine.h"

namespace rocforge::quant {
namespace {

ROCFORGE_CLONES BlockQ5_1 EncodeBlock(const float* x, const float* w, bool weighted) {
  constexpr int kElements = BlockQ5_1::kElements;
  const search::HalfPair pair = search::FitHalfPair(x, w, kElements, 31.0f, weighted);
  BlockQ5_1 block{pair.scale, pair.min, {}, {}};
  uint8_t q[kElements];
  search::NearestAffine(x, kElements, 31.0f, HalfToFloat(pair.scale), HalfToFloat(pair.min), q);
  uint32_t high = 0;
  for (int j = 0; j < kElements; ++j) high |= static_cast<uint32_t>(q[j] >> 4) << j;
  std::memcpy(block.qh, &high, sizeof(high));
  for (int j = 0; j < 16; ++j) {
    block.qs[j] = static_cast<uint8_t>((q[j] & 0xf) | (q[j + 16] & 0xf) << 4);
  }
  return block;
}

}  // namespace

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

void EncodeQ5_1(const float* in, const float* importance, int64_t n, std::byte* blocks) {
  EncodeBlocks<BlockQ5_1>(in, importance, n, blocks, EncodeBlock);
}

}  // namespace rocforge::quant
