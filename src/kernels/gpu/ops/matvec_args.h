// Arguments of the matrix-vector kernels (op.h: MatMul and MoeMatMul).
#pragma once

#include "kernels/gpu/ops/weight_args.h"

namespace rocforge::gpu {

inline constexpr uint32_t kMaxMatvecWeights = 3;

// y_i[r, :] = x[r, :] W_i^T + b_i for the weights that read the same x; with glu the single output
// act(y_0) * y_1; with residual y = residual + out_scale * y_0.
struct MatvecArgs {
  Weight weight[kMaxMatvecWeights];
  const float* bias[kMaxMatvecWeights];  // [n_i], or [n_experts, n_i] with ids; or null
  float* out[kMaxMatvecWeights];         // [n_rows, n_i]
  const float* x;                        // [*, cols]
  const float* residual;                 // [n_rows, n_0] or null; may be out[0]
  const int32_t* ids;  // expert of each row of the output, or null: x row r is row r / n_used
  uint32_t n_weights;
  uint32_t cols;
  uint32_t n_rows;      // of the output
  uint32_t rows_per_x;  // output rows that share a row of x: 1, or the experts of a token
  uint32_t glu;         // an op::GluKind, 0 none
  float alpha;
  float limit;
  float out_scale;
};

}  // namespace rocforge::gpu
