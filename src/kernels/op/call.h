// One op with its operands bound: what a kernel receives.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/op/op.h"
#include "kernels/op/step.h"
#include "tensor/dtype.h"

namespace rocforge::op {

// A packed row-major array [outer, rows, cols]; outer is 1 except for stacks of experts.
struct TensorDesc {
  DType dtype = DType::kF32;
  int64_t outer = 1;
  int64_t rows = 0;
  int64_t cols = 0;

  int64_t row_bytes() const { return cols / Info(dtype).block_elements * Info(dtype).block_bytes; }
  int64_t bytes() const { return outer * rows * row_bytes(); }
};

// Memory belongs to the executor (activations) or to the mapped file (weights; never written).
struct Operand {
  TensorDesc desc;
  void* data = nullptr;

  const float* f32() const { return static_cast<const float*>(data); }
  float* f32_out() const { return static_cast<float*>(data); }
  const int32_t* i32() const { return static_cast<const int32_t*>(data); }
  int32_t* i32_out() const { return static_cast<int32_t*>(data); }
  const std::byte* bytes() const { return static_cast<const std::byte*>(data); }
};

// Operands in the order that op.h lists. `kv` is the layer of a KvAppend, RopeKvAppend or
// Attention, else null.
struct Call {
  const Params* params = nullptr;
  std::span<const Operand> in;
  std::span<const Operand> out;
  const Step* step = nullptr;
  const KvLayer* kv = nullptr;
};

}  // namespace rocforge::op
