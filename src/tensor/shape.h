// Shapes are row-major: the last dimension is contiguous. GGUF lists dimensions the other way round
// (ne[0] is contiguous), so gguf/ reverses them once at the border: a matrix from n_in to n_out is
// [n_out, n_in] everywhere.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>

#include "base/check.h"

namespace rocforge {

// One to four non-negative dimensions, by value.
class Shape {
 public:
  static constexpr int kMaxRank = 4;

  Shape() = default;  // rank 0: a scalar of one element
  Shape(std::initializer_list<int64_t> dims) {
    ROCFORGE_CHECK(dims.size() <= kMaxRank);
    for (int64_t d : dims) dims_[rank_++] = d;
  }

  int rank() const { return rank_; }
  // dim(-1) is the last, contiguous one.
  int64_t dim(int i) const { return dims_[i < 0 ? rank_ + i : i]; }
  void Append(int64_t d) {
    ROCFORGE_CHECK(rank_ < kMaxRank);
    dims_[rank_++] = d;
  }

  // Product of all dimensions.
  int64_t elements() const {
    int64_t n = 1;
    for (int i = 0; i < rank_; ++i) n *= dims_[i];
    return n;
  }
  // Product of all but the last.
  int64_t rows() const {
    int64_t n = 1;
    for (int i = 0; i + 1 < rank_; ++i) n *= dims_[i];
    return n;
  }
  int64_t row_elements() const { return rank_ == 0 ? 1 : dims_[rank_ - 1]; }

  bool operator==(const Shape& other) const = default;

  // "[4096, 32000]"
  std::string ToString() const;

 private:
  std::array<int64_t, kMaxRank> dims_{};
  int rank_ = 0;
};

}  // namespace rocforge
