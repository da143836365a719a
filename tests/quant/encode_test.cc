#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <random>

#include "base/format.h"
#include "gguf/reader.h"
#include "quant/half.h"
#include "quant/quant.h"
#include "tests/quant/encode_data.h"
#include "tests/quant/ggml_errors.h"
#include "tests/testing.h"

namespace rocforge::quant {
namespace {

using testing::kRowElements;

constexpr DType kEncoders[] = {DType::kF32,  DType::kF16,    DType::kBF16,   DType::kQ8_0,
                               DType::kQ4_0, DType::kQ4_1,   DType::kQ5_0,   DType::kQ5_1,
                               DType::kQ2_K, DType::kQ3_K,   DType::kQ4_K,   DType::kQ5_K,
                               DType::kQ6_K, DType::kIQ4_NL, DType::kIQ4_XS, DType::kMXFP4};

// What `weights`, rows of kRowElements, become after encoding; fails the test on an error.
std::vector<float> RoundTrip(DType type, const std::vector<float>& weights,
                             std::span<const float> importance, size_t row = kRowElements) {
  std::vector<float> decoded(weights.size());
  std::vector<std::byte> blocks(
      static_cast<size_t>(RowBytes(type, static_cast<int64_t>(row)).value()));
  for (size_t r = 0; r < weights.size() / row; ++r) {
    const std::span<const float> in = std::span(weights).subspan(r * row, row);
    EXPECT_OK(EncodeRow(type, in, importance, blocks.data()));
    EXPECT_OK(DecodeRow(type, blocks.data(), std::span(decoded).subspan(r * row, row)));
  }
  return decoded;
}

void ExpectNoWorseThanGgml(const testing::GgmlError& ggml, const std::vector<float>& weights) {
  const DType type = ParseDType(ggml.type).value();
  const std::vector<float> importance = testing::MakeImportance();
  const double plain =
      testing::RootMeanSquareError(weights, RoundTrip(type, weights, {}), {}, kRowElements);
  EXPECT_LE(plain, 1.02 * ggml.plain) << ggml.type << " on " << ggml.set;
  const double weighted = testing::RootMeanSquareError(
      weights, RoundTrip(type, weights, importance), importance, kRowElements);
  EXPECT_LE(weighted, 1.02 * ggml.weighted) << ggml.type << " on " << ggml.set << ", weighted";
}

TEST(Encode, ErrorsAreNoWorseThanGgmlsOnSyntheticWeights) {
  std::map<std::string, std::vector<float>> sets;
  for (const char* set : testing::kDataSets) sets[set] = testing::MakeWeights(set);
  for (const testing::GgmlError& ggml : testing::kGgmlErrors) {
    if (sets.contains(ggml.set)) ExpectNoWorseThanGgml(ggml, sets[ggml.set]);
  }
}

TEST(Encode, ErrorsAreNoWorseThanGgmlsOnARealModel) {
  ROCFORGE_REQUIRE_TESTDATA(path, "models/stories260K-f32.gguf");
  const auto file = gguf::File::Open(path);
  ASSERT_OK(file);
  std::vector<float> weights;
  for (const gguf::TensorInfo& tensor : file->tensors()) {
    if (tensor.shape.rank() != 2) continue;
    const size_t begin = weights.size();
    weights.resize(begin + static_cast<size_t>(tensor.shape.elements()));
    std::memcpy(weights.data() + begin, tensor.data.data(), tensor.data.size());
  }
  weights.resize(weights.size() / kRowElements * kRowElements);
  ASSERT_GT(weights.size(), 200000u);
  for (const testing::GgmlError& ggml : testing::kGgmlErrors) {
    if (std::string(ggml.set) == "stories260K") ExpectNoWorseThanGgml(ggml, weights);
  }
}

TEST(Encode, EveryEncoderIsCompared) {
  for (const DTypeInfo& info : AllDTypes()) {
    const bool listed = std::count(std::begin(kEncoders), std::end(kEncoders), info.type) == 1;
    EXPECT_EQ(CanEncode(info.type), listed) << info.name;
    bool compared = info.type == DType::kF32;
    for (const testing::GgmlError& ggml : testing::kGgmlErrors) {
      compared = compared || std::string(ggml.type) == info.name;
    }
    EXPECT_EQ(compared, listed) << info.name;
  }
}

TEST(Encode, ZeroRowsAreExact) {
  const std::vector<float> zeros(kRowElements);
  const std::vector<float> importance = testing::MakeImportance();
  for (const DType type : kEncoders) {
    EXPECT_EQ(RoundTrip(type, zeros, {}), zeros) << Name(type);
    EXPECT_EQ(RoundTrip(type, zeros, importance), zeros) << Name(type);
  }
}

// Weights that a format made before are given back unchanged by the formats with one scale a block,
// so that a model trained for Q4_0 stays what it is.
TEST(Encode, WeightsOnTheGridComeBackExactly) {
  std::mt19937 rng(7);
  for (const DType type : {DType::kQ4_0, DType::kQ5_0, DType::kMXFP4, DType::kF16, DType::kBF16}) {
    std::vector<float> weights(kRowElements);
    const int range = type == DType::kQ5_0 ? 31 : 15;
    for (size_t i = 0; i < weights.size(); ++i) {
      const float scale = static_cast<float>(1 + i / 32) * 0x1p-10f;
      const int level = std::uniform_int_distribution(0, range)(rng) - range / 2;
      constexpr float kFp4[15] = {-6, -4, -3, -2, -1.5, -1, -.5, 0, .5, 1, 1.5, 2, 3, 4, 6};
      weights[i] = type == DType::kMXFP4 ? 0x1p-10f * kFp4[std::clamp(level + 7, 0, 14)]
                                         : scale * static_cast<float>(level);
    }
    const std::vector<float> decoded = RoundTrip(type, weights, {});
    for (size_t i = 0; i < weights.size(); ++i) {
      ASSERT_EQ(decoded[i], weights[i]) << Name(type) << " element " << i;
    }
  }
}

TEST(Encode, ImportanceMovesTheErrorToWhereItMattersLess) {
  const std::vector<float> weights = testing::MakeWeights("normal");
  const std::vector<float> importance = testing::MakeImportance();
  for (const DType type : kEncoders) {
    if (!Info(type).quantised) continue;
    // Few scales to choose from: little can move.
    const double gain = type == DType::kQ8_0 || type == DType::kMXFP4 ? 1.0 : 0.95;
    const double with = testing::RootMeanSquareError(weights, RoundTrip(type, weights, importance),
                                                     importance, kRowElements);
    const double without = testing::RootMeanSquareError(weights, RoundTrip(type, weights, {}),
                                                        importance, kRowElements);
    EXPECT_LT(with, gain * without) << Name(type);
  }
}

TEST(Encode, ImportanceOfAnyUnit) {
  const std::vector<float> weights = testing::MakeWeights("normal");
  const std::vector<float> ones(kRowElements, 1.0f);
  for (const DType type : kEncoders) {
    const std::vector<float> plain = RoundTrip(type, weights, ones);
    for (const float unit : {0.0f, 1e-42f, 1e-30f, 1e30f, 3e38f}) {
      const std::vector<float> importance(kRowElements, unit);
      const std::vector<float> got = RoundTrip(type, weights, importance);
      const double error = testing::RootMeanSquareError(weights, got, {}, kRowElements);
      const double expected = testing::RootMeanSquareError(weights, plain, {}, kRowElements);
      EXPECT_NEAR(error, expected, 0.001 * expected) << Name(type) << " unit " << unit;
    }
    // One element matters, the others not at all: they must still be weights.
    std::vector<float> spike(kRowElements, 0.0f);
    spike[100] = 1.0f;
    const std::vector<float> got = RoundTrip(type, weights, spike);
    EXPECT_LT(testing::RootMeanSquareError(weights, got, {}, kRowElements), 0.02) << Name(type);
  }
}

TEST(Encode, AnyMagnitudeStaysFiniteAndClose) {
  for (const DType type : kEncoders) {
    for (const float unit : {1e-44f, 1e-38f, 1e-20f, 1e-8f, 1e-4f, 1.0f, 1e4f, 65504.0f / 6.0f}) {
      std::vector<float> weights = testing::MakeWeights("normal");
      for (float& w : weights) w = std::clamp(w * 50.0f, -6.0f, 6.0f) * unit;
      const std::vector<float> decoded = RoundTrip(type, weights, {});
      for (const float v : decoded) ASSERT_TRUE(std::isfinite(v)) << Name(type) << " " << unit;
      if (unit < 1e-4f) continue;  // f16 scales get coarse below
      const double error = testing::RootMeanSquareError(weights, decoded, {}, kRowElements);
      EXPECT_LT(error, 0.3 * static_cast<double>(unit)) << Name(type) << " " << unit;
    }
  }
}

TEST(Encode, BadInputIsAnError) {
  for (const DType type : kEncoders) {
    SCOPED_TRACE(Name(type));
    std::vector<std::byte> blocks(4 * kRowElements);
    std::vector<float> weights(kRowElements, 1.0f);
    for (const float bad :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
          -std::numeric_limits<float>::infinity()}) {
      weights[17] = bad;
      const Status status = EncodeRow(type, weights, {}, blocks.data());
      EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
      EXPECT_NE(status.message().find("weight 17"), std::string::npos) << status.message();
    }
    weights[17] = 65520.0f;
    const bool wide = type == DType::kF32 || type == DType::kBF16 || type == DType::kMXFP4;
    EXPECT_EQ(EncodeRow(type, weights, {}, blocks.data()).ok(), wide);
    weights[17] = 1.0f;
    std::vector<float> importance(kRowElements, 1.0f);
    for (const float bad :
         {-1.0f, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
      importance[3] = bad;
      EXPECT_EQ(EncodeRow(type, weights, importance, blocks.data()).code(),
                StatusCode::kInvalidArgument);
    }
    importance.resize(3);
    EXPECT_FALSE(EncodeRow(type, weights, importance, blocks.data()).ok());
    if (Info(type).block_elements > 1) {
      EXPECT_FALSE(EncodeRow(type, std::span(weights).first(33), {}, blocks.data()).ok());
    }
    EXPECT_OK(EncodeRow(type, {}, {}, nullptr));
  }
  std::vector<float> weights(256, 1.0f);
  std::vector<std::byte> blocks(1024);
  EXPECT_EQ(EncodeRow(DType::kIQ1_S, weights, {}, blocks.data()).code(), StatusCode::kUnsupported);
  EXPECT_EQ(EncodeRow(DType::kI32, weights, {}, blocks.data()).code(), StatusCode::kUnsupported);
}

// The bytes do not depend on the compiler, its flags or the machine (AVX2 or not): an interrupted
// `quantize` may go on elsewhere, and files can be compared by checksum. An encoder that is
// improved on purpose changes its line here.
TEST(Encode, BytesAreTheSameEverywhere) {
  const std::map<DType, uint64_t> expected = {
      {DType::kF32, 0xc35707111a02194u},     {DType::kF16, 0x3b40ada969551cccu},
      {DType::kBF16, 0x3cb8b53d96bfc4d1u},   {DType::kQ8_0, 0xbf525a6a06ef6809u},
      {DType::kQ4_0, 0x61088e159746f5c6u},   {DType::kQ4_1, 0x3ec743c2ea994ec9u},
      {DType::kQ5_0, 0x87d74f3ffe588719u},   {DType::kQ5_1, 0x605924578a153c16u},
      {DType::kQ2_K, 0xd4cb62ca49d81752u},   {DType::kQ3_K, 0x4d5a690d245471d9u},
      {DType::kQ4_K, 0xa89ef74e2e6e1106u},   {DType::kQ5_K, 0x39ce8b55ac7e09f8u},
      {DType::kQ6_K, 0x9cf8b0c6a27ece19u},   {DType::kIQ4_NL, 0xa88ac7a51f8885a3u},
      {DType::kIQ4_XS, 0xfb61302f9191a2aau}, {DType::kMXFP4, 0x4c09182003c9ad15u}};
  for (const DType type : kEncoders) {
    uint64_t hash = 0xcbf29ce484222325ull;  // FNV-1a
    const int64_t row_bytes = RowBytes(type, kRowElements).value();
    std::vector<std::byte> blocks(static_cast<size_t>(row_bytes));
    const std::vector<float> importance = testing::MakeImportance();
    for (const char* set : testing::kDataSets) {
      const std::vector<float> weights = testing::MakeWeights(set);
      for (size_t r = 0; r < testing::kRows; ++r) {
        const std::span<const float> row =
            std::span(weights).subspan(r * kRowElements, kRowElements);
        ASSERT_OK(EncodeRow(
            type, row, r % 2 == 0 ? std::span<const float>(importance) : std::span<const float>(),
            blocks.data()));
        for (const std::byte byte : blocks) {
          hash = (hash ^ static_cast<uint64_t>(byte)) * 0x100000001b3ull;
        }
      }
    }
    EXPECT_EQ(hash, expected.at(type)) << Format("{{DType::k{}, {:#x}u}},", Name(type), hash);
  }
}

// Fresh weights of random kinds at each run: encoders and decoders must agree on the layout, which
// a large error would show.
TEST(Encode, RandomRows) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(Format("seed {}", seed));
  std::mt19937 rng(seed);
  for (int repeat = 0; repeat < 20; ++repeat) {
    const auto row = static_cast<size_t>(256 * std::uniform_int_distribution(1, 3)(rng));
    const float spread = std::exp(std::uniform_real_distribution(-6.0f, 6.0f)(rng));
    const float centre = std::normal_distribution(0.0f, 1.0f)(rng) * spread;
    std::vector<float> weights(row);
    std::vector<float> importance(row);
    for (size_t i = 0; i < row; ++i) {
      weights[i] = centre + spread * std::normal_distribution(0.0f, 1.0f)(rng);
      importance[i] = std::uniform_real_distribution(0.0f, 1.0f)(rng);
    }
    const std::vector<float> zeros(row);
    const double size = testing::RootMeanSquareError(weights, zeros, {}, row);
    for (const DType type : kEncoders) {
      for (const bool weighted : {false, true}) {
        const std::vector<float> used = weighted ? importance : std::vector<float>();
        const double error =
            testing::RootMeanSquareError(weights, RoundTrip(type, weights, used, row), used, row);
        // A float type's precision is its mantissa's.
        const int bits = type == DType::kF16 ? 10
                         : type == DType::kBF16
                             ? 7
                             : 8 * Info(type).block_bytes / Info(type).block_elements;
        EXPECT_LT(error, 4.0 * size * std::exp2(-bits)) << Name(type) << " weighted " << weighted;
      }
    }
  }
}

}  // namespace
}  // namespace rocforge::quant
