// How drivers share work among the team, and how they cut scratch.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/thread_pool.h"
#include "kernels/cpu/kernels.h"

namespace rocforge::cpu::common {

// Waking the team and waiting for it costs a few microseconds, the time in which one thread handles
// about this many floats of a simple op. Smaller ops run on the caller alone.
inline constexpr int64_t kSerialElements = 16 * 1024;

// Calls body(begin, end) over pieces of [0, n_rows) rows of `cols` floats each.
template <typename F>
void ForRows(const Context& context, int64_t n_rows, int64_t cols, F&& body) {
  const int64_t grain = (kSerialElements + cols - 1) / std::max<int64_t>(cols, 1);
  context.pool->ParallelFor(n_rows, grain, body);
}

// Calls body(member, item) for every item in [0, n), members taking the next one as they finish; in
// order on the caller (member 0) if `serial`.
template <typename F>
void ForItems(const Context& context, int64_t n, bool serial, F&& body) {
  if (serial || n <= 1 || context.pool->size() == 1) {
    for (int64_t item = 0; item < n; ++item) body(0, item);
    return;
  }
  std::atomic<int64_t> next{0};
  context.pool->Run([&](int member) {
    for (int64_t item = next.fetch_add(1, std::memory_order_relaxed); item < n;
         item = next.fetch_add(1, std::memory_order_relaxed)) {
      body(member, item);
    }
  });
}

inline constexpr int64_t kScratchAlign = 64;

constexpr int64_t AlignUp(int64_t bytes) {
  return (bytes + kScratchAlign - 1) / kScratchAlign * kScratchAlign;
}

// Hands out aligned pieces of a scratch area one after the other. With a null start it only counts.
class ScratchCutter {
 public:
  explicit ScratchCutter(std::byte* start) : start_(start) {}

  template <typename T>
  T* Take(int64_t count) {
    std::byte* piece = start_ == nullptr ? nullptr : start_ + used_;
    used_ += AlignUp(count * static_cast<int64_t>(sizeof(T)));
    return reinterpret_cast<T*>(piece);
  }

  int64_t used_bytes() const { return used_; }

 private:
  std::byte* start_;
  int64_t used_ = 0;
};

}  // namespace rocforge::cpu::common
