// Arguments of the embedding kernel.
#pragma once

#include "kernels/gpu/ops/weight_args.h"

namespace rocforge::gpu {

struct EmbedRowsArgs {
  Weight table;
  const int32_t* ids;  // [n_tokens]
  float* y;            // [n_tokens, cols]
  uint32_t cols;
  float scale;
};

}  // namespace rocforge::gpu
