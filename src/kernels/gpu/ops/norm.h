// The formula that normalisation kernels share.
#pragma once

#include "kernels/gpu/port/port.h"

namespace rocforge::port {

// 1 / sqrt(mean of n squares + eps): RMS normalisation (Zhang and Sennrich 2019).
RF_DEVICE float InverseDeviation(float sum_of_squares, uint32_t n, float eps) {
  return 1.0f / __builtin_sqrtf(sum_of_squares / static_cast<float>(n) + eps);
}

}  // namespace rocforge::port
