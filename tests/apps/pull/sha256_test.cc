#include "apps/pull/sha256.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <random>
#include <string>
#include <string_view>

#include "tests/testing.h"

namespace rocforge::apps {
namespace {

std::string HashOf(std::string_view text) {
  Sha256 hash;
  hash.Update(std::as_bytes(std::span(text.data(), text.size())));
  return hash.Finish();
}

// The examples of FIPS 180-4 (NIST's cryptographic standards and guidelines, SHA-256).
TEST(Sha256, FipsVectors) {
  EXPECT_EQ(HashOf(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(HashOf("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(HashOf("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(HashOf(std::string(1000000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, PiecesOfAnySizeGiveTheSame) {
  std::mt19937 gen(std::random_device{}());
  std::string text(5000, '\0');
  for (char& c : text) c = static_cast<char>(gen());
  for (const size_t length : {0u, 1u, 55u, 56u, 57u, 63u, 64u, 65u, 119u, 120u, 5000u}) {
    Sha256 hash;
    for (size_t at = 0; at < length;) {
      const size_t take = std::min<size_t>(1 + gen() % 130, length - at);
      hash.Update(std::as_bytes(std::span(text.data() + at, take)));
      at += take;
    }
    EXPECT_EQ(hash.Finish(), HashOf(std::string_view(text).substr(0, length)));
  }
}

TEST(Sha256, OfAFile) {
  const testing::TempDir dir;
  const std::string path = dir.File("data");
  const std::string text(3 << 20, 'x');
  std::FILE* file = std::fopen(path.c_str(), "wb");
  ASSERT_NE(file, nullptr);
  ASSERT_EQ(std::fwrite(text.data(), 1, text.size(), file), text.size());
  std::fclose(file);
  uint64_t seen = 0;
  const auto count = [&](uint64_t done) {
    seen = done;
    return true;
  };
  EXPECT_EQ(Sha256OfFile(path, count).value(), HashOf(text));
  EXPECT_EQ(seen, text.size());
  EXPECT_EQ(Sha256OfFile(path, [](uint64_t) { return false; }).status().code(),
            StatusCode::kCancelled);
  EXPECT_FALSE(Sha256OfFile(dir.File("absent")).ok());
}

}  // namespace
}  // namespace rocforge::apps
