// The packed layout: sizes, rows in any order, bad calls. What the bits mean is tested by
// unit_test.cc, which reads them on a device.
#include "kernels/gpu/layout/weights.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "quant/quant.h"
#include "tests/kernels/gpu/weight_data.h"
#include "tests/testing.h"

namespace rocforge::gpu {
namespace {

TEST(WeightsTest, EveryDecodableTypeCanBePacked) {
  for (const DTypeInfo& info : AllDTypes())
    EXPECT_EQ(CanPack(info.type), quant::CanDecode(info.type)) << info.name;
}

TEST(WeightsTest, RowsPackAloneAndInAnyOrder) {
  std::mt19937 random(7);
  for (const DType type : testing::WeightTypes()) {
    const op::TensorDesc desc{type, 2, 5, testing::TestColumns(type, 515)};
    const auto src = testing::RandomWeights(type, desc.outer * desc.rows * desc.cols, random);
    std::vector<std::byte> all(static_cast<size_t>(PackedBytes(desc)), std::byte{0xAA});
    ASSERT_OK(PackRows(desc, src.data(), all.data(), 0, 10));
    std::vector<std::byte> parts(all.size(), std::byte{0x55});
    for (const int64_t row : {7, 0, 9, 3, 1, 2, 8, 4, 6, 5})
      ASSERT_OK(PackRows(desc, src.data(), parts.data(), row, row + 1));
    EXPECT_EQ(all, parts) << Name(type);
  }
}

TEST(WeightsTest, BytesStayCloseToGguf) {
  for (const DType type : testing::WeightTypes()) {
    const op::TensorDesc desc{type, 1, 3, 4096};
    const double ratio = static_cast<double>(PackedBytes(desc)) / static_cast<double>(desc.bytes());
    const double most = type == DType::kTQ1_0 ? 1.23 : 1.037;
    EXPECT_LE(ratio, most) << Name(type);
    EXPECT_GE(ratio, 1.0) << Name(type);
    const Weight w = DescribeWeight(desc, nullptr);
    EXPECT_EQ(w.row_bytes % 32, 0u);
    EXPECT_EQ(int64_t{w.row_bytes} * 3, PackedBytes(desc));
    EXPECT_EQ(w.expert_bytes, static_cast<uint64_t>(PackedBytes(desc)));
    EXPECT_EQ(w.n_units, 128u);
  }
}

TEST(WeightsTest, BadCallsAreErrors) {
  std::byte none[1] = {};
  EXPECT_EQ(PackRows({DType::kQ8_K, 1, 1, 256}, none, none, 0, 0).code(), StatusCode::kUnsupported);
  EXPECT_EQ(PackRows({DType::kQ4_K, 1, 1, 300}, none, none, 0, 0).code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(PackRows({DType::kQ4_0, 2, 3, 32}, none, none, 0, 7).code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(PackRows({DType::kQ4_0, 2, 3, 32}, none, none, 2, 1).code(),
            StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace rocforge::gpu
