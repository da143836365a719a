// Files that are wrong in every way we know of: each gives one clear line.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>

#include "gguf/reader.h"
#include "tests/gguf/sample_file.h"
#include "tests/testing.h"

namespace rocforge::gguf {
namespace {

Status ParseStatus(const std::string& bytes) {
  // A copy of exactly this size on the heap, so that a sanitizer sees the first byte read too far.
  const std::vector<char> exact(bytes.begin(), bytes.end());
  const std::span<const std::byte> span(reinterpret_cast<const std::byte*>(exact.data()),
                                        exact.size());
  Result<File> file = File::Parse(span, "bad.gguf");
  if (!file.ok()) return file.status();
  uint64_t sum = 0;
  for (const TensorInfo& tensor : file->tensors()) {
    for (const std::byte b : tensor.data) sum += std::to_integer<uint64_t>(b);
  }
  for (const KeyValue& entry : file->metadata()) sum += TypeName(entry.value).size();
  EXPECT_LT(sum, uint64_t{1} << 40);
  return {};
}

void ExpectError(const std::string& bytes, StatusCode code, std::string_view part) {
  const Status status = ParseStatus(bytes);
  EXPECT_EQ(status.code(), code) << status.message();
  EXPECT_NE(status.message().find(part), std::string::npos)
      << "expected '" << part << "' in: " << status.message();
  EXPECT_TRUE(status.message().starts_with("bad.gguf: ")) << status.message();
  EXPECT_EQ(std::count(status.message().begin(), status.message().end(), '\n'), 0);
}

void ExpectCorrupt(const RawFile& raw, std::string_view part) {
  ExpectError(raw.bytes(), StatusCode::kDataLoss, part);
}

TEST(Hostile, NotAGgufFile) {
  ExpectError("", StatusCode::kDataLoss, "empty");
  ExpectError("GG", StatusCode::kDataLoss, "ends inside the header");
  ExpectError("\x1b[2Jevil", StatusCode::kDataLoss, "\\x1b[2J");
  ExpectError("version https://git-lfs.github.com/spec/v1\n", StatusCode::kDataLoss, "Git LFS");
  ExpectError("PK\x03\x04 archive", StatusCode::kDataLoss, "PyTorch");
  ExpectError("<!DOCTYPE html>", StatusCode::kDataLoss, "web page");
  ExpectError("tjgg\x03", StatusCode::kDataLoss, "GGML file");
}

TEST(Hostile, Versions) {
  ExpectError(RawFile(0, 0, 0).bytes(), StatusCode::kDataLoss, "version 0");
  ExpectError(RawFile(0, 0, 1).bytes(), StatusCode::kUnsupported, "version 1");
  ExpectError(RawFile(0, 0, 4).bytes(), StatusCode::kUnsupported, "version 4");
  ExpectError(RawFile(0, 0, 0x03000000).bytes(), StatusCode::kUnsupported, "big-endian");
}

TEST(Hostile, Counts) {
  constexpr uint64_t kHuge = std::numeric_limits<uint64_t>::max();
  ExpectCorrupt(RawFile(kHuge, 0), "claims 0 keys and 18446744073709551615 tensors");
  ExpectCorrupt(RawFile(0, kHuge), "claims");
  ExpectCorrupt(RawFile(1, 0), "only 0 bytes follow");
  ExpectCorrupt(RawFile(0, 10).Zeros(130), "claims");
  ExpectError(RawFile(0, 65537).Zeros(65537 * 14).bytes(), StatusCode::kResourceExhausted,
              "65537 keys and 0 tensors are above the limits of 65536 and 1048576");
}

TEST(Hostile, Strings) {
  RawFile name(0, 1);
  name.Put(std::numeric_limits<uint64_t>::max()).Zeros(20);
  ExpectCorrupt(name, "a string of 18446744073709551615 bytes, but only 20 bytes follow");
  RawFile value(0, 1);
  value.Key("k", ValueType::kString).Put(uint64_t{5}).Zeros(4);
  ExpectCorrupt(value, "key 'k': a string of 5 bytes, but only 4 bytes follow");
  RawFile empty(0, 1);
  empty.Key("", ValueType::kUint8).Put(uint8_t{1}).Zeros(10);
  ExpectCorrupt(empty, "a key without a name");
  RawFile longest(0, 1);
  longest.Key(std::string(65536, 'x'), ValueType::kUint8).Put(uint8_t{1});
  ExpectCorrupt(longest, "name has 65536 bytes");
  RawFile escaped(0, 1);
  escaped.Key("\x1b]0;title\x07\n", ValueType::kBool).Put(uint8_t{9});
  ExpectCorrupt(escaped, "key '\\x1b]0;title\\x07\\n': a bool is 9");
}

TEST(Hostile, Values) {
  ExpectCorrupt(RawFile(0, 1).Text("k").Put(uint32_t{13}).Put(uint8_t{0}),
                "key 'k': unknown value type 13");
  ExpectCorrupt(RawFile(0, 1).Key("k", ValueType::kUint64).Zeros(7), "ends inside a value");
  ExpectCorrupt(RawFile(0, 1).Key("k", ValueType::kArray).Put(uint32_t{99}).Put(uint64_t{0}),
                "unknown value type 99");
  const auto array = [](ValueType type, uint64_t count) {
    RawFile raw(0, 1);
    raw.Key("k", ValueType::kArray).Put(static_cast<uint32_t>(type)).Put(count).Zeros(64);
    return raw;
  };
  constexpr uint64_t kHuge = std::numeric_limits<uint64_t>::max();
  for (const uint64_t count : {kHuge, kHuge / 2, kHuge / 8 + 2, uint64_t{1} << 61, uint64_t{65}}) {
    for (uint32_t type = 0; type <= 12; ++type) {
      ExpectCorrupt(array(static_cast<ValueType>(type), count), "key 'k': the file ends inside");
    }
  }
  RawFile twice(0, 2);
  for (int i = 0; i < 2; ++i) twice.Key("same", ValueType::kUint8).Put(uint8_t{1});
  ExpectCorrupt(twice.Zeros(16), "the key 'same' occurs twice");
}

TEST(Hostile, NestedArrays) {
  const auto nested = [](int depth) {
    RawFile raw(0, 1);
    raw.Key("k", ValueType::kArray);
    for (int i = 1; i < depth; ++i) raw.Put(uint32_t{9}).Put(uint64_t{1});
    raw.Put(uint32_t{0}).Put(uint64_t{1}).Put(uint8_t{7});
    return raw;
  };
  EXPECT_OK(ParseStatus(nested(4).bytes()));
  ExpectCorrupt(nested(5), "nested more than 4 deep");
  ExpectCorrupt(nested(100000), "nested more than 4 deep");
}

TEST(Hostile, Alignment) {
  const auto with = [](uint32_t alignment) {
    RawFile raw(0, 1);
    raw.Key("general.alignment", ValueType::kUint32).Put(alignment);
    return raw;
  };
  for (const uint32_t alignment : {0U, 1U, 4U, 33U, 48U, 1U << 25, 1U << 31, 0xFFFFFFFFU}) {
    ExpectCorrupt(with(alignment), "expected a power of two from 8 to 16777216");
  }
  for (const uint32_t alignment : {8U, 32U, 4096U, 1U << 24}) {
    EXPECT_OK(ParseStatus(with(alignment).bytes()));
  }
  ExpectCorrupt(RawFile(0, 1).Key("general.alignment", ValueType::kString).Text("32"),
                "has type string, expected uint32");
}

TEST(Hostile, Dimensions) {
  const auto with = [](const std::vector<uint64_t>& dims, uint32_t type = 0) {
    RawFile raw(1, 0);
    raw.Tensor("t", dims, type, 0).Pad().Zeros(4096);
    return raw;
  };
  constexpr uint64_t kBig = uint64_t{1} << 32;
  ExpectCorrupt(with({}), "tensor 't': 0 dimensions");
  ExpectCorrupt(with({1, 1, 1, 1, 1}), "5 dimensions (allowed are 1 to 4)");
  ExpectCorrupt(with({0, 4}), "dimension 0 is 0");
  ExpectCorrupt(with({4, uint64_t{1} << 63}), "dimension 1 is 9223372036854775808");
  ExpectCorrupt(with({kBig, kBig}), "overflow");
  ExpectCorrupt(with({kBig, kBig / 2}), "overflow");  // 2^63 elements
  ExpectCorrupt(with({kBig, kBig / 4}), "overflow");  // 2^62 elements, 2^64 bytes
  ExpectCorrupt(with({kBig, kBig / 8, 0x7FFFFFFF}), "overflow");
  ExpectCorrupt(with({33}, 2), "33 elements are not a multiple of the Q4_0 block of 32");
  ExpectCorrupt(with({16, 16}, 14), "not a multiple of the Q6_K block of 256");
  RawFile rank(1, 0);
  rank.Text("t").Put(uint32_t{0xFFFFFFFF}).Zeros(64);
  ExpectCorrupt(rank, "4294967295 dimensions");
}

TEST(Hostile, TensorTypes) {
  for (const uint32_t type : {43U, 255U, 256U, 0x80000000U, 0xFFFFFFFFU}) {
    RawFile raw(1, 0);
    raw.Tensor("t", {256}, type, 0).Pad().Zeros(4096);
    ExpectError(raw.bytes(), StatusCode::kUnsupported, "unknown tensor type id");
  }
  for (const uint32_t type : {4U, 5U, 31U, 33U, 36U, 38U}) {
    RawFile raw(1, 0);
    raw.Tensor("t", {256}, type, 0).Pad().Zeros(4096);
    ExpectError(raw.bytes(), StatusCode::kUnsupported, "was withdrawn");
  }
}

TEST(Hostile, Offsets) {
  const auto with = [](uint64_t first, uint64_t second) {
    RawFile raw(2, 0);
    raw.Tensor("a", {16}, 0, first).Tensor("b", {16}, 0, second).Pad().Zeros(128);
    return raw;
  };
  EXPECT_OK(ParseStatus(with(0, 64).bytes()));
  EXPECT_OK(ParseStatus(with(64, 0).bytes()));
  ExpectCorrupt(with(0, 65), "tensor 'b': its offset 65 is not a multiple of the alignment 32");
  ExpectCorrupt(with(0, 0), "the data of tensors");
  ExpectCorrupt(with(0, 32), "the data of tensors 'a' and 'b' overlap");
  ExpectCorrupt(with(32, 0), "overlap");
  ExpectCorrupt(with(0, 96), "tensor 'b': it needs 64 bytes");
  ExpectCorrupt(with(0, 128), "tensor 'b'");
  ExpectCorrupt(with(std::numeric_limits<uint64_t>::max() - 31, 0), "tensor 'a'");
  ExpectCorrupt(with(uint64_t{1} << 63, 0), "tensor 'a'");
  RawFile twice(2, 0);
  twice.Tensor("a", {1}, 0, 0).Tensor("a", {1}, 0, 32).Pad().Zeros(64);
  ExpectCorrupt(twice, "the tensor name 'a' occurs twice");
  RawFile no_data(1, 0);
  no_data.Tensor("a", {1}, 0, 0);
  ExpectCorrupt(no_data, "tensor 'a': it needs 4 bytes");
}

TEST(Hostile, TruncatedAnywhere) {
  const std::string whole = SampleFile();
  ASSERT_OK(ParseStatus(whole));
  // The last tensor (a Q6_K block of 210 bytes) needs no padding behind it.
  const size_t needed = whole.size() - (224 - 210);
  for (size_t size = 0; size < needed; ++size) {
    const Status status = ParseStatus(whole.substr(0, size));
    ASSERT_FALSE(status.ok()) << "cut at " << size;
    ASSERT_EQ(status.code(), StatusCode::kDataLoss) << status.message();
  }
  EXPECT_OK(ParseStatus(whole.substr(0, needed)));
}

// What the fuzzer starts from, and what it has found, stays right where there is no fuzzer.
TEST(Hostile, FuzzCorpus) {
  int accepted = 0;
  for (const auto& entry : std::filesystem::directory_iterator(
           ::rocforge::testing::SourcePath("tests/fuzz/corpus/gguf"))) {
    SCOPED_TRACE(entry.path().string());
    const Status status = ParseStatus(::rocforge::testing::ReadFileOrFail(entry.path().string()));
    if (status.ok()) {
      ++accepted;
    } else {
      EXPECT_EQ(std::count(status.message().begin(), status.message().end(), '\n'), 0);
    }
  }
  EXPECT_GE(accepted, 4);
}

TEST(Hostile, HeaderLargerThanTheLimit) {
  // Sparse files, so that each claim is backed by bytes that are really there.
  const auto expect_too_long = [](const RawFile& raw, std::string_view part) {
    ::rocforge::testing::TempDir dir;
    const std::string path = dir.File("sparse.gguf");
    std::ofstream(path, std::ios::binary) << raw.bytes();
    std::filesystem::resize_file(path, (uint64_t{1} << 30) + 4096);
    const Status status = File::Open(path).status();
    EXPECT_EQ(status.code(), StatusCode::kResourceExhausted);
    EXPECT_NE(status.message().find(part), std::string::npos) << status.message();
  };
  RawFile array(0, 1);
  array.Key("k", ValueType::kArray).Put(uint32_t{0}).Put(uint64_t{1} << 30);
  expect_too_long(array, "key 'k': the metadata is longer than the limit of 128 MiB");
  RawFile text(0, 1);
  text.Key("k", ValueType::kString).Put(uint64_t{1} << 28);
  expect_too_long(text, "key 'k': the metadata is longer than the limit of 128 MiB");
  expect_too_long(RawFile(0, 20000000), "20000000 keys and 0 tensors are above the limits");
}

// Values that have broken parsers before.
uint64_t InterestingNumber(std::mt19937_64& random) {
  static constexpr uint64_t kNumbers[] = {0,          1,
                                          2,          4,
                                          8,          13,
                                          31,         32,
                                          33,         127,
                                          255,        256,
                                          0x7FFF,     0xFFFF,
                                          0x7FFFFFFF, 0x80000000,
                                          0xFFFFFFFF, 1ULL << 32,
                                          1ULL << 60, 1ULL << 61,
                                          1ULL << 62, (1ULL << 63) - 1,
                                          1ULL << 63, ~0ULL - 31,
                                          ~0ULL - 7,  ~0ULL};
  return kNumbers[random() % std::size(kNumbers)];
}

void Mutate(std::mt19937_64& random, std::string* bytes) {
  if (bytes->empty()) return;
  const size_t at = random() % bytes->size();
  switch (random() % 6) {
    case 0:
      (*bytes)[at] = static_cast<char>((*bytes)[at] ^ (1 << (random() % 8)));
      break;
    case 1:
      (*bytes)[at] = static_cast<char>(random());
      break;
    case 2: {  // a count, length, offset or type
      const uint64_t number = InterestingNumber(random);
      const size_t width = random() % 2 == 0 ? 4 : 8;
      std::memcpy(bytes->data() + at, &number, std::min(width, bytes->size() - at));
      break;
    }
    case 3:
      bytes->erase(at, 1 + random() % 16);
      break;
    case 4:
      bytes->insert(at, bytes->substr(random() % bytes->size(), 1 + random() % 32));
      break;
    default:
      bytes->resize(at);
  }
}

TEST(Hostile, RandomMutations) {
  const char* fixed = std::getenv("ROCFORGE_TEST_SEED");
  const uint64_t first =
      fixed != nullptr ? std::strtoull(fixed, nullptr, 10) : std::random_device{}() % 1000000000ULL;
  const std::string whole = SampleFile();
  const auto start = std::chrono::steady_clock::now();
  int refused = 0;
  int accepted = 0;
  // Each input has its own seed, so that one number brings a failure back.
  for (uint64_t seed = first;; ++seed) {
    if (std::chrono::steady_clock::now() - start > std::chrono::seconds(2)) break;
    SCOPED_TRACE(::testing::Message() << "run again with ROCFORGE_TEST_SEED=" << seed);
    std::mt19937_64 random(seed);
    std::string bytes = whole;
    for (uint64_t n = 1 + random() % 4; n > 0; --n) Mutate(random, &bytes);
    const Status status = ParseStatus(bytes);
    if (status.ok()) {
      ++accepted;
      continue;
    }
    ++refused;
    for (const char c : status.message()) {
      ASSERT_GE(static_cast<unsigned char>(c), 0x20) << "not one clean line: " << status.message();
    }
    ASSERT_LT(status.message().size(), 1000U);
  }
  std::printf("seeds from %llu on: %d refused, %d accepted\n",
              static_cast<unsigned long long>(first), refused, accepted);
  // Most changes break the file; some (a letter of a name) leave it valid.
  EXPECT_GT(refused, 100);
  EXPECT_GT(accepted, 10);
}

}  // namespace
}  // namespace rocforge::gguf
