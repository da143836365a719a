// Arguments of the rotary embedding kernels.
#pragma once

#include <stdint.h>

#include "kernels/gpu/ops/kv_cache_args.h"

namespace rocforge::gpu {

// table[t, 2 j], table[t, 2 j + 1] = cos, sin of positions[t] in dimension pair j, times magnitude.
// angle = pos * inverse_frequency[j], where the host has folded in base, factors, scaling and
// YaRN's mix.
struct RopeTableArgs {
  const int32_t* positions;        // [n_tokens]
  const float* inverse_frequency;  // [rope_dim / 2, 2]: a float and the rest of the exact value
  float* table;                    // [n_tokens, rope_dim]
  uint32_t n_tokens;
  uint32_t rope_dim;
  float magnitude;
};

inline constexpr uint32_t kRopeHeads = 8;  // of a block of rope_kv_heads

// Rotates queries and, where k is set, keys, and appends keys and values to their pages.
struct RopeKvArgs {
  const float* q;        // [n_tokens, n_heads * head_dim] or null
  float* q_out;          // may be q
  const float* k;        // [n_tokens, n_kv_heads * head_dim] or null
  const float* v;        // [n_tokens, n_kv_heads * head_dim_v] or null
  const float* table;    // [n_tokens, rope_dim]; null: no rotation
  const int32_t* slots;  // [n_tokens]
  uint8_t* k_pages;      // [n_pages, n_kv_heads] planes
  uint8_t* v_pages;      // the same
  uint32_t n_heads;
  uint32_t n_kv_heads;
  uint32_t head_dim;
  uint32_t head_dim_v;
  uint32_t rope_dim;
  uint32_t neox;  // 1: pairs (j, j + rope_dim / 2); 0: (2 j, 2 j + 1)
  uint32_t page_size;
  uint32_t cache_type;  // kCacheF32, ...
  CachePlane k_plane;
  CachePlane v_plane;
};

}  // namespace rocforge::gpu
