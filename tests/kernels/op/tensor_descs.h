// Shapes of tensors for tests of ops.
#pragma once

#include <cstdint>

#include "kernels/op/call.h"

namespace rocforge::op {

inline TensorDesc F32(int64_t rows, int64_t cols) { return {DType::kF32, 1, rows, cols}; }

}  // namespace rocforge::op
