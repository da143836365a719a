#include "tensor/dtype.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/testing.h"

namespace rocforge {
namespace {

TEST(DType, NamesAndIdsAreUniqueAndRoundTrip) {
  std::set<std::string_view> names;
  std::set<uint32_t> ids;
  for (const DTypeInfo& info : AllDTypes()) {
    EXPECT_TRUE(names.insert(info.name).second) << info.name;
    EXPECT_TRUE(ids.insert(static_cast<uint32_t>(info.type)).second) << info.name;
    const auto parsed = ParseDType(info.name);
    ASSERT_OK(parsed);
    EXPECT_EQ(*parsed, info.type);
    const auto by_id = DTypeFromId(static_cast<uint32_t>(info.type));
    ASSERT_OK(by_id);
    EXPECT_EQ(*by_id, info.type);
  }
  EXPECT_OK(ParseDType("q4_k"));
  EXPECT_FALSE(ParseDType("q4").ok());
  EXPECT_FALSE(DTypeFromId(4).ok());  // Q4_2 was removed from GGUF
  EXPECT_FALSE(DTypeFromId(1u << 31).ok());
}

TEST(DType, RowBytes) {
  EXPECT_EQ(RowBytes(DType::kQ4_K, 512).value(), 288);
  EXPECT_EQ(RowBytes(DType::kF32, 3).value(), 12);
  EXPECT_FALSE(RowBytes(DType::kQ4_K, 100).ok());
  EXPECT_FALSE(RowBytes(DType::kF32, -1).ok());
  EXPECT_FALSE(RowBytes(DType::kF64, INT64_MAX).ok());
}

}  // namespace
}  // namespace rocforge
