#include "text/detokenizer.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "base/format.h"
#include "tests/text/random_text.h"
#include "tests/text/vocabularies.h"

namespace rocforge::text {
namespace {

SmallVocabulary Bytes() {
  SmallVocabulary vocabulary;
  vocabulary.pre = "gpt-2";
  vocabulary.tokens = ByteTexts();
  vocabulary.tokens.emplace_back("<eos>");
  vocabulary.types.assign(256, 1);
  vocabulary.types.push_back(3);
  vocabulary.merges = {"a b"};
  return vocabulary;
}

// What Python's bytes.decode("utf-8", errors="replace") makes of it, which follows the same rule.
std::string Replaced(std::string_view bytes) {
  std::string out;
  while (!bytes.empty()) {
    if (const size_t length = WellFormedLength(bytes); length > 0) {
      out += bytes.substr(0, length);
      bytes.remove_prefix(length);
      continue;
    }
    // The longest beginning that some completion would make well-formed.
    size_t part = 1;
    for (size_t n = 2; n < 4 && n <= bytes.size(); ++n) {
      bool possible = false;
      for (const char* tail : {"\x80", "\x80\x80", "\xBF", "\xBF\xBF", "\xA0", "\x90"}) {
        possible = possible || WellFormedLength(std::string(bytes.substr(0, n)) + tail) > 0;
      }
      if (!possible) break;
      part = n;
    }
    out += "\xEF\xBF\xBD";
    bytes.remove_prefix(part);
  }
  return out;
}

TEST(Detokenizer, HoldsBackHalfCharacters) {
  const auto tokenizer = MakeTokenizerOrFail(Bytes());
  Detokenizer detokenizer(*tokenizer);
  EXPECT_EQ(detokenizer.Feed(0xE7), "");
  EXPECT_EQ(detokenizer.pending(), "\xE7");
  EXPECT_EQ(detokenizer.Feed(0x8C), "");
  EXPECT_EQ(detokenizer.Feed(0xAB), "猫");
  EXPECT_EQ(detokenizer.Feed('a'), "a");
  EXPECT_EQ(detokenizer.Feed(0xF0), "");
  EXPECT_EQ(detokenizer.Feed('b'),
            "\xEF\xBF\xBD"
            "b");
  EXPECT_EQ(detokenizer.Feed(256), "");  // control
  EXPECT_EQ(detokenizer.Feed(0xF0), "");
  EXPECT_EQ(detokenizer.Feed(0x9F), "");
  EXPECT_EQ(detokenizer.Flush(), "\xEF\xBF\xBD");
  EXPECT_EQ(detokenizer.Flush(), "");
  EXPECT_EQ(detokenizer.Feed(-7), "");
}

TEST(Detokenizer, AnyBytesGiveUtf8) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(Format("seed {}", seed));
  std::mt19937 random(seed);
  const auto tokenizer = MakeTokenizerOrFail(Bytes());
  const uint8_t kLikely[] = {0x61, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC2, 0xDF,
                             0xE0, 0xE7, 0xED, 0xEF, 0xF0, 0xF1, 0xF4, 0xF5, 0xFF};
  for (int round = 0; round < 5000; ++round) {
    Detokenizer detokenizer(*tokenizer);
    std::string bytes, streamed;
    for (uint32_t n = Below(&random, 12); n > 0; --n) {
      const uint8_t byte = kLikely[Below(&random, std::size(kLikely))];
      bytes += static_cast<char>(byte);
      const std::string_view piece = detokenizer.Feed(byte);
      ASSERT_TRUE(IsUtf8(piece));
      streamed += piece;
      ASSERT_LE(detokenizer.pending().size(), 3u);
    }
    streamed += detokenizer.Flush();
    ASSERT_EQ(streamed, Replaced(bytes)) << EscapeForTerminal(bytes);
  }
}

TEST(Detokenizer, SpaceInFront) {
  SmallVocabulary vocabulary;
  vocabulary.model = "llama";
  vocabulary.tokens = {"<unk>", "<s>", "</s>", "▁a", "▁", "b", "<x>"};
  vocabulary.scores.assign(7, 0);
  vocabulary.types = {2, 3, 3, 1, 1, 1, 4};
  const auto tokenizer = MakeTokenizerOrFail(vocabulary);
  const auto stream = [&](DetokenizerOptions options, const std::vector<int32_t>& ids) {
    Detokenizer detokenizer(*tokenizer, options);
    std::string out;
    for (const int32_t id : ids) out += detokenizer.Feed(id);
    return out += detokenizer.Flush();
  };
  EXPECT_EQ(stream({}, {3, 3}), "a a");
  EXPECT_EQ(stream({}, {1, 3, 4, 5}), "a b");
  EXPECT_EQ(stream({}, {5, 3}), "b a");
  EXPECT_EQ(stream({}, {4, 3}), " a");
  EXPECT_EQ(stream({.special = true}, {1, 3, 2, 3}), "<s>a</s>a");
  EXPECT_EQ(stream({}, {3, 6, 3}), "a<x>a");
  EXPECT_EQ(stream({.strip_leading_space = false}, {3, 6, 3}), " a<x> a");
}

}  // namespace
}  // namespace rocforge::text
