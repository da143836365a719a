// Arguments of the attention kernels.
#pragma once

#include <stdint.h>

#include "kernels/gpu/ops/kv_cache_args.h"

namespace rocforge::gpu {

struct AttentionArgs {
  const float* q;               // [n_tokens, n_heads * head_dim_k]
  const float* sinks;           // [n_heads] or null
  float* out;                   // [n_tokens, n_heads * head_dim_v]
  const uint8_t* k_pages;       // [n_pages, n_kv_heads] planes
  const uint8_t* v_pages;       // the same
  const int32_t* positions;     // [n_tokens]
  const int32_t* seq_of_token;  // [n_tokens]
  const int32_t* seq_begin;     // [n_seqs + 1]
  const int32_t* kv_len;        // [n_seqs]
  const int32_t* page_table;    // [n_seqs, page_table_stride]
  uint32_t page_table_stride;
  uint32_t n_heads;
  uint32_t n_kv_heads;
  uint32_t head_dim_k;
  uint32_t head_dim_v;
  uint32_t page_size;
  uint32_t window;      // 0: none
  uint32_t cache_type;  // kCacheF32, ...
  CachePlane k_plane;
  CachePlane v_plane;
  float scale;
  float softcap;  // 0: none
};

// Threads of a block of a decode kernel; the wide kernels have twice as many.
inline constexpr uint32_t kDecodeThreads = 128;

// Steps of loads that a decode kernel has in flight, for its rows, lanes and wave size: as many as
// registers allow, and at most 32 positions, so that they lie in one page.
constexpr uint32_t DecodeSteps(uint32_t cache_type, uint32_t rows, uint32_t lanes,
                               uint32_t wave_size) {
  if (cache_type == kCacheF32) return 2;
  return rows > 1 || 8 * wave_size / lanes > 32 ? 4 : 8;
}

inline constexpr uint32_t kMaxSplits = 64;

// Floats that a block of a split launch writes: rows of values, then the maximum and the sum of
// each; 16-byte aligned.
constexpr uint64_t DecodePartialFloats(uint32_t rows, uint32_t head_dim_v) {
  return uint64_t{rows} * (head_dim_v + 4);
}

// The decode kernels serve the sequences that have at most max_tokens tokens in the step.
struct AttentionDecodeArgs {
  AttentionArgs a;
  // Per block [gridDim.y, gridDim.x]: DecodePartialFloats.
  float* partials;
  uint32_t* counters;  // [gridDim.y, n_kv_heads * row_blocks]: 0 before and after each launch
  uint32_t n_splits;   // at most kMaxSplits; short sequences use fewer
  uint32_t row_blocks;
  uint32_t max_tokens;
  uint32_t ahead;  // rounds of the waves whose rows are asked for before they are loaded
};

// The prefill kernels serve the sequences that have at least min_tokens tokens in the step.
struct AttentionPrefillArgs {
  AttentionArgs a;
  uint32_t n_seqs;
  uint32_t min_tokens;
};

}  // namespace rocforge::gpu
