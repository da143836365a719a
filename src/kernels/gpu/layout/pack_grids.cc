// Packing of the code-book types: their fields keep GGUF's bits, ordered by unit.
#include <cstring>

#include "kernels/gpu/layout/pack.h"
#include "quant/iq1.h"
#include "quant/iq2.h"
#include "quant/iq3.h"

namespace rocforge::gpu {

void PackIQ2_XXS(const std::byte* src, int64_t cols, const PackedRow& row) {
  ForBlocks<quant::BlockIQ2XXS>(src, cols, [&](const auto& b, int64_t i) {
    std::memcpy(row.plane[0] + 64 * i, b.qs, 64);
    Store16(row.plane[1], i, b.d);
  });
}

void PackIQ2_XS(const std::byte* src, int64_t cols, const PackedRow& row) {
  ForBlocks<quant::BlockIQ2XS>(src, cols, [&](const auto& b, int64_t i) {
    std::memcpy(row.plane[0] + 64 * i, b.qs, 64);
    std::memcpy(row.plane[1] + 8 * i, b.scales, 8);
    Store16(row.plane[2], i, b.d);
  });
}

void PackIQ2_S(const std::byte* src, int64_t cols, const PackedRow& row) {
  ForBlocks<quant::BlockIQ2S>(src, cols, [&](const auto& b, int64_t i) {
    for (int64_t p = 0; p < 8; ++p) {
      std::memcpy(row.plane[0] + 8 * (8 * i + p), b.qs + 4 * p, 4);
      std::memcpy(row.plane[0] + 8 * (8 * i + p) + 4, b.signs + 4 * p, 4);
      row.plane[1][2 * (8 * i + p)] = b.qh[p];
      row.plane[1][2 * (8 * i + p) + 1] = b.scales[p];
    }
    Store16(row.plane[2], i, b.d);
  });
}

void PackIQ3_XXS(const std::byte* src, int64_t cols, const PackedRow& row) {
  ForBlocks<quant::BlockIQ3XXS>(src, cols, [&](const auto& b, int64_t i) {
    std::memcpy(row.plane[0] + 64 * i, b.qs, 64);
    std::memcpy(row.plane[1] + 32 * i, b.scales_and_signs, 32);
    Store16(row.plane[2], i, b.d);
  });
}

void PackIQ3_S(const std::byte* src, int64_t cols, const PackedRow& row) {
  ForBlocks<quant::BlockIQ3S>(src, cols, [&](const auto& b, int64_t i) {
    std::memcpy(row.plane[0] + 64 * i, b.qs, 64);
    std::memcpy(row.plane[1] + 32 * i, b.signs, 32);
    for (int64_t p = 0; p < 8; ++p) {
      row.plane[2][2 * (8 * i + p)] = b.qh[p];
      row.plane[2][2 * (8 * i + p) + 1] =
          static_cast<uint8_t>((b.scales[p / 2] >> (4 * (p % 2))) & 15);
    }
    Store16(row.plane[3], i, b.d);
  });
}

void PackIQ1_S(const std::byte* src, int64_t cols, const PackedRow& row) {
  ForBlocks<quant::BlockIQ1S>(src, cols, [&](const auto& b, int64_t i) {
    std::memcpy(row.plane[0] + 32 * i, b.qs, 32);
    std::memcpy(row.plane[1] + 16 * i, b.qh, 16);
    Store16(row.plane[2], i, b.d);
  });
}

void PackIQ1_M(const std::byte* src, int64_t cols, const PackedRow& row) {
  ForBlocks<quant::BlockIQ1M>(src, cols, [&](const auto& b, int64_t i) {
    std::memcpy(row.plane[0] + 32 * i, b.qs, 32);
    std::memcpy(row.plane[1] + 16 * i, b.qh, 16);
    uint32_t d = 0;
    for (int p = 0; p < 8; ++p)
      row.plane[2][8 * i + p] = static_cast<uint8_t>((b.scales[p / 2] >> (6 * (p % 2))) & 63);
    for (int k = 0; k < 4; ++k) d |= static_cast<uint32_t>(b.scales[k] >> 12) << (4 * k);
    Store16(row.plane[3], i, static_cast<uint16_t>(d));
  });
}

}  // namespace rocforge::gpu
