#include "apps/inspect.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "gguf/writer.h"
#include "tests/testing.h"

namespace rocforge::apps {
namespace {

using gguf::File;
using gguf::Value;
using gguf::ValueType;

class InspectTest : public ::testing::Test {
 protected:
  // A file with `metadata` and `tensors` (their data is zeros).
  File Make(const std::vector<gguf::KeyValue>& metadata,
            const std::vector<gguf::TensorSpec>& tensors) {
    const std::string path = dir_.File("m.gguf");
    Result<gguf::Writer> writer = gguf::Writer::Create(path, metadata, tensors);
    EXPECT_OK(writer);
    for (const gguf::TensorSpec& tensor : tensors) {
      const int64_t row = RowBytes(tensor.dtype, tensor.shape.row_elements()).value();
      const std::vector<std::byte> data(static_cast<size_t>(row * tensor.shape.rows()));
      EXPECT_OK(writer->Append(data));
    }
    EXPECT_OK(writer->Finish());
    Result<File> file = File::Open(path);
    EXPECT_OK(file);
    return std::move(*file);
  }

  rocforge::testing::TempDir dir_;
};

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_F(InspectTest, ValuesAreShortenedToTheColumns) {
  const std::string value(70, 'v');
  const File file = Make({{"general.architecture", Value::String("toy")},
                          {"a.key", Value::String(value)},
                          {std::string(90, 'k'), Value::String(value)}},
                         {});
  EXPECT_TRUE(Contains(InspectText(file, {}), value + "\n")) << "no limit without a terminal";
  const std::string narrow = InspectText(file, {.columns = 110});
  EXPECT_FALSE(Contains(narrow, value));
  // The column of keys is at most 60 wide; two more of "string", and two spaces before each.
  EXPECT_TRUE(Contains(narrow, "  " + std::string(110 - 60 - 6 - 6 - 3, 'v') + "...\n")) << narrow;
  // However narrow, something of the value is seen.
  EXPECT_TRUE(Contains(InspectText(file, {.columns = 20}), "  vvvvvvvvv...\n"));
}

TEST_F(InspectTest, TextShowsSummaryTypesMetadataAndTensors) {
  const File file =
      Make({{"general.architecture", Value::String("toy")},
            {"toy.block_count", Value::Uint32(7)},
            {"toy.epsilon", Value::Float32(1e-5F)},
            {"numbers", Value::Int32s({1, 2, 3, 4, 5, 6, 7, 8})}},
           {{"big", DType::kQ8_0, Shape{1000, 64}}, {"small", DType::kF32, Shape{8}}});
  const std::string text = InspectText(file, {});
  EXPECT_TRUE(Contains(text, "architecture  toy")) << text;
  EXPECT_TRUE(Contains(text, "7 layers")) << text;
  EXPECT_TRUE(Contains(text, "64.0 k (64,008)")) << text;
  EXPECT_TRUE(Contains(text, "bits/weight   8.50")) << text;
  EXPECT_TRUE(Contains(text, "Q8_0        1      64.0 k  66.4 KiB  100.0 %")) << text;
  EXPECT_TRUE(Contains(text, "float32   1e-05")) << text;
  EXPECT_TRUE(Contains(text, "int32[8]  1, 2, 3, 4, 5, 6, ...\n")) << text;
  EXPECT_TRUE(Contains(text, "big    Q8_0  [1000, 64]  66.4 KiB\n")) << text;
  EXPECT_TRUE(Contains(text, "small  F32   [8]             32 B\n")) << text;

  const std::string brief = InspectText(file, {.metadata = false, .tensors = false});
  EXPECT_FALSE(Contains(brief, "toy.epsilon"));
  EXPECT_FALSE(Contains(brief, "small"));
  const std::string full = InspectText(file, {.max_items = SIZE_MAX});
  EXPECT_TRUE(Contains(full, "1, 2, 3, 4, 5, 6, 7, 8\n"));
}

TEST_F(InspectTest, NothingInAFileReachesTheTerminal) {
  const std::string evil = "\x1b]0;title\x07\x1b[2J\xC2\x9B\xFF\n\r";
  const File file = Make({{"general.architecture", Value::String(evil)},
                          {"general.name", Value::String(evil)},
                          {evil, Value::Strings({evil, "\"quoted\""})}},
                         {{evil, DType::kF32, Shape{1}}});
  const std::string text = InspectText(file, {});
  for (const char c : text) {
    ASSERT_TRUE(c == '\n' || static_cast<unsigned char>(c) >= 0x20) << text;
  }
  EXPECT_FALSE(Contains(text, "\xC2\x9B"));
  EXPECT_TRUE(Contains(text, "\\x1b]0;title"));
  EXPECT_TRUE(Contains(text, "\"\\\"quoted\\\"\"")) << text;
}

TEST_F(InspectTest, JsonIsValidForAnyString) {
  const std::string evil = "a\"b\\\x01\xFF\xC3(";
  const double inf = std::numeric_limits<double>::infinity();
  const File file = Make(
      {{"general.architecture", Value::String(evil)},
       {evil, Value::Strings({evil, ""})},
       {"floats", Value::Float32s({0.1F, inf, -inf, std::nan(""), 1e-30F, 16777216})},
       {"max", Value::Uint64(std::numeric_limits<uint64_t>::max())},
       {"nested",
        {ValueType::kArray, gguf::Array{ValueType::kArray, std::vector<Value>{Value::Bools({true}),
                                                                              Value::Int32s({})}}}},
       {"flag", Value::Bool(false)}},
      {{evil, DType::kQ4_0, Shape{2, 3, 32}}, {"b", DType::kF32, Shape{5}}});
  const auto json =
      nlohmann::json::parse(InspectJson(file, {.max_items = SIZE_MAX}), nullptr, false);
  ASSERT_FALSE(json.is_discarded());
  EXPECT_EQ(json["version"], 3);
  EXPECT_EQ(json["parameters"], 197);
  EXPECT_EQ(json["bytes"], file.total_bytes());
  EXPECT_EQ(json["files"].size(), 1U);
  EXPECT_EQ(json["architecture"], "a\"b\\\x01\xEF\xBF\xBD\xEF\xBF\xBD(");
  EXPECT_EQ(json["types"][0]["type"], "Q4_0");
  EXPECT_EQ(json["types"][0]["bytes"], 108);
  EXPECT_EQ(json["metadata"]["max"]["value"], std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(json["metadata"]["flag"]["value"], false);
  const auto& floats = json["metadata"]["floats"];
  EXPECT_EQ(floats["element_type"], "float32");
  EXPECT_EQ(floats["length"], 6);
  EXPECT_EQ(floats["value"],
            nlohmann::json::parse(R"([0.1, "Infinity", "-Infinity", "NaN", 1e-30, 16777216])"));
  const auto& nested = json["metadata"]["nested"];
  EXPECT_EQ(nested["value"][0]["value"], nlohmann::json::parse("[true]"));
  EXPECT_EQ(nested["value"][1]["length"], 0);
  EXPECT_EQ(json["tensors"][0]["shape"], nlohmann::json::parse("[2, 3, 32]"));
  EXPECT_EQ(json["tensors"][1]["offset"], file.tensors()[1].file_offset);

  const auto cut = nlohmann::json::parse(
      InspectJson(file, {.metadata = true, .tensors = false, .max_items = 2}), nullptr, false);
  ASSERT_FALSE(cut.is_discarded());
  EXPECT_FALSE(cut.contains("tensors"));
  EXPECT_EQ(cut["metadata"]["floats"]["value"].size(), 2U);
  EXPECT_EQ(cut["metadata"]["floats"]["length"], 6);
}

TEST_F(InspectTest, JsonOfAFileWithoutAnything) {
  const File file = Make({}, {});
  const auto json = nlohmann::json::parse(InspectJson(file, {}), nullptr, false);
  ASSERT_FALSE(json.is_discarded());
  EXPECT_TRUE(json["architecture"].is_null());
  EXPECT_TRUE(json["metadata"].empty());
  EXPECT_TRUE(json["tensors"].empty());
  EXPECT_TRUE(Contains(InspectText(file, {}), "No tensors"));
}

TEST_F(InspectTest, ValueAloneIsTheWholeValue) {
  EXPECT_EQ(InspectValue(Value::String("line 1\nline 2")), "line 1\nline 2\n");
  EXPECT_EQ(InspectValue(Value::Strings({"a\nb", "c"})), "a\\nb\nc\n");
  EXPECT_EQ(InspectValue(Value::Int32s({1, -2, 3})), "1\n-2\n3\n");
  EXPECT_EQ(InspectValue(Value::Float32(0.1F)), "0.1\n");
  EXPECT_EQ(InspectValue(Value::Bool(true)), "true\n");
}

TEST_F(InspectTest, EveryReferenceFileGivesTextAndJson) {
  ROCFORGE_REQUIRE_TESTDATA(folder, "models");
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const Result<File> file = File::Open(entry.path().string());
    ASSERT_OK(file);
    const auto json = nlohmann::json::parse(InspectJson(*file, {}), nullptr, false);
    ASSERT_FALSE(json.is_discarded()) << entry.path();
    EXPECT_EQ(json["tensors"].size(), file->tensors().size());
    EXPECT_TRUE(Contains(InspectText(*file, {}), "bits/weight"));
  }
}

}  // namespace
}  // namespace rocforge::apps
