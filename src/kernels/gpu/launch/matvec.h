// What the launchers of MatMul and MoeMatMul share: the arguments of the matrix-vector kernels and
// the binding of those kernels.
#pragma once

#include <memory>

#include "kernels/gpu/launch/bound_op.h"
#include "kernels/gpu/ops/matvec_args.h"

namespace rocforge::gpu {

// Fills weights, biases, x and outputs from operands: x is call.in[0], the weights begin at
// call.in[first], their biases follow. kUnsupported for a type that kernels cannot read.
Status FillMatvecWeights(const op::Call& call, size_t first, int32_t n_weights,
                         const bool* has_bias, MatvecArgs* args);
void FillGlu(const op::Glu& glu, MatvecArgs* args);

// Launches for any number of rows; n_rows of the arguments is set for each step.
Result<std::unique_ptr<BoundOp>> BindMatvec(const MatvecArgs& args, const RowCount& rows,
                                            const BindContext& context);

}  // namespace rocforge::gpu
