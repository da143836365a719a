// Arguments of the norm kernels.
#pragma once

#include <stdint.h>

namespace rocforge::gpu {

struct NormArgs {
  const float* x;       // [n_groups, group]
  const float* weight;  // [group] or null
  const float* bias;    // [group] or null
  float* y;             // like x; may be x
  uint32_t group;
  float eps;
};

}  // namespace rocforge::gpu
