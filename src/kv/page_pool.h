// Pages of the KV cache as integers: who holds which page. No memory, no tensors.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "rocforge/status.h"

namespace rocforge::kv {

// A fixed number of pages with reference counts; a page returns to the free list when its last
// holder releases it. Equal prefixes are shared by retaining the same pages. Not thread-safe: the
// scheduler owns it.
class PagePool {
 public:
  explicit PagePool(int32_t n_pages);

  int32_t n_pages() const { return static_cast<int32_t>(references_.size()); }
  int32_t n_free() const { return static_cast<int32_t>(free_.size()); }
  int32_t references(int32_t page) const { return references_[static_cast<size_t>(page)]; }

  // A free page with one reference. kResourceExhausted with the numbers when there is none. Never
  // allocates memory.
  Result<int32_t> Allocate();
  // One more holder of a page in use.
  void Retain(int32_t page);
  // One holder fewer. Never allocates memory.
  void Release(int32_t page);

 private:
  std::vector<int32_t> references_;
  std::vector<int32_t> free_;
};

// The page table of one sequence: positions [i * page_size, (i + 1) * page_size) are in pages()[i].
// Holds one reference to each of its pages; Clear() (or Truncate(0)) must run before it is dropped.
class SequencePages {
 public:
  // max_tokens bounds Extend, so that the table never grows after construction.
  SequencePages(PagePool* pool, int32_t page_size, int32_t max_tokens);

  int32_t length() const { return length_; }
  int32_t max_tokens() const { return max_tokens_; }
  std::span<const int32_t> pages() const { return pages_; }

  // Makes room for n more tokens: allocates pages as needed, and copies nothing: the last page must
  // not be shared (kFailedPrecondition). All or nothing: kResourceExhausted leaves the sequence as
  // it was.
  Status Extend(int32_t n);
  // Forgets the positions from `length` on and releases pages that became empty. length in [0,
  // length()].
  void Truncate(int32_t length);
  void Clear() { Truncate(0); }
  // Shares the first `length` tokens of `source` (full pages only: length must be a multiple of the
  // page size, and this sequence empty).
  Status Share(const SequencePages& source, int32_t length);

  // page * page_size + offset of a position in [0, length()).
  int32_t Slot(int32_t position) const {
    return pages_[static_cast<size_t>(position / page_size_)] * page_size_ + position % page_size_;
  }

 private:
  PagePool* pool_;
  int32_t page_size_;
  int32_t max_tokens_;
  int32_t length_ = 0;
  std::vector<int32_t> pages_;
};

}  // namespace rocforge::kv
