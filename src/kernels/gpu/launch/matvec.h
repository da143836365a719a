// What the launchers of MatMul and MoeMatMul share: the binding of the matrix-vector kernels.
#pragma once

#include <cstdint>
#include <memory>

#include "kernels/gpu/launch/bound_op.h"
#include "kernels/op/op.h"

namespace rocforge::gpu {

// A product as both ops have it. x is call.in[0], the weights begin at call.in[first_weight] and
// their biases follow.
struct MatvecCall {
  const op::Call* call = nullptr;
  size_t first_weight = 1;
  int32_t n_weights = 1;
  const bool* has_bias = nullptr;  // [n_weights]
  op::Glu glu{op::GluKind::kNone};
  const float* residual = nullptr;
  float out_scale = 1.0f;
  bool experts = false;
  const int32_t* ids = nullptr;  // with experts: that of each row of the output
  int32_t rows_per_x = 1;
};

// Launches for any number of rows: one row by the kernels that quantise x themselves, more by
// groups of eight. Weights of one type share a launch. kUnsupported for a type that kernels cannot
// read, and for experts with more than 16384 columns.
Result<std::unique_ptr<BoundOp>> BindMatvec(const MatvecCall& product, const RowCount& rows,
                                            const BindContext& context);
// Scratch for the rows of the call's descriptions.
int64_t MatvecScratchBytes(const MatvecCall& product);

}  // namespace rocforge::gpu
