#include "quant/iq2.h"

#include "quant/block.h"
#include "quant/half.h"
#include "quant/iq_grids.h"

namespace rocforge::quant {

namespace {

// Writes the 8 weights scale * magnitude * sign of a group.
void DecodeGroup(uint64_t entry, uint32_t signs, float scale, float* out) {
  for (int j = 0; j < 8; ++j) {
    const auto magnitude = static_cast<uint8_t>(entry >> (8 * j));
    const float w = scale * static_cast<float>(magnitude);
    out[j] = ((signs >> j) & 1) != 0 ? -w : w;
  }
}

float GroupScale(float d, uint32_t s) { return d * (0.5f + static_cast<float>(s)) * 0.25f; }

}  // namespace

void DecodeIQ2XXS(const std::byte* blocks, float* out, int64_t n) {
  for (int64_t i = 0; i < n / BlockIQ2XXS::kElements; ++i) {
    const auto block = LoadBlock<BlockIQ2XXS>(blocks, i);
    const float d = HalfToFloat(block.d);
    for (int p = 0; p < 8; ++p) {
      uint32_t part[2];
      std::memcpy(part, block.qs + 4 * p, sizeof(part));
      const float scale = GroupScale(d, part[1] >> 28);
      for (int l = 0; l < 4; ++l, out += 8) {
        const uint32_t index = (part[0] >> (8 * l)) & 0xff;
        DecodeGroup(kIq2XxsGrid[index], EvenSigns((part[1] >> (7 * l)) & 127), scale, out);
      }
    }
  }
}

void DecodeIQ2XS(const std::byte* blocks, float* out, int64_t n) {
  for (int64_t i = 0; i < n / BlockIQ2XS::kElements; ++i) {
    const auto block = LoadBlock<BlockIQ2XS>(blocks, i);
    const float d = HalfToFloat(block.d);
    for (int group = 0; group < 32; ++group, out += 8) {
      const int s = (block.scales[group / 4] >> (4 * (group / 2 % 2))) & 0xf;
      const uint32_t q = block.qs[group];
      DecodeGroup(kIq2XsGrid[q & 511], EvenSigns(q >> 9), GroupScale(d, s), out);
    }
  }
}

void DecodeIQ2S(const std::byte* blocks, float* out, int64_t n) {
  for (int64_t i = 0; i < n / BlockIQ2S::kElements; ++i) {
    const auto block = LoadBlock<BlockIQ2S>(blocks, i);
    const float d = HalfToFloat(block.d);
    for (int group = 0; group < 32; ++group, out += 8) {
      const int s = (block.scales[group / 4] >> (4 * (group / 2 % 2))) & 0xf;
      const int high = (block.qh[group / 4] >> (2 * (group % 4))) & 3;
      const auto index = static_cast<uint32_t>(block.qs[group] | high << 8);
      DecodeGroup(kIq2SGrid[index], block.signs[group], GroupScale(d, s), out);
    }
  }
}

}  // namespace rocforge::quant
