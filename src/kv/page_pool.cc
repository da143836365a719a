#include "kv/page_pool.h"

#include <algorithm>

#include "base/check.h"
#include "base/format.h"

namespace rocforge::kv {

PagePool::PagePool(int32_t n_pages) : references_(static_cast<size_t>(n_pages)) {
  free_.reserve(static_cast<size_t>(n_pages));
  for (int32_t page = n_pages - 1; page >= 0; --page)
    free_.push_back(page);  // page 0 is handed out first
}

Result<int32_t> PagePool::Allocate() {
  if (free_.empty()) return ResourceExhausted(Format("all {} KV pages are in use", n_pages()));
  const int32_t page = free_.back();
  free_.pop_back();
  references_[static_cast<size_t>(page)] = 1;
  return page;
}

void PagePool::Retain(int32_t page) {
  ROCFORGE_CHECK(references(page) > 0);
  ++references_[static_cast<size_t>(page)];
}

void PagePool::Release(int32_t page) {
  ROCFORGE_CHECK(references(page) > 0);
  if (--references_[static_cast<size_t>(page)] == 0) free_.push_back(page);
}

SequencePages::SequencePages(PagePool* pool, int32_t page_size, int32_t max_tokens)
    : pool_(pool), page_size_(page_size), max_tokens_(max_tokens) {
  ROCFORGE_CHECK(page_size > 0 && max_tokens > 0);
  pages_.reserve(static_cast<size_t>((max_tokens + page_size - 1) / page_size));
}

Status SequencePages::Extend(int32_t n) {
  ROCFORGE_CHECK(n >= 0);
  if (n > max_tokens_ - length_) {
    return ResourceExhausted(
        Format("the context of {} tokens is full: {} are in use and {} more do not fit",
               max_tokens_, length_, n));
  }
  if (n > 0 && length_ % page_size_ != 0 && pool_->references(pages_.back()) > 1) {
    return FailedPrecondition("the last KV page of the sequence is shared");
  }
  const int32_t needed =
      (length_ + n + page_size_ - 1) / page_size_ - static_cast<int32_t>(pages_.size());
  if (needed > pool_->n_free()) {
    return ResourceExhausted(Format("{} KV pages are needed and {} of {} are free", needed,
                                    pool_->n_free(), pool_->n_pages()));
  }
  for (int32_t i = 0; i < needed; ++i) {
    const Result<int32_t> page = pool_->Allocate();
    ROCFORGE_CHECK(page.ok());  // counted above
    pages_.push_back(*page);
  }
  length_ += n;
  return {};
}

void SequencePages::Truncate(int32_t length) {
  ROCFORGE_CHECK(length >= 0 && length <= length_);
  const auto kept = static_cast<size_t>((length + page_size_ - 1) / page_size_);
  while (pages_.size() > kept) {
    pool_->Release(pages_.back());
    pages_.pop_back();
  }
  length_ = length;
}

Status SequencePages::Share(const SequencePages& source, int32_t length) {
  if (length_ != 0) return FailedPrecondition("only an empty sequence can share a prefix");
  if (source.page_size_ != page_size_ || source.pool_ != pool_ || length < 0 ||
      length > source.length_ || length > max_tokens_ || length % page_size_ != 0) {
    return InvalidArgument(Format(
        "a prefix of {} tokens cannot be shared: whole pages of {} tokens of the same pool can",
        length, page_size_));
  }
  for (int32_t i = 0; i < length / page_size_; ++i) {
    pool_->Retain(source.pages_[static_cast<size_t>(i)]);
    pages_.push_back(source.pages_[static_cast<size_t>(i)]);
  }
  length_ = length;
  return {};
}

}  // namespace rocforge::kv
