// Reading and writing blocks at any address, shared by the formats' sources.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace rocforge::quant {

// Block `index` of an array of blocks that need not be aligned (compilers drop the copy).
template <typename Block>
Block LoadBlock(const std::byte* blocks, int64_t index) {
  Block block;
  std::memcpy(&block, blocks + index * static_cast<int64_t>(sizeof(Block)), sizeof(Block));
  return block;
}

template <typename Block>
void StoreBlock(const Block& block, std::byte* blocks, int64_t index) {
  std::memcpy(blocks + index * static_cast<int64_t>(sizeof(Block)), &block, sizeof(Block));
}

}  // namespace rocforge::quant
