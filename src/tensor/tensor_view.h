// A typed, shaped view of memory owned by someone else. No arithmetic.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace rocforge {

// Rows are packed: row r starts at data + r * RowBytes(dtype, shape.row_elements()).
struct TensorView {
  DType dtype = DType::kF32;
  Shape shape;
  const std::byte* data = nullptr;
};

}  // namespace rocforge
