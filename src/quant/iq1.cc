#include "quant/iq1.h"

#include "quant/block.h"
#include "quant/half.h"
#include "quant/iq_grids.h"

namespace rocforge::quant {

namespace {

// Writes the 8 weights scale * (g + delta) of a group.
void DecodeGroup(uint32_t grid_index, bool negative_delta, float scale, float* out) {
  const uint64_t entry = kIq1Grid[grid_index];
  const float delta = negative_delta ? -kIq1Delta : kIq1Delta;
  for (int j = 0; j < 8; ++j) {
    const auto g = static_cast<int8_t>(entry >> (8 * j));
    out[j] = scale * (static_cast<float>(g) + delta);
  }
}

}  // namespace

void DecodeIQ1S(const std::byte* blocks, float* out, int64_t n) {
  for (int64_t i = 0; i < n / BlockIQ1S::kElements; ++i) {
    const auto block = LoadBlock<BlockIQ1S>(blocks, i);
    const float d = HalfToFloat(block.d);
    for (int p = 0; p < 8; ++p) {
      const uint32_t qh = block.qh[p];
      const float scale = d * static_cast<float>(2 * ((qh >> 12) & 7) + 1);
      for (int l = 0; l < 4; ++l, out += 8) {
        const uint32_t index = block.qs[4 * p + l] | ((qh >> (3 * l)) & 7) << 8;
        DecodeGroup(index, (qh & 0x8000) != 0, scale, out);
      }
    }
  }
}

void DecodeIQ1M(const std::byte* blocks, float* out, int64_t n) {
  for (int64_t i = 0; i < n / BlockIQ1M::kElements; ++i) {
    const auto block = LoadBlock<BlockIQ1M>(blocks, i);
    const uint16_t* sc = block.scales;
    const float d = HalfToFloat(static_cast<uint16_t>(sc[0] >> 12 | (sc[1] >> 12) << 4 |
                                                      (sc[2] >> 12) << 8 | (sc[3] >> 12) << 12));
    for (int group = 0; group < 32; ++group, out += 8) {
      const int shift = 6 * (group / 4 % 2) + 3 * (group / 2 % 2);
      const float scale = d * static_cast<float>(2 * ((sc[group / 8] >> shift) & 7) + 1);
      const uint32_t nibble = (block.qh[group / 2] >> (4 * (group % 2))) & 0xfu;
      DecodeGroup(block.qs[group] | (nibble & 7) << 8, (nibble & 8) != 0, scale, out);
    }
  }
}

}  // namespace rocforge::quant
