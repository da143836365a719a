// Arguments of moe_route. Same meaning as op::MoeRoute.
#pragma once

#include <stdint.h>

namespace rocforge::gpu {

inline constexpr uint32_t kMoeRouteMaxExperts = 1024;
inline constexpr uint32_t kMoeRouteMaxUsed = 64;

struct MoeRouteArgs {
  const float* logits;          // [n_tokens, n_experts]
  const float* selection_bias;  // [n_experts] or null
  int32_t* ids;                 // [n_tokens, n_used]
  float* weights;               // [n_tokens, n_used]
  uint32_t n_experts;
  uint32_t n_used;
  uint32_t gating;  // the numbers of op::MoeGating
  uint32_t normalise;
  float scale;
};

}  // namespace rocforge::gpu
