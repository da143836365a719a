#include "quant/q2_k.h"

#include "quant/block.h"
#include "quant/encode.h"
#include "quant/half.h"
#include "quant/search_super.h"

namespace rocforge::quant {
namespace {

ROCFORGE_CLONES BlockQ2K EncodeBlock(const float* x, const float* w, bool weighted) {
  const auto fit = search::FitSuperAffine<16>(3.0f, 15.0f, x, w, weighted);
  BlockQ2K block{};
  block.d = fit.d;
  block.dmin = fit.dmin;
  for (int g = 0; g < 16; ++g) {
    block.scales[g] = static_cast<uint8_t>(fit.scale[g] | fit.min[g] << 4);
    uint8_t q[16];
    search::NearestAffine(x + 16 * g, 16, 3.0f,
                          HalfToFloat(fit.d) * static_cast<float>(fit.scale[g]),
                          -(HalfToFloat(fit.dmin) * static_cast<float>(fit.min[g])), q);
    uint8_t* qs = block.qs + 32 * (g / 8) + 16 * (g % 2);
    for (int l = 0; l < 16; ++l) qs[l] = static_cast<uint8_t>(qs[l] | q[l] << (2 * (g / 2 % 4)));
  }
  return block;
}

}  // namespace

void DecodeQ2K(const std::byte* blocks, float* out, int64_t n) {
  for (int64_t i = 0; i < n / BlockQ2K::kElements; ++i) {
    const auto block = LoadBlock<BlockQ2K>(blocks, i);
    const float d = HalfToFloat(block.d);
    const float dmin = HalfToFloat(block.dmin);
    for (int g = 0; g < 16; ++g) {
      const float scale = d * static_cast<float>(block.scales[g] & 0xf);
      const float min = dmin * static_cast<float>(block.scales[g] >> 4);
      const uint8_t* qs = block.qs + 32 * (g / 8) + 16 * (g % 2);
      const int shift = 2 * (g / 2 % 4);
      for (int l = 0; l < 16; ++l) *out++ = scale * static_cast<float>((qs[l] >> shift) & 3) - min;
    }
  }
}

void EncodeQ2K(const float* in, const float* importance, int64_t n, std::byte* blocks) {
  EncodeBlocks<BlockQ2K>(in, importance, n, blocks, EncodeBlock);
}

}  // namespace rocforge::quant
