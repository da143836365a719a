// Internal to layout/: one packing function a type, and what they share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "quant/block.h"

namespace rocforge::gpu {

// The planes of one packed row, zeroed before it is packed.
struct PackedRow {
  uint8_t* plane[4];
};

// `src`: the GGUF row, `cols` weights.
using PackRowFn = void (*)(const std::byte* src, int64_t cols, const PackedRow& row);

inline void Store16(uint8_t* plane, int64_t index, uint16_t value) {
  std::memcpy(plane + 2 * index, &value, sizeof(value));
}

// Calls f(block, index) for each block of the row.
template <typename Block, typename F>
void ForBlocks(const std::byte* src, int64_t cols, F&& f) {
  for (int64_t i = 0; i < cols / Block::kElements; ++i) f(quant::LoadBlock<Block>(src, i), i);
}

void PackF32(const std::byte* src, int64_t cols, const PackedRow& row);
void PackF16(const std::byte* src, int64_t cols, const PackedRow& row);
void PackBF16(const std::byte* src, int64_t cols, const PackedRow& row);
void PackQ4_0(const std::byte* src, int64_t cols, const PackedRow& row);
void PackQ4_1(const std::byte* src, int64_t cols, const PackedRow& row);
void PackQ5_0(const std::byte* src, int64_t cols, const PackedRow& row);
void PackQ5_1(const std::byte* src, int64_t cols, const PackedRow& row);
void PackQ8_0(const std::byte* src, int64_t cols, const PackedRow& row);
void PackQ2_K(const std::byte* src, int64_t cols, const PackedRow& row);
void PackQ3_K(const std::byte* src, int64_t cols, const PackedRow& row);
void PackQ4_K(const std::byte* src, int64_t cols, const PackedRow& row);
void PackQ5_K(const std::byte* src, int64_t cols, const PackedRow& row);
void PackQ6_K(const std::byte* src, int64_t cols, const PackedRow& row);
void PackIQ4_NL(const std::byte* src, int64_t cols, const PackedRow& row);
void PackIQ4_XS(const std::byte* src, int64_t cols, const PackedRow& row);
void PackMXFP4(const std::byte* src, int64_t cols, const PackedRow& row);
void PackNVFP4(const std::byte* src, int64_t cols, const PackedRow& row);
void PackTQ1_0(const std::byte* src, int64_t cols, const PackedRow& row);
void PackTQ2_0(const std::byte* src, int64_t cols, const PackedRow& row);
void PackQ2_0(const std::byte* src, int64_t cols, const PackedRow& row);
void PackQ1_0(const std::byte* src, int64_t cols, const PackedRow& row);
void PackIQ2_XXS(const std::byte* src, int64_t cols, const PackedRow& row);
void PackIQ2_XS(const std::byte* src, int64_t cols, const PackedRow& row);
void PackIQ2_S(const std::byte* src, int64_t cols, const PackedRow& row);
void PackIQ3_XXS(const std::byte* src, int64_t cols, const PackedRow& row);
void PackIQ3_S(const std::byte* src, int64_t cols, const PackedRow& row);
void PackIQ1_S(const std::byte* src, int64_t cols, const PackedRow& row);
void PackIQ1_M(const std::byte* src, int64_t cols, const PackedRow& row);

}  // namespace rocforge::gpu
