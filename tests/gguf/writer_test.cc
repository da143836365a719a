#include "gguf/writer.h"

#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <random>

#include "tests/gguf/sample_file.h"
#include "tests/testing.h"

namespace rocforge::gguf {
namespace {

using ::rocforge::testing::ReadFileOrFail;
using ::rocforge::testing::TempDir;

std::vector<std::string> FilesIn(const TempDir& dir) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(dir.path())) {
    names.push_back(entry.path().filename().string());
  }
  return names;
}

// Appends all the data from `writer->tensors_done()` on, in pieces of random size.
void AppendAll(const std::vector<SampleTensor>& tensors, Writer* writer) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  for (size_t i = writer->tensors_done(); i < tensors.size(); ++i) {
    std::span<const std::byte> rest = AsBytes(tensors[i].data);
    while (!rest.empty()) {
      const size_t n = std::min<size_t>(rest.size(), random() % 40);
      ASSERT_OK(writer->Append(rest.first(n)));
      rest = rest.subspan(n);
    }
    ASSERT_EQ(writer->tensors_done(), i + 1);
  }
}

TEST(Writer, RoundTripsEveryValueAndTensor) {
  TempDir dir;
  const std::vector<SampleTensor> tensors = SampleTensors();
  Result<Writer> created = Writer::Create(dir.File("m.gguf"), SampleMetadata(), Specs(tensors));
  ASSERT_OK(created);
  Writer writer = std::move(*created);
  EXPECT_FALSE(std::filesystem::exists(dir.File("m.gguf")));
  AppendAll(tensors, &writer);
  EXPECT_EQ(writer.done_bytes(), writer.total_bytes());
  ASSERT_OK(writer.Finish());
  EXPECT_EQ(FilesIn(dir), std::vector<std::string>{"m.gguf"});
  EXPECT_EQ(ReadFileOrFail(dir.File("m.gguf")), SampleFile());
  EXPECT_EQ(writer.total_bytes(), std::filesystem::file_size(dir.File("m.gguf")));

  // What was read can be written again, byte for byte.
  const Result<File> file = File::Open(dir.File("m.gguf"));
  ASSERT_OK(file);
  EXPECT_EQ(EncodeHeader(file->metadata(), Specs(tensors)).value(),
            SampleFile().substr(0, file->tensors()[0].file_offset));
}

TEST(Writer, RespectsTheAlignmentKey) {
  TempDir dir;
  const std::string data = "abc";
  Result<Writer> writer =
      Writer::Create(dir.File("m.gguf"), {{"general.alignment", Value::Uint32(256)}},
                     {{"a", DType::kI8, Shape{3}}, {"b", DType::kI8, Shape{3}}});
  ASSERT_OK(writer);
  ASSERT_OK(writer->Append(AsBytes(data)));
  ASSERT_OK(writer->Append(AsBytes(data)));
  ASSERT_OK(writer->Finish());
  const Result<File> file = File::Open(dir.File("m.gguf"));
  ASSERT_OK(file);
  EXPECT_EQ(file->alignment(), 256U);
  EXPECT_EQ(file->tensors()[1].file_offset - file->tensors()[0].file_offset, 256U);
  EXPECT_EQ(file->total_bytes() % 256, 0U);
}

TEST(Writer, WritesMoreThanItsBuffer) {
  TempDir dir;
  constexpr int64_t kBytes = (int64_t{3} << 20) + 17;
  Result<Writer> writer =
      Writer::Create(dir.File("m.gguf"), {}, {{"a", DType::kI8, Shape{kBytes}}});
  ASSERT_OK(writer);
  std::string data(kBytes, '\0');
  for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<char>(i * 31 + i / 257);
  const std::span<const std::byte> bytes = AsBytes(data);
  // Small, then larger than the buffer, then the rest.
  ASSERT_OK(writer->Append(bytes.first(1000)));
  ASSERT_OK(writer->Append(bytes.subspan(1000, 2 << 20)));
  ASSERT_OK(writer->Append(bytes.subspan(1000 + (2 << 20))));
  ASSERT_OK(writer->Finish());
  const Result<File> file = File::Open(dir.File("m.gguf"));
  ASSERT_OK(file);
  const std::span<const std::byte> back = file->tensors()[0].data;
  EXPECT_TRUE(std::equal(back.begin(), back.end(), bytes.begin(), bytes.end()));
}

TEST(Writer, LeavesNothingBehindWithoutFinish) {
  TempDir dir;
  std::ofstream(dir.File("m.gguf")) << "the old file";
  {
    Result<Writer> writer = Writer::Create(dir.File("m.gguf"), {}, {{"a", DType::kI8, Shape{3}}});
    ASSERT_OK(writer);
    ASSERT_EQ(FilesIn(dir).size(), 2U);
    EXPECT_EQ(writer->Finish().code(), StatusCode::kFailedPrecondition);
    Writer moved = std::move(*writer);
    ASSERT_EQ(FilesIn(dir).size(), 2U);
  }
  EXPECT_EQ(FilesIn(dir), std::vector<std::string>{"m.gguf"});
  EXPECT_EQ(ReadFileOrFail(dir.File("m.gguf")), "the old file");
}

TEST(Writer, ReplacesAnOlderFileOnlyAtTheEnd) {
  TempDir dir;
  std::ofstream(dir.File("m.gguf")) << "the old file";
  Result<Writer> writer = Writer::Create(dir.File("m.gguf"), {{"k", Value::Bool(true)}}, {});
  ASSERT_OK(writer);
  EXPECT_EQ(ReadFileOrFail(dir.File("m.gguf")), "the old file");
  ASSERT_OK(writer->Finish());
  EXPECT_TRUE(File::Open(dir.File("m.gguf")).value().GetBool("k").value());
  EXPECT_EQ(writer->Finish().code(), StatusCode::kFailedPrecondition);
}

TEST(Writer, RefusesDataThatDoesNotFit) {
  TempDir dir;
  const std::string data = "abcd";
  Result<Writer> writer = Writer::Create(dir.File("m.gguf"), {}, {{"a", DType::kI8, Shape{3}}});
  ASSERT_OK(writer);
  EXPECT_EQ(writer->Append(AsBytes(data)).code(), StatusCode::kInvalidArgument);
  ASSERT_OK(writer->Append(AsBytes(data).first(3)));
  EXPECT_EQ(writer->Append(AsBytes(data).first(1)).code(), StatusCode::kInvalidArgument);
  EXPECT_OK(writer->Finish());
}

TEST(Writer, SaysAtOnceThatTheTargetCannotBe) {
  TempDir dir;
  EXPECT_EQ(Writer::Create(dir.path(), {}, {}).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Writer::Create("", {}, {}).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Writer::Create(dir.File("none/m.gguf"), {}, {}).status().code(), StatusCode::kNotFound);
  const Status status =
      Writer::Create(dir.File("m.gguf"), {}, {{"a", DType::kI8, Shape{int64_t{1} << 60}}}).status();
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted);
  EXPECT_NE(status.message().find("needs 1.00 EiB of disk space"), std::string::npos)
      << status.message();
  EXPECT_TRUE(FilesIn(dir).empty());
}

TEST(Writer, ReportsAFullDisk) {
  TempDir dir;
  rlimit old{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
  const rlimit small = {1 << 20, old.rlim_max};
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  {
    Result<Writer> writer =
        Writer::Create(dir.File("m.gguf"), {}, {{"a", DType::kI8, Shape{4 << 20}}});
    EXPECT_OK(writer);
    const std::string data(4 << 20, 'x');
    const Status status = writer->Append(AsBytes(data));
    EXPECT_EQ(status.code(), StatusCode::kResourceExhausted) << status.message();
    EXPECT_EQ(writer->Finish().code(), StatusCode::kFailedPrecondition);
  }
  setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_TRUE(FilesIn(dir).empty());
}

TEST(WriterResume, GoesOnAfterTheLastCompleteTensor) {
  TempDir dir;
  const std::vector<SampleTensor> tensors = SampleTensors();
  const std::string path = dir.File("m.gguf");
  const auto create = [&](const std::string& identity) {
    return Writer::Create(path, SampleMetadata(), Specs(tensors),
                          {.resumable = true, .identity = identity});
  };
  {
    Result<Writer> writer = create("source 1");
    ASSERT_OK(writer);
    EXPECT_EQ(create("source 1").status().code(), StatusCode::kUnavailable);  // locked
    ASSERT_OK(writer->Append(AsBytes(tensors[0].data)));
    ASSERT_OK(writer->Append(AsBytes(tensors[1].data)));
    ASSERT_OK(writer->Append(AsBytes(tensors[2].data).first(7)));
  }
  EXPECT_EQ(FilesIn(dir), std::vector<std::string>{"m.gguf.partial"});
  // Nobody takes it for a model.
  EXPECT_EQ(File::Open(path + ".partial").status().code(), StatusCode::kDataLoss);
  {
    Result<Writer> writer = create("source 1");
    ASSERT_OK(writer);
    EXPECT_EQ(writer->tensors_done(), 2U);
    AppendAll(tensors, &*writer);
    ASSERT_OK(writer->Finish());
  }
  EXPECT_EQ(FilesIn(dir), std::vector<std::string>{"m.gguf"});
  EXPECT_EQ(ReadFileOrFail(path), SampleFile());
}

TEST(WriterResume, StartsOverForAnotherSourceOrHeader) {
  TempDir dir;
  const std::vector<SampleTensor> tensors = SampleTensors();
  const std::string path = dir.File("m.gguf");
  const auto leave_partial = [&] {
    Result<Writer> writer = Writer::Create(path, SampleMetadata(), Specs(tensors),
                                           {.resumable = true, .identity = "source 1"});
    ASSERT_OK(writer);
    ASSERT_OK(writer->Append(AsBytes(tensors[0].data)));
  };
  leave_partial();
  {
    Result<Writer> writer = Writer::Create(path, SampleMetadata(), Specs(tensors),
                                           {.resumable = true, .identity = "source 2"});
    ASSERT_OK(writer);
    EXPECT_EQ(writer->tensors_done(), 0U);
  }
  EXPECT_TRUE(FilesIn(dir).empty());  // nothing worth keeping
  leave_partial();
  std::vector<KeyValue> metadata = SampleMetadata();
  metadata[1].value.data = uint64_t{254};
  Result<Writer> writer =
      Writer::Create(path, metadata, Specs(tensors), {.resumable = true, .identity = "source 1"});
  ASSERT_OK(writer);
  EXPECT_EQ(writer->tensors_done(), 0U);
  AppendAll(tensors, &*writer);
  ASSERT_OK(writer->Finish());
  EXPECT_EQ(File::Open(path).value().GetInt("u8").value(), 254);
}

void ExpectInvalid(const std::vector<KeyValue>& metadata, const std::vector<TensorSpec>& tensors,
                   std::string_view part) {
  const Status status = EncodeHeader(metadata, tensors).status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find(part), std::string::npos) << status.message();
}

TEST(EncodeHeader, RefusesWhatNoReaderAccepts) {
  const auto tensor = [](DType dtype, Shape shape) {
    return std::vector<TensorSpec>{{"t", dtype, shape}};
  };
  ExpectInvalid({{"", Value::Bool(true)}}, {}, "empty");
  ExpectInvalid({{"a", Value::Bool(true)}, {"a", Value::Bool(true)}}, {}, "key 'a': the name");
  ExpectInvalid({{std::string(65536, 'k'), Value::Bool(true)}}, {}, "65536 bytes");
  ExpectInvalid({{"a", {ValueType::kUint8, uint64_t{256}}}}, {}, "256 does not fit in uint8");
  ExpectInvalid({{"a", {ValueType::kInt8, int64_t{-129}}}}, {}, "-129 does not fit in int8");
  ExpectInvalid({{"a", {ValueType::kFloat32, 1e39}}}, {}, "does not fit in float32");
  ExpectInvalid({{"a", {ValueType::kUint8, int64_t{1}}}}, {}, "does not hold such data");
  ExpectInvalid({{"a", {ValueType::kString, Array{}}}}, {}, "does not hold such data");
  ExpectInvalid({{"a", {ValueType::kArray, Array{ValueType::kInt8, std::vector<bool>{}}}}}, {},
                "does not hold such data");
  ExpectInvalid({{"a", {static_cast<ValueType>(99), uint64_t{1}}}}, {}, "unknown value type");
  ExpectInvalid({{"general.alignment", Value::Uint32(24)}}, {}, "power of two");
  ExpectInvalid({}, tensor(DType::kF32, Shape{}), "0 dimensions");
  ExpectInvalid({}, tensor(DType::kF32, Shape{0, 3}), "dimension below 1");
  ExpectInvalid({}, tensor(DType::kQ4_0, Shape{4, 33}), "not a multiple");
  ExpectInvalid({}, tensor(DType::kF32, Shape{int64_t{1} << 40, int64_t{1} << 40}), "overflow");
  ExpectInvalid({}, {{"t", DType::kI8, Shape{1}}, {"t", DType::kI8, Shape{1}}}, "occurs twice");
  Value value = Value::Bools({true});
  for (int i = 0; i < 4; ++i) {
    value = {ValueType::kArray, Array{ValueType::kArray, std::vector<Value>{value}}};
  }
  ExpectInvalid({{"deep", value}}, {}, "nested more than 4 deep");
  ExpectInvalid({{"long", Value::String(std::string(129 << 20, 'x'))}}, {}, "limit of 128 MiB");
}

}  // namespace
}  // namespace rocforge::gguf
