// What one forward step works on: a ragged batch of tokens from any number of sequences, and where
// their keys and values live. Prefill, chunked prefill, decode and draft verification are all the
// same step.
#pragma once

#include <cstdint>

#include "tensor/dtype.h"

namespace rocforge::op {

// Plain arrays owned by the caller for the length of the step. Tokens of a sequence are contiguous
// and in order of their positions: sequence s has tokens [seq_begin[s], seq_begin[s + 1]), at
// positions kv_len[s] - count .. kv_len[s] - 1.
struct Step {
  int32_t n_tokens = 0;
  int32_t n_seqs = 0;
  int32_t n_outputs = 0;
  const int32_t* token_ids = nullptr;  // [n_tokens]
  const int32_t* positions = nullptr;  // [n_tokens]
  const int32_t* seq_begin = nullptr;  // [n_seqs + 1]
  const int32_t* kv_len = nullptr;     // [n_seqs] tokens in the cache once this step's are appended
  const int32_t* page_table =
      nullptr;  // [n_seqs, page_table_stride]: page that holds positions [i * page_size, ...)
  int32_t page_table_stride = 0;
  const int32_t* kv_slots =
      nullptr;  // [n_tokens]: page * page_size + offset where each token's K and V go
  const int32_t* output_rows =
      nullptr;  // [n_outputs] token rows whose logits are wanted, ascending
};

// The pages of one layer: K is [n_pages, n_kv_heads] planes of page_size positions of head_dim_k
// columns, V the same with head_dim_v. A plane's bytes are in kernels/op/kv_page.h.
struct KvLayer {
  void* k = nullptr;
  void* v = nullptr;
  DType dtype = DType::kF16;  // IsKvType
  int32_t page_size = 0;
  int32_t n_kv_heads = 0;
  int32_t head_dim_k = 0;
  int32_t head_dim_v = 0;
};

}  // namespace rocforge::op
