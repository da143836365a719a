// Arguments of the matrix-vector kernels (op.h: MatMul and MoeMatMul).
#pragma once

#include "kernels/gpu/ops/weight_args.h"

namespace rocforge::gpu {

inline constexpr uint32_t kMaxMatvecWeights = 3;
inline constexpr uint32_t kMaxMatvecUnits = 512;  // of a row of x that a block quantises itself
inline constexpr uint32_t kMaxMatvecColumns = 8;  // rows of x in one launch of the _many kernels

// y_i[r, :] = x[r / rows_per_x, :] W_i^T + b_i for weights of one type that read the same x; with
// glu the single output act(y_0) * y_1; with residual y = residual + out_scale * y_0. Weights that
// are not there have no rows.
struct MatvecArgs {
  Weight weight[kMaxMatvecWeights];
  const float* bias[kMaxMatvecWeights];  // [n_i], with ids [n_experts, n_i]; or null
  float* out[kMaxMatvecWeights];         // [n_rows, n_i]
  const float* x;                        // [*, cols]; not read by the _many kernels
  uint8_t* quantised_x;                  // the same by quantize_rows; read by the _many kernels
  const float* residual;                 // [n_rows, n_0] or null; may be out[0]
  const int32_t* ids;                    // the expert of each row of the output, or null
  uint32_t cols;
  uint32_t n_rows;      // of the output
  uint32_t rows_per_x;  // rows of the output that share a row of x: 1, or the experts of a token
  uint32_t glu;         // an op::GluKind, 0 none
  float alpha;
  float limit;
  float out_scale;
  // x is what an RMS norm over all columns takes, and the product is with what it gives: only the
  // kernels of one row that quantise x themselves, without experts. Null: x is taken as it is.
  const float* norm_weight;  // [cols]
  float norm_eps;
};

// Products of two types of weights with the same x in one launch: blocks [0, first_blocks) take
// `first`, the others `second`.
struct MatvecPairArgs {
  MatvecArgs first;
  MatvecArgs second;
  uint32_t first_blocks;
};

// The _ring kernels of float weights: x, then a ring of stages for each wave, then what says that
// they have arrived. No experts.
struct MatvecRingArgs {
  MatvecArgs matvec;
  uint32_t stages;  // of a wave
};
inline constexpr uint32_t kMostRingWaves = 16;
inline constexpr uint32_t kMostRingStages = 4;
inline constexpr uint32_t kRingStageBytes = 2048;
inline constexpr uint32_t kRingPhaseBytes = 1024;
// Shared memory of a block: more than half of what a multiprocessor of sm_90 has. Two blocks of a
// launch on one would leave another multiprocessor without.
inline constexpr uint32_t kRingSharedBytes = 118 * 1024;

}  // namespace rocforge::gpu
