// Arguments of the elementwise kernels: add, scale, soft_cap, glu, embed_rows, gather_rows,
// moe_combine.
#pragma once

#include <stdint.h>

namespace rocforge::gpu {

struct AddArgs {
  const float* a;
  const float* b;
  float* y;  // a + scale_b * b; may be a or b
  uint64_t n;
  float scale_b;
};

struct ScaleArgs {
  const float* x;
  float* y;  // may be x
  uint64_t n;
  float scale;
};

// The numbers of op::GluKind.
struct GluArgs {
  const float* gate;
  const float* up;
  float* y;  // may be gate or up
  uint64_t n;
  uint32_t kind;
  float alpha;
  float limit;
};

// y[r, :] = x[rows[r], :]
struct GatherRowsArgs {
  const float* x;       // [*, cols]
  const int32_t* rows;  // [n_rows]
  float* y;             // [n_rows, cols]
  uint32_t cols;
};

// y[t, :] = sum_e weights[t, e] * x[t * n_used + e, :]
struct MoeCombineArgs {
  const float* x;
  const float* weights;
  float* y;
  uint32_t cols;
  uint32_t n_used;
};

}  // namespace rocforge::gpu
