#include "quant/iq3.h"

#include "quant/block.h"
#include "quant/half.h"
#include "quant/iq_grids.h"

namespace rocforge::quant {

namespace {

// Writes the 4 weights scale * magnitude * sign of a group.
void DecodeGroup(uint32_t entry, uint32_t signs, float scale, float* out) {
  for (int j = 0; j < 4; ++j) {
    const auto magnitude = static_cast<uint8_t>(entry >> (8 * j));
    const float w = scale * static_cast<float>(magnitude);
    out[j] = ((signs >> j) & 1) != 0 ? -w : w;
  }
}

}  // namespace

void DecodeIQ3XXS(const std::byte* blocks, float* out, int64_t n) {
  for (int64_t i = 0; i < n / BlockIQ3XXS::kElements; ++i) {
    const auto block = LoadBlock<BlockIQ3XXS>(blocks, i);
    const float d = HalfToFloat(block.d);
    for (int p = 0; p < 8; ++p) {
      uint32_t word;
      std::memcpy(&word, block.scales_and_signs + 4 * p, sizeof(word));
      const float scale = d * (0.5f + static_cast<float>(word >> 28)) * 0.5f;
      for (int group = 0; group < 8; ++group, out += 4) {
        const uint32_t signs = EvenSigns((word >> (7 * (group / 2))) & 127) >> (4 * (group % 2));
        DecodeGroup(kIq3XxsGrid[block.qs[8 * p + group]], signs, scale, out);
      }
    }
  }
}

void DecodeIQ3S(const std::byte* blocks, float* out, int64_t n) {
  for (int64_t i = 0; i < n / BlockIQ3S::kElements; ++i) {
    const auto block = LoadBlock<BlockIQ3S>(blocks, i);
    const float d = HalfToFloat(block.d);
    for (int group = 0; group < 64; ++group, out += 4) {
      const int p = group / 8;
      const int s = (block.scales[p / 2] >> (4 * (p % 2))) & 0xf;
      const float scale = d * static_cast<float>(1 + 2 * s);
      const int high = (block.qh[p] >> (group % 8)) & 1;
      const uint32_t signs = static_cast<uint32_t>(block.signs[group / 2]) >> (4 * (group % 2));
      DecodeGroup(kIq3SGrid[static_cast<uint32_t>(block.qs[group] | high << 8)], signs, scale, out);
    }
  }
}

}  // namespace rocforge::quant
