// A step of one sequence whose pages are the first ones, in order: what tuning measures and the
// self-check compares.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/op/step.h"

namespace rocforge::exec {

// Not movable: the step points into it.
class OneSequence {
 public:
  // Tokens [first, first + count) of the sequence; logits of the last one. Any tokens below
  // n_vocab do; these are spread over the vocabulary.
  OneSequence(int32_t first, int32_t count, int64_t n_vocab, int32_t page_table_stride)
      : page_table_(static_cast<size_t>(page_table_stride)) {
    for (int32_t i = 0; i < page_table_stride; ++i) page_table_[static_cast<size_t>(i)] = i;
    for (int32_t i = 0; i < count; ++i) {
      tokens_.push_back(static_cast<int32_t>((int64_t{first + i} * 7919 + 13) % n_vocab));
      positions_.push_back(first + i);
    }
    seq_begin_[1] = count;
    kv_len_ = first + count;
    output_row_ = count - 1;
    // The pages are in order, so a token's slot is its position.
    step_ = {count,
             1,
             1,
             tokens_.data(),
             positions_.data(),
             seq_begin_,
             &kv_len_,
             page_table_.data(),
             page_table_stride,
             positions_.data(),
             &output_row_};
  }
  OneSequence(const OneSequence&) = delete;
  OneSequence& operator=(const OneSequence&) = delete;

  const op::Step& step() const { return step_; }

 private:
  std::vector<int32_t> tokens_, positions_, page_table_;
  int32_t seq_begin_[2] = {0, 0};
  int32_t kv_len_ = 0;
  int32_t output_row_ = 0;
  op::Step step_;
};

}  // namespace rocforge::exec
