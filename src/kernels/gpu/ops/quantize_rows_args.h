// Arguments of the kernel that quantises rows of activations.
#pragma once

#include <stdint.h>

namespace rocforge::gpu {

inline constexpr uint32_t kOct = 8;  // elements that a thread rounds at once

// Bytes from one quantised row to the next, for `cols` columns (a multiple of 32); the layout is in
// ops/quantize_rows.h.
constexpr uint64_t QuantisedRowBytes(uint64_t cols) { return (cols / 32 * 40 + 15) / 16 * 16; }

struct QuantizeRowsArgs {
  const float* x;  // [n_rows, cols]
  uint8_t* out;    // n_rows of QuantisedRowBytes(cols), 16-byte aligned
  uint32_t cols;
  uint32_t half_sums;  // not 0: sums of halves
};

}  // namespace rocforge::gpu
