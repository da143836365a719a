#include "kernels/op/kv_page.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace rocforge::op {
namespace {

constexpr DType kTypes[] = {DType::kF32, DType::kF16, DType::kQ8_0};

TEST(KvPage, BytesOfAPlane) {
  EXPECT_EQ(KvPlaneBytes(DType::kF32, 32, 128), 4 * 32 * 128);
  EXPECT_EQ(KvPlaneBytes(DType::kF16, 32, 128), 2 * 32 * 128);
  EXPECT_EQ(KvPlaneBytes(DType::kQ8_0, 32, 128), 32 * 128 + 32 * 4 * 2);  // 1.0625 an element
  EXPECT_EQ(KvPlaneBytes(DType::kQ8_0, 32, 72), 32 * 72 + 32 * 3 * 2);
  EXPECT_EQ(KvPlaneBytes(DType::kQ8_0, 3, 5), 16 + 16);  // whole units of 16 bytes
  EXPECT_EQ(KvRowBytes(DType::kQ8_0, 33), 33 + 4);
  const KvLayer kv{.dtype = DType::kF16, .page_size = 32, .n_kv_heads = 8};
  EXPECT_EQ(KvPlaneOffset(kv, 2, 3, 64), (2 * 8 + 3) * 2 * 32 * 64);
}

// Every position is written apart from the others, and nothing beyond the plane.
TEST(KvPage, PositionsDoNotTouchEachOther) {
  for (const DType type : kTypes) {
    for (const int64_t dim : {1, 7, 32, 33, 64, 80}) {
      constexpr int64_t kPageSize = 5;
      const auto bytes = static_cast<size_t>(KvPlaneBytes(type, kPageSize, dim));
      std::vector<std::byte> plane(bytes + 16, std::byte{0x5A});
      std::vector<float> row(static_cast<size_t>(dim));
      for (int64_t offset : {3, 0, 4, 1, 2}) {
        std::fill(row.begin(), row.end(), static_cast<float>(offset + 1));
        EncodeKvRow(type, row.data(), dim, kPageSize, offset, plane.data());
      }
      for (int64_t offset = 0; offset < kPageSize; ++offset) {
        for (int64_t i = 0; i < dim; ++i) {
          const float got = KvElement(type, plane.data(), kPageSize, dim, offset, i);
          EXPECT_NEAR(got, static_cast<float>(offset + 1), 5 * 0x1p-11) << Name(type) << dim;
        }
      }
      for (size_t i = bytes; i < plane.size(); ++i) EXPECT_EQ(plane[i], std::byte{0x5A});
    }
  }
}

// What the contract promises, for numbers of all sizes.
TEST(KvPage, Q8IsOffByHalfAStepAtMost) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  constexpr int64_t kDim = 2 * kKvBlock + 9;
  std::vector<float> x(kDim);
  std::vector<std::byte> plane(static_cast<size_t>(KvPlaneBytes(DType::kQ8_0, 1, kDim)));
  for (int exponent = -40; exponent <= 20; ++exponent) {
    for (float& v : x) v = std::ldexp(normal(random), exponent);
    EncodeKvRow(DType::kQ8_0, x.data(), kDim, 1, 0, plane.data());
    for (int64_t i = 0; i < kDim; ++i) {
      const auto begin = x.begin() + i / kKvBlock * kKvBlock;
      const auto end = std::min(begin + kKvBlock, x.end());
      const float most = std::abs(*std::max_element(
          begin, end, [](float a, float b) { return std::abs(a) < std::abs(b); }));
      const float error = std::abs(KvElement(DType::kQ8_0, plane.data(), 1, kDim, 0, i) -
                                   x[static_cast<size_t>(i)]);
      // Half a step, whose scale is an f16, normal or subnormal.
      const float half_step = most / 254 * (1 + 0x1p-10f) + 0x1p-26f;
      EXPECT_LE(error, std::max(half_step, 0x1p-18f)) << exponent << " " << i;
    }
  }
}

TEST(KvPage, BrokenNumbersStayBroken) {
  for (const float bad :
       {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN(), 1e30f}) {
    for (const DType type : {DType::kF16, DType::kQ8_0}) {
      std::vector<float> x(40, 1.0f);
      x[3] = bad;
      std::vector<std::byte> plane(static_cast<size_t>(KvPlaneBytes(type, 1, 40)));
      EncodeKvRow(type, x.data(), 40, 1, 0, plane.data());
      EXPECT_FALSE(std::isfinite(KvElement(type, plane.data(), 1, 40, 0, 3))) << Name(type) << bad;
      EXPECT_NEAR(KvElement(type, plane.data(), 1, 40, 0, 32), 1.0f, 0x1p-11f);
    }
  }
}

}  // namespace
}  // namespace rocforge::op
