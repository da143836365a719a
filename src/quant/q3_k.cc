#include "quant/q3_k.h"

#include "quant/block.h"
#include "quant/encode.h"
#include "quant/half.h"
#include "quant/search_super.h"

namespace rocforge::quant {
namespace {

ROCFORGE_CLONES BlockQ3K EncodeBlock(const float* x, const float* w, bool weighted) {
  constexpr search::IntegerLevels kLevels{-4.0f, 3.0f};
  constexpr search::IntegerLevels kScales{-32.0f, 31.0f};
  const auto fit = search::FitSuperScales<16>(kLevels, kScales, x, w, weighted);
  BlockQ3K block{};
  block.d = fit.d;
  for (int g = 0; g < 16; ++g) {
    const int scale = fit.multiple[g] + 32;
    uint8_t* low = &block.scales[g % 8];
    uint8_t* high = &block.scales[8 + g % 4];
    *low = static_cast<uint8_t>(*low | (scale & 0xf) << (4 * (g / 8)));
    *high = static_cast<uint8_t>(*high | (scale >> 4) << (2 * (g / 4)));
    uint8_t q[16];
    search::NearestIndices(kLevels, x + 16 * g, 16,
                           HalfToFloat(fit.d) * static_cast<float>(fit.multiple[g]), q);
    uint8_t* qs = block.qs + 32 * (g / 8) + 16 * (g % 2);
    uint8_t* hmask = block.hmask + 16 * (g % 2);
    for (int l = 0; l < 16; ++l) {
      qs[l] = static_cast<uint8_t>(qs[l] | (q[l] & 3) << (2 * (g / 2 % 4)));
      hmask[l] = static_cast<uint8_t>(hmask[l] | (q[l] >> 2) << (g / 2));
    }
  }
  return block;
}

}  // namespace

void DecodeQ3K(const std::byte* blocks, float* out, int64_t n) {
  for (int64_t i = 0; i < n / BlockQ3K::kElements; ++i) {
    const auto block = LoadBlock<BlockQ3K>(blocks, i);
    const float d = HalfToFloat(block.d);
    for (int g = 0; g < 16; ++g) {
      const float scale = d * static_cast<float>(ScaleQ3K(block.scales, g) - 32);
      const uint8_t* qs = block.qs + 32 * (g / 8) + 16 * (g % 2);
      const uint8_t* hmask = block.hmask + 16 * (g % 2);
      const int shift = 2 * (g / 2 % 4);
      for (int l = 0; l < 16; ++l) {
        const int q = ((qs[l] >> shift) & 3) | ((hmask[l] >> (g / 2)) & 1) << 2;
        *out++ = scale * static_cast<float>(q - 4);
      }
    }
  }
}

void EncodeQ3K(const float* in, const float* importance, int64_t n, std::byte* blocks) {
  EncodeBlocks<BlockQ3K>(in, importance, n, blocks, EncodeBlock);
}

}  // namespace rocforge::quant
