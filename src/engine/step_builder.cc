#include "engine/step_builder.h"

#include <algorithm>

#include "base/check.h"

namespace rocforge::engine {

StepBuilder::StepBuilder(int32_t max_tokens, int32_t max_sequences, int32_t max_pages)
    : max_pages_(max_pages) {
  const auto tokens = static_cast<size_t>(max_tokens);
  const auto sequences = static_cast<size_t>(max_sequences);
  for (std::vector<int32_t>* v : {&token_ids_, &positions_, &kv_slots_, &output_rows_})
    v->reserve(tokens);
  seq_begin_.reserve(sequences + 1);
  kv_len_.reserve(sequences);
  page_table_.resize(sequences * static_cast<size_t>(max_pages));
}

void StepBuilder::Begin() {
  for (std::vector<int32_t>* v :
       {&token_ids_, &positions_, &kv_slots_, &output_rows_, &seq_begin_, &kv_len_})
    v->clear();
  seq_begin_.push_back(0);
}

void StepBuilder::Add(const kv::SequencePages& pages, std::span<const int32_t> tokens,
                      int32_t n_outputs) {
  const auto n = static_cast<int32_t>(tokens.size());
  ROCFORGE_CHECK(token_ids_.size() + tokens.size() <= token_ids_.capacity() &&
                 kv_len_.size() < kv_len_.capacity());
  const int32_t first = pages.length() - n;
  const auto begin = static_cast<int32_t>(token_ids_.size());
  for (int32_t i = 0; i < n; ++i) {
    token_ids_.push_back(tokens[static_cast<size_t>(i)]);
    positions_.push_back(first + i);
    kv_slots_.push_back(pages.Slot(first + i));
    if (i >= n - n_outputs) output_rows_.push_back(begin + i);
  }
  std::copy(pages.pages().begin(), pages.pages().end(),
            page_table_.begin() + static_cast<std::ptrdiff_t>(kv_len_.size()) * max_pages_);
  kv_len_.push_back(pages.length());
  seq_begin_.push_back(begin + n);
}

const op::Step& StepBuilder::Finish() {
  step_.n_tokens = static_cast<int32_t>(token_ids_.size());
  step_.n_seqs = static_cast<int32_t>(kv_len_.size());
  step_.n_outputs = static_cast<int32_t>(output_rows_.size());
  step_.token_ids = token_ids_.data();
  step_.positions = positions_.data();
  step_.seq_begin = seq_begin_.data();
  step_.kv_len = kv_len_.data();
  step_.page_table = page_table_.data();
  step_.page_table_stride = max_pages_;
  step_.kv_slots = kv_slots_.data();
  step_.output_rows = output_rows_.data();
  return step_;
}

}  // namespace rocforge::engine
