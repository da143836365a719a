// Lays the tokens of a step out in the arrays that the kernels read. All memory is taken once.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/op/step.h"
#include "kv/page_pool.h"

namespace rocforge::engine {

class StepBuilder {
 public:
  // Room for steps of max_tokens tokens from max_sequences sequences of at most max_pages pages
  // each.
  StepBuilder(int32_t max_tokens, int32_t max_sequences, int32_t max_pages);

  void Begin();
  // Appends `tokens` of a sequence whose pages were already extended by them. Wants logits of the
  // last n_outputs tokens.
  void Add(const kv::SequencePages& pages, std::span<const int32_t> tokens, int32_t n_outputs);
  // Valid until the next Begin.
  const op::Step& Finish();

 private:
  int32_t max_pages_;
  std::vector<int32_t> token_ids_, positions_, seq_begin_, kv_len_, page_table_, kv_slots_,
      output_rows_;
  op::Step step_;
};

}  // namespace rocforge::engine
