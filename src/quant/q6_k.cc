#include "quant/q6_k.h"

#include "quant/block.h"
#include "quant/encode.h"
#include "quant/half.h"
#include "quant/search_super.h"

namespace rocforge::quant {
namespace {

ROCFORGE_CLONES BlockQ6K EncodeBlock(const float* x, const float* w, bool weighted) {
  constexpr search::IntegerLevels kLevels{-32.0f, 31.0f};
  constexpr search::IntegerLevels kScales{-128.0f, 127.0f};
  const auto fit = search::FitSuperScales<16>(kLevels, kScales, x, w, weighted);
  BlockQ6K block{};
  block.d = fit.d;
  for (int g = 0; g < 16; ++g) {
    block.scales[g] = static_cast<int8_t>(fit.multiple[g]);
    uint8_t q[16];
    search::NearestIndices(kLevels, x + 16 * g, 16,
                           HalfToFloat(fit.d) * static_cast<float>(fit.multiple[g]), q);
    const int quarter = g / 2 % 4;
    uint8_t* ql = block.ql + 64 * (g / 8) + 32 * (quarter % 2) + 16 * (g % 2);
    uint8_t* qh = block.qh + 32 * (g / 8) + 16 * (g % 2);
    for (int l = 0; l < 16; ++l) {
      ql[l] = static_cast<uint8_t>(ql[l] | (q[l] & 0xf) << (4 * (quarter / 2)));
      qh[l] = static_cast<uint8_t>(qh[l] | (q[l] >> 4) << (2 * quarter));
    }
  }
  return block;
}

}  // namespace

void DecodeQ6K(const std::byte* blocks, float* out, int64_t n) {
  for (int64_t i = 0; i < n / BlockQ6K::kElements; ++i) {
    const auto block = LoadBlock<BlockQ6K>(blocks, i);
    const float d = HalfToFloat(block.d);
    for (int g = 0; g < 16; ++g) {
      const float scale = d * static_cast<float>(block.scales[g]);
      const int half = g / 8;
      const int quarter = g / 2 % 4;
      const uint8_t* ql = block.ql + 64 * half + 32 * (quarter % 2) + 16 * (g % 2);
      const uint8_t* qh = block.qh + 32 * half + 16 * (g % 2);
      for (int l = 0; l < 16; ++l) {
        const int q = ((ql[l] >> (4 * (quarter / 2))) & 0xf) | ((qh[l] >> (2 * quarter)) & 3) << 4;
        *out++ = scale * static_cast<float>(q - 32);
      }
    }
  }
}

void EncodeQ6K(const float* in, const float* importance, int64_t n, std::byte* blocks) {
  EncodeBlocks<BlockQ6K>(in, importance, n, blocks, EncodeBlock);
}

}  // namespace rocforge::quant
