// The loop over blocks that all encoders share (internal to quant/).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "quant/block.h"

namespace rocforge::quant {

// Weights of the squared errors of one block: the importance over its mean, so that no unit of
// importance can overflow, and never quite zero, so that every weight keeps a sensible value. All
// ones where the whole block has no importance.
inline void BlockErrorWeights(const float* importance, int n, float* weights) {
  double sum = 0.0;
  for (int i = 0; i < n; ++i) sum += static_cast<double>(importance[i]);
  const double mean = sum / n;
  for (int i = 0; i < n; ++i) {
    weights[i] =
        mean > 0.0 ? static_cast<float>(static_cast<double>(importance[i]) / mean) + 1e-4f : 1.0f;
  }
}

// Writes n / Block::kElements blocks. encode(x, w, weighted) makes the block of kElements values x
// with error weights w.
template <typename Block>
void EncodeBlocks(const float* in, const float* importance, int64_t n, std::byte* blocks,
                  Block (*encode)(const float* x, const float* w, bool weighted)) {
  constexpr int kElements = Block::kElements;
  float weights[kElements];
  std::fill(weights, weights + kElements, 1.0f);
  for (int64_t i = 0; i < n / kElements; ++i) {
    if (importance != nullptr) BlockErrorWeights(importance + i * kElements, kElements, weights);
    StoreBlock(encode(in + i * kElements, weights, importance != nullptr), blocks, i);
  }
}

}  // namespace rocforge::quant
