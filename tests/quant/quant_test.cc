#include "quant/quant.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "tests/testing.h"

namespace rocforge::quant {
namespace {

// Element types that hold no model weights: integers and doubles, and the formats that ggml's CPU
// code uses for activations.
const std::set<DType> kNotWeights = {DType::kI8,  DType::kI16,  DType::kI32, DType::kI64,
                                     DType::kF64, DType::kQ8_1, DType::kQ8_K};

bool SameBits(float a, float b) { return std::memcmp(&a, &b, sizeof(a)) == 0; }

TEST(Decode, EveryGoldenBlockIsBitExact) {
  ROCFORGE_REQUIRE_TESTDATA(index_path, "quant/index.json");
  const auto index = nlohmann::json::parse(testing::ReadFileOrFail(index_path));
  std::set<DType> seen;
  for (const auto& entry : index) {
    const std::string name = entry["type"];
    SCOPED_TRACE(name);
    const auto type = ParseDType(name);
    ASSERT_OK(type);
    seen.insert(*type);
    EXPECT_EQ(Info(*type).block_elements, entry["block_elements"].get<int>());
    EXPECT_EQ(Info(*type).block_bytes, entry["block_bytes"].get<int>());
    const std::string folder = "quant/";
    const std::string blocks = testing::ReadFileOrFail(
        testing::TestData(folder + entry["blocks_file"].get<std::string>()));
    const std::vector<float> expected = testing::ReadFloatsOrFail(
        testing::TestData(folder + entry["values_file"].get<std::string>()));
    ASSERT_EQ(RowBytes(*type, static_cast<int64_t>(expected.size())).value(),
              static_cast<int64_t>(blocks.size()));
    std::vector<float> got(expected.size(), -1.0f);
    ASSERT_OK(DecodeRow(*type, reinterpret_cast<const std::byte*>(blocks.data()), got));
    for (size_t i = 0; i < got.size(); ++i) {
      ASSERT_TRUE(SameBits(got[i], expected[i]))
          << "element " << i << ": " << got[i] << ", expected " << expected[i];
    }
  }
  for (const DTypeInfo& info : AllDTypes()) {
    if (info.type == DType::kF32 || kNotWeights.contains(info.type)) continue;
    EXPECT_TRUE(seen.contains(info.type)) << "no golden blocks for " << info.name;
  }
}

TEST(Decode, EveryTypeIsDecidedUpon) {
  for (const DTypeInfo& info : AllDTypes()) {
    EXPECT_EQ(CanDecode(info.type), !kNotWeights.contains(info.type)) << info.name;
    EXPECT_EQ(Decoder(info.type) != nullptr, CanDecode(info.type)) << info.name;
    EXPECT_TRUE(CanDecode(info.type) || !CanEncode(info.type)) << info.name;
  }
}

TEST(Decode, UnalignedBlocksAndPartOfARow) {
  for (const DTypeInfo& info : AllDTypes()) {
    if (!CanDecode(info.type)) continue;
    SCOPED_TRACE(info.name);
    const auto block_bytes = static_cast<size_t>(info.block_bytes);
    const auto elements = static_cast<size_t>(info.block_elements);
    std::vector<std::byte> aligned(3 * block_bytes);
    for (size_t i = 0; i < aligned.size(); ++i) aligned[i] = static_cast<std::byte>(i * 37 + 11);
    std::vector<std::byte> shifted(aligned.size() + 1);
    std::memcpy(shifted.data() + 1, aligned.data(), aligned.size());
    std::vector<float> whole(3 * elements);
    std::vector<float> part(elements);
    ASSERT_OK(DecodeRow(info.type, aligned.data(), whole));
    ASSERT_OK(DecodeRow(info.type, shifted.data() + 1 + block_bytes, part));
    EXPECT_EQ(std::memcmp(part.data(), whole.data() + elements, elements * sizeof(float)), 0);
  }
}

TEST(Decode, BadRequests) {
  std::vector<float> out(100);
  std::vector<std::byte> blocks(1000);
  EXPECT_EQ(DecodeRow(DType::kQ4_K, blocks.data(), out).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(DecodeRow(DType::kI32, blocks.data(), out).code(), StatusCode::kUnsupported);
  EXPECT_EQ(DecodeRow(DType::kQ8_K, blocks.data(), out).code(), StatusCode::kUnsupported);
  EXPECT_OK(DecodeRow(DType::kQ4_K, nullptr, {}));
}

}  // namespace
}  // namespace rocforge::quant
