// Arguments of the attention kernels.
#pragma once

#include <stdint.h>

namespace rocforge::gpu {

struct AttentionArgs {
  const float* q;               // [n_tokens, n_heads * head_dim_k]
  const float* sinks;           // [n_heads] or null
  float* out;                   // [n_tokens, n_heads * head_dim_v]
  const void* k_pages;          // [n_pages, n_kv_heads, page_size, head_dim_k]
  const void* v_pages;          // [n_pages, n_kv_heads, page_size, head_dim_v]
  const int32_t* positions;     // [n_tokens]
  const int32_t* seq_of_token;  // [n_tokens]
  const int32_t* page_table;    // [n_seqs, page_table_stride]
  uint32_t page_table_stride;
  uint32_t n_heads;
  uint32_t n_kv_heads;
  uint32_t head_dim_k;
  uint32_t head_dim_v;
  uint32_t page_size;
  uint32_t window;      // 0: none
  uint32_t half_cache;  // 1: f16 pages, 0: f32
  float scale;
  float softcap;  // 0: none
};

}  // namespace rocforge::gpu
