#include "quant/q4_k.h"

#include "quant/block.h"
#include "quant/encode.h"
#include "quant/half.h"
#include "quant/search_super.h"

namespace rocforge::quant {
namespace {

ROCFORGE_CLONES BlockQ4K EncodeBlock(const float* x, const float* w, bool weighted) {
  const auto fit = search::FitSuperAffine<8>(15.0f, 63.0f, x, w, weighted);
  BlockQ4K block{};
  block.d = fit.d;
  block.dmin = fit.dmin;
  ScaleMin groups[8];
  for (int g = 0; g < 8; ++g) {
    groups[g] = {fit.scale[g], fit.min[g]};
    uint8_t q[32];
    search::NearestAffine(x + 32 * g, 32, 15.0f,
                          HalfToFloat(fit.d) * static_cast<float>(fit.scale[g]),
                          -(HalfToFloat(fit.dmin) * static_cast<float>(fit.min[g])), q);
    uint8_t* qs = block.qs + 32 * (g / 2);
    for (int l = 0; l < 32; ++l) qs[l] = static_cast<uint8_t>(qs[l] | q[l] << (4 * (g % 2)));
  }
  PackScaleMinK4(groups, block.scales);
  return block;
}

}  // namespace

void PackScaleMinK4(const ScaleMin (&groups)[8], uint8_t (&scales)[12]) {
  for (int g = 0; g < 4; ++g) {
    const ScaleMin low = groups[g];
    const ScaleMin high = groups[g + 4];
    scales[g] = static_cast<uint8_t>(low.scale | (high.scale >> 4) << 6);
    scales[g + 4] = static_cast<uint8_t>(low.min | (high.min >> 4) << 6);
    scales[g + 8] = static_cast<uint8_t>((high.scale & 0xf) | (high.min & 0xf) << 4);
  }
}

void DecodeQ4K(const std::byte* blocks, float* out, int64_t n) {
  for (int64_t i = 0; i < n / BlockQ4K::kElements; ++i) {
    const auto block = LoadBlock<BlockQ4K>(blocks, i);
    const float d = HalfToFloat(block.d);
    const float dmin = HalfToFloat(block.dmin);
    for (int g = 0; g < 8; ++g) {
      const ScaleMin packed = ScaleMinK4(block.scales, g);
      const float scale = d * static_cast<float>(packed.scale);
      const float min = dmin * static_cast<float>(packed.min);
      const uint8_t* qs = block.qs + 32 * (g / 2);
      const int shift = 4 * (g % 2);
      for (int l = 0; l < 32; ++l) {
        *out++ = scale * static_cast<float>((qs[l] >> shift) & 0xf) - min;
      }
    }
  }
}

void EncodeQ4K(const float* in, const float* importance, int64_t n, std::byte* blocks) {
  EncodeBlocks<BlockQ4K>(in, importance, n, blocks, EncodeBlock);
}

}  // namespace rocforge::quant
