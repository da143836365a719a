#include "quant/iq4.h"

#include "quant/block.h"
#include "quant/encode.h"
#include "quant/half.h"
#include "quant/search_super.h"

namespace rocforge::quant {
namespace {

constexpr search::TableLevels<16> kLevels(kIq4Levels);

ROCFORGE_CLONES BlockIQ4NL EncodeBlockNL(const float* x, const float* w, bool weighted) {
  constexpr int kElements = BlockIQ4NL::kElements;
  const search::ScaleFit fit = search::FitScale(kLevels, x, w, kElements, weighted);
  BlockIQ4NL block;
  block.d = search::BestHalfScale(kLevels, x, w, kElements, fit.scale);
  uint8_t q[kElements];
  search::NearestIndices(kLevels, x, kElements, HalfToFloat(block.d), q);
  for (int j = 0; j < 16; ++j) block.qs[j] = static_cast<uint8_t>(q[j] | q[j + 16] << 4);
  return block;
}

ROCFORGE_CLONES BlockIQ4XS EncodeBlockXS(const float* x, const float* w, bool weighted) {
  constexpr search::IntegerLevels kScales{-32.0f, 31.0f};
  const auto fit = search::FitSuperScales<8>(kLevels, kScales, x, w, weighted);
  BlockIQ4XS block{};
  block.d = fit.d;
  for (int g = 0; g < 8; ++g) {
    const int scale = fit.multiple[g] + 32;
    uint8_t* low = &block.scales_l[g / 2];
    *low = static_cast<uint8_t>(*low | (scale & 0xf) << (4 * (g % 2)));
    block.scales_h = static_cast<uint16_t>(block.scales_h | (scale >> 4) << (2 * g));
    uint8_t q[32];
    search::NearestIndices(kLevels, x + 32 * g, 32,
                           HalfToFloat(fit.d) * static_cast<float>(fit.multiple[g]), q);
    for (int j = 0; j < 16; ++j) {
      block.qs[16 * g + j] = static_cast<uint8_t>(q[j] | q[j + 16] << 4);
    }
  }
  return block;
}

}  // namespace

void DecodeIQ4NL(const std::byte* blocks, float* out, int64_t n) {
  for (int64_t i = 0; i < n / BlockIQ4NL::kElements; ++i) {
    const auto block = LoadBlock<BlockIQ4NL>(blocks, i);
    const float d = HalfToFloat(block.d);
    for (int j = 0; j < 16; ++j) {
      out[j] = d * static_cast<float>(kIq4Levels[block.qs[j] & 0xf]);
      out[j + 16] = d * static_cast<float>(kIq4Levels[block.qs[j] >> 4]);
    }
    out += BlockIQ4NL::kElements;
  }
}

void DecodeIQ4XS(const std::byte* blocks, float* out, int64_t n) {
  for (int64_t i = 0; i < n / BlockIQ4XS::kElements; ++i) {
    const auto block = LoadBlock<BlockIQ4XS>(blocks, i);
    const float d = HalfToFloat(block.d);
    for (int g = 0; g < 8; ++g) {
      const float scale = d * static_cast<float>(ScaleIQ4XS(block, g) - 32);
      const uint8_t* qs = block.qs + 16 * g;
      for (int j = 0; j < 16; ++j) {
        out[j] = scale * static_cast<float>(kIq4Levels[qs[j] & 0xf]);
        out[j + 16] = scale * static_cast<float>(kIq4Levels[qs[j] >> 4]);
      }
      out += 32;
    }
  }
}

void EncodeIQ4NL(const float* in, const float* importance, int64_t n, std::byte* blocks) {
  EncodeBlocks<BlockIQ4NL>(in, importance, n, blocks, EncodeBlockNL);
}

void EncodeIQ4XS(const float* in, const float* importance, int64_t n, std::byte* blocks) {
  EncodeBlocks<BlockIQ4XS>(in, importance, n, blocks, EncodeBlockXS);
}

}  // namespace rocforge::quant
