#include "quant/q5_k.h"

#include "quant/block.h"
#include "quant/encode.h"
#include "quant/half.h"
#include "quant/q4_k.h"
#include "quant/search_super.h"

namespace rocforge::quant {
namespace {

ROCFORGE_CLONES BlockQ5K EncodeBlock(const float* x, const float* w, bool weighted) {
  const auto fit = search::FitSuperAffine<8>(31.0f, 63.0f, x, w, weighted);
  BlockQ5K block{};
  block.d = fit.d;
  block.dmin = fit.dmin;
  ScaleMin groups[8];
  for (int g = 0; g < 8; ++g) {
    groups[g] = {fit.scale[g], fit.min[g]};
    uint8_t q[32];
    search::NearestAffine(x + 32 * g, 32, 31.0f,
                          HalfToFloat(fit.d) * static_cast<float>(fit.scale[g]),
                          -(HalfToFloat(fit.dmin) * static_cast<float>(fit.min[g])), q);
    uint8_t* qs = block.qs + 32 * (g / 2);
    for (int l = 0; l < 32; ++l) {
      qs[l] = static_cast<uint8_t>(qs[l] | (q[l] & 0xf) << (4 * (g % 2)));
      block.qh[l] = static_cast<uint8_t>(block.qh[l] | (q[l] >> 4) << g);
    }
  }
  PackScaleMinK4(groups, block.scales);
  return block;
}

}  // namespace

void DecodeQ5K(const std::byte* blocks, float* out, int64_t n) {
  for (int64_t i = 0; i < n / BlockQ5K::kElements; ++i) {
    const auto block = LoadBlock<BlockQ5K>(blocks, i);
    const float d = HalfToFloat(block.d);
    const float dmin = HalfToFloat(block.dmin);
    for (int g = 0; g < 8; ++g) {
      const ScaleMin packed = ScaleMinK4(block.scales, g);
      const float scale = d * static_cast<float>(packed.scale);
      const float min = dmin * static_cast<float>(packed.min);
      const uint8_t* qs = block.qs + 32 * (g / 2);
      const int shift = 4 * (g % 2);
      for (int l = 0; l < 32; ++l) {
        const int q = ((qs[l] >> shift) & 0xf) | ((block.qh[l] >> g) & 1) << 4;
        *out++ = scale * static_cast<float>(q) - min;
      }
    }
  }
}

void EncodeQ5K(const float* in, const float* importance, int64_t n, std::byte* blocks) {
  EncodeBlocks<BlockQ5K>(in, importance, n, blocks, EncodeBlock);
}

}  // namespace rocforge::quant
