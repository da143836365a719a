#include "quant/q4_1.h"

#include "quant/block.h"
#include "quant/encode.h"
#include "quant/half.h"
#include "quant/search_affine.h"

namespace rocforge::quant {
namespace {

ROCFORGE_CLONES BlockQ4_1 EncodeBlock(const float* x, const float* w, bool weighted) {
  constexpr int kElements = BlockQ4_1::kElements;
  const search::HalfPair pair = search::FitHalfPair(x, w, kElements, 15.0f, weighted);
  BlockQ4_1 block{pair.scale, pair.min, {}};
  uint8_t q[kElements];
  search::NearestAffine(x, kElements, 15.0f, HalfToFloat(pair.scale), HalfToFloat(pair.min), q);
  for (int j = 0; j < 16; ++j) block.qs[j] = static_cast<uint8_t>(q[j] | q[j + 16] << 4);
  return block;
}

}  // namespace

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

void EncodeQ4_1(const float* in, const float* importance, int64_t n, std::byte* blocks) {
  EncodeBlocks<BlockQ4_1>(in, importance, n, blocks, EncodeBlock);
}

}  // namespace rocforge::quant
