// Sizes and offsets in whole steps.
#pragma once

#include <cstdint>

namespace rocforge {

// The least multiple of `to` (above 0) that is not below n (from 0 on).
constexpr int64_t RoundUp(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

}  // namespace rocforge
