// Memory of one template or of one rendering: handed out in order, freed all at once.
//
// Nothing in an arena has a destructor. So a value can be as deep as it likes, or point back at
// itself, and freeing it neither recurses nor leaks.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "rocforge/status.h"

namespace rocforge::text::chat {

// How parsing and rendering fail inside this folder; Template::Parse and Template::Render turn it
// into a Status, so it never leaves.
struct TemplateError {
  StatusCode code;
  std::string message;
  bool verbatim = false;  // the message is the template's own: no "line N: " before it
};

// Not thread-safe. Throws TemplateError(kResourceExhausted) when more than the limit is asked for.
class Arena {
 public:
  explicit Arena(size_t limit_bytes) : limit_bytes_(limit_bytes) {}
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  void* Allocate(size_t bytes, size_t alignment) {
    Charge(bytes);
    std::byte* at = Align(next_, alignment);
    if (next_ == nullptr || bytes > static_cast<size_t>(end_ - next_) || at > end_ - bytes) {
      AddBlock(bytes + alignment);
      at = Align(next_, alignment);
    }
    next_ = at + bytes;
    return at;
  }

  template <typename T, typename... Args>
  T* New(Args&&... args) {
    static_assert(std::is_trivially_destructible_v<T>);
    return new (Allocate(sizeof(T), alignof(T))) T{std::forward<Args>(args)...};
  }

  // Value-initialised.
  template <typename T>
  std::span<T> NewArray(size_t n) {
    static_assert(std::is_trivially_destructible_v<T>);
    if (n == 0) return {};
    if (n > remaining_bytes() / sizeof(T)) ThrowLimit();
    T* data = static_cast<T*>(Allocate(n * sizeof(T), alignof(T)));
    std::uninitialized_value_construct_n(data, n);
    return {data, n};
  }

  template <typename T>
  std::span<T> CopyArray(std::span<const T> items) {
    const std::span<T> out = NewArray<T>(items.size());
    std::copy(items.begin(), items.end(), out.begin());
    return out;
  }

  std::string_view CopyString(std::string_view s) {
    if (s.empty()) return {};
    char* data = static_cast<char*>(Allocate(s.size(), 1));
    std::memcpy(data, s.data(), s.size());
    return {data, s.size()};
  }

  // Counts bytes that live elsewhere (text being put together) against the limit.
  void Charge(size_t bytes) {
    if (bytes > remaining_bytes()) ThrowLimit();
    used_bytes_ += bytes;
  }
  // Throws when `count` things of `each_bytes` could not be allocated now; for checks before
  // building something large.
  void Require(size_t count, size_t each_bytes = 1) const {
    if (each_bytes != 0 && count > remaining_bytes() / each_bytes) ThrowLimit();
  }
  size_t remaining_bytes() const { return limit_bytes_ - used_bytes_; }

 private:
  static constexpr size_t kFirstBlockBytes = 16 << 10;
  static constexpr size_t kLargestBlockBytes = 1 << 20;

  static std::byte* Align(std::byte* p, size_t alignment) {
    const auto address = reinterpret_cast<uintptr_t>(p);
    return p + ((address + alignment - 1) / alignment * alignment - address);
  }

  void AddBlock(size_t at_least_bytes) {
    const size_t bytes = std::max(at_least_bytes, block_bytes_);
    block_bytes_ = std::min(block_bytes_ * 2, kLargestBlockBytes);
    // Not value-initialised: pages that are never used are never touched.
    blocks_.push_back(std::unique_ptr<std::byte[]>(new std::byte[bytes]));
    next_ = blocks_.back().get();
    end_ = next_ + bytes;
  }

  [[noreturn]] void ThrowLimit() const {
    throw TemplateError{
        StatusCode::kResourceExhausted,
        "the template needs more than " + std::to_string(limit_bytes_ >> 20) + " MiB of memory"};
  }

  size_t limit_bytes_;
  size_t used_bytes_ = 0;
  size_t block_bytes_ = kFirstBlockBytes;
  std::byte* next_ = nullptr;
  std::byte* end_ = nullptr;
  std::vector<std::unique_ptr<std::byte[]>> blocks_;
};

}  // namespace rocforge::text::chat
