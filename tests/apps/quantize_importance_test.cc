#include "apps/quantize_importance.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "base/format.h"
#include "gguf/writer.h"
#include "tests/testing.h"

namespace rocforge::apps {
namespace {

using gguf::Value;

std::span<const std::byte> Bytes(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

std::string Int(int32_t v) { return {reinterpret_cast<const char*>(&v), sizeof(v)}; }

std::string Record(const std::string& name, int32_t calls, const std::vector<float>& values) {
  return Int(static_cast<int32_t>(name.size())) + name + Int(calls) +
         Int(static_cast<int32_t>(values.size())) +
         std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
}

TEST(ImportanceRecords, ValuesAreDividedByCalls) {
  const std::string data = Int(2) + Record("a.weight", 4, {4, 8, 0}) + Record("b", 0, {3}) +
                           Int(17) + Int(8) + "some.txt";
  const auto matrix = ParseImportance(Bytes(data), "m.dat");
  ASSERT_OK(matrix);
  EXPECT_EQ(matrix->columns.at("a.weight"), (std::vector<float>{1, 2, 0}));
  EXPECT_EQ(matrix->columns.at("b"), std::vector<float>{3});
  EXPECT_EQ(matrix->n_chunks, 17);
  EXPECT_EQ(matrix->datasets, std::vector<std::string>{"some.txt"});
  // The trailing data is optional.
  EXPECT_OK(ParseImportance(Bytes(Int(1) + Record("a", 1, {1})), "m.dat"));
}

TEST(ImportanceRecords, EveryTruncationIsAnErrorOrTheOptionalPart) {
  const std::string entries = Int(2) + Record("a.weight", 4, {4, 8, 0}) + Record("b", 0, {3});
  const std::string data = entries + Int(17) + Int(8) + "some.txt";
  for (size_t n = 0; n < data.size(); ++n) {
    const std::string cut = data.substr(0, n);
    const auto matrix = ParseImportance(Bytes(cut), "m.dat");
    const bool complete = n == entries.size() || n == entries.size() + 4;
    EXPECT_EQ(matrix.ok(), complete) << n;
    if (!matrix.ok()) {
      EXPECT_EQ(matrix.status().code(), StatusCode::kDataLoss);
      EXPECT_TRUE(matrix.status().message().starts_with("m.dat: ")) << matrix.status().message();
    }
  }
}

TEST(ImportanceRecords, AbsurdNumbersAreErrors) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const std::string& data :
       {Int(0), Int(-1), Int(INT32_MAX), Int(1) + Int(-5), Int(1) + Int(INT32_MAX),
        Int(1) + Int(1) + "a" + Int(1) + Int(INT32_MAX), Int(1) + Int(1) + "a" + Int(1) + Int(-1),
        Int(1) + Record("a", 1, {}), Int(1) + Record("a", 1, {1, nan}),
        Int(1) + Record("a", 1, {-1}), Int(1) + Record("a", 1, {INFINITY}),
        Int(2) + Record("a", 1, {1}) + Record("a", 1, {1})}) {
    EXPECT_EQ(ParseImportance(Bytes(data), "m").status().code(), StatusCode::kDataLoss);
  }
}

TEST(ImportanceRecords, RandomDamageNeverCrashes) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(Format("seed {}", seed));
  std::mt19937 rng(seed);
  const std::string data =
      Int(2) + Record("a.weight", 4, {4, 8, 0}) + Record("b", 0, {3}) + Int(1) + Int(3) + "txt";
  for (int i = 0; i < 2000; ++i) {
    std::string damaged = data;
    for (int k = 0; k < 3; ++k) damaged[rng() % damaged.size()] = static_cast<char>(rng());
    const auto matrix = ParseImportance(Bytes(damaged), "m");
    if (!matrix.ok()) continue;
    for (const auto& [name, values] : matrix->columns) EXPECT_FALSE(values.empty());
  }
}

// ---- GGUF ----

struct Tensor {
  std::string name;
  Shape shape;
  std::vector<float> values;
};

std::string GgufFile(const std::string& path, const std::vector<Tensor>& tensors) {
  std::vector<gguf::TensorSpec> specs;
  for (const Tensor& t : tensors) specs.push_back({t.name, DType::kF32, t.shape});
  auto writer = gguf::Writer::Create(path,
                                     {{"general.type", Value::String("imatrix")},
                                      {"imatrix.datasets", Value::Strings({"wiki", "code"})},
                                      {"imatrix.chunk_count", Value::Uint32(9)},
                                      {"imatrix.chunk_size", Value::Uint32(512)}},
                                     specs);
  EXPECT_OK(writer);
  for (const Tensor& t : tensors) EXPECT_OK(writer->Append(std::as_bytes(std::span(t.values))));
  EXPECT_OK(writer->Finish());
  return path;
}

TEST(ImportanceGguf, SumsAreDividedByTheCountsOfEachExpert) {
  testing::TempDir dir;
  const std::string path =
      GgufFile(dir.File("m.gguf"), {{"a.weight.in_sum2", {1, 3}, {10, 20, 30}},
                                    {"a.weight.counts", {1, 1}, {10}},
                                    {"moe.weight.in_sum2", {2, 2}, {8, 4, 5, 7}},
                                    {"moe.weight.counts", {2, 1}, {4, 0}}});
  const auto matrix = LoadImportance(path);
  ASSERT_OK(matrix);
  EXPECT_EQ(matrix->columns.at("a.weight"), (std::vector<float>{1, 2, 3}));
  EXPECT_EQ(matrix->columns.at("moe.weight"), (std::vector<float>{2, 1, 1, 1}));
  EXPECT_EQ(matrix->datasets, (std::vector<std::string>{"wiki", "code"}));
  EXPECT_EQ(matrix->n_chunks, 9);
  EXPECT_NE(matrix->hash, 0u);
}

TEST(ImportanceGguf, WhatDoesNotFitTogetherIsAnError) {
  testing::TempDir dir;
  const auto status = [&](const std::vector<Tensor>& tensors) {
    return LoadImportance(GgufFile(dir.File("m.gguf"), tensors)).status();
  };
  EXPECT_EQ(status({{"a.in_sum2", {3}, {1, 2, 3}}}).code(), StatusCode::kDataLoss);
  EXPECT_EQ(status({{"a.in_sum2", {3}, {1, 2, 3}}, {"a.counts", {2}, {1, 1}}}).code(),
            StatusCode::kDataLoss);
  EXPECT_EQ(status({{"a.in_sum2", {1}, {-1}}, {"a.counts", {1}, {1}}}).code(),
            StatusCode::kDataLoss);
  EXPECT_EQ(status({{"a.weight", {1}, {1}}}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(LoadImportance(dir.File("absent")).status().code(), StatusCode::kNotFound);
}

}  // namespace
}  // namespace rocforge::apps
