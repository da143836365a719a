// WordPiece, unigram and RWKV: small vocabularies whose results can be worked out by hand, and the
// unigram encoder against all possible segmentations.
#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "base/format.h"
#include "tests/testing.h"
#include "tests/text/random_text.h"
#include "tests/text/vocabularies.h"
#include "text/tokenizer/charsmap.h"

namespace rocforge::text {
namespace {

using IdList = std::vector<int32_t>;
using gguf::Value;
constexpr EncodeOptions kPlainKinds = {.add_special = false, .parse_special = false};

SmallVocabulary Bert() {
  SmallVocabulary vocabulary;
  vocabulary.model = "bert";
  vocabulary.tokens = {"[PAD]", "[UNK]",  "[CLS]", "[SEP]", "▁un",   "aff",    "able",
                       "▁!",    "▁hello", "▁猫",   "▁e",    "▁cafe", "▁Hello", "▁"};
  vocabulary.types = {3, 3, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
  vocabulary.more = {{"bos_token_id", Value::Uint32(2)},
                     {"seperator_token_id", Value::Uint32(3)},
                     {"unknown_token_id", Value::Uint32(1)},
                     {"padding_token_id", Value::Uint32(0)}};
  return vocabulary;
}

TEST(WordPiece, LongestPartsFirst) {
  const auto tokenizer = MakeTokenizerOrFail(Bert());
  ASSERT_NE(tokenizer, nullptr);
  EXPECT_EQ(Ids(*tokenizer, "unaffable"), IdList({2, 4, 5, 6, 3}));
  EXPECT_EQ(Ids(*tokenizer, "unaffable", kPlainKinds), IdList({4, 5, 6}));
  EXPECT_EQ(Ids(*tokenizer, "unaffablex", kPlainKinds), IdList({1}));  // the whole word is unknown
  EXPECT_EQ(Ids(*tokenizer, ""), IdList({2, 3}));
  EXPECT_EQ(Ids(*tokenizer, "[CLS]hello[SEP]"), IdList({2, 2, 8, 3, 3}));
}

TEST(WordPiece, Normalization) {
  const auto tokenizer = MakeTokenizerOrFail(Bert());
  ASSERT_NE(tokenizer, nullptr);
  EXPECT_EQ(Ids(*tokenizer, " HELLO!hello\u3000é\t", kPlainKinds), IdList({8, 7, 8, 10}));
  EXPECT_EQ(Ids(*tokenizer, "Cafe\u0301", kPlainKinds), IdList({11}));
  EXPECT_EQ(Ids(*tokenizer, "猫猫hello", kPlainKinds), IdList({9, 9, 8}));
  EXPECT_EQ(Ids(*tokenizer, "he\u200bl\x01lo\xFF", kPlainKinds),
            IdList({8}));  // format and control
  SmallVocabulary cased = Bert();
  cased.more.push_back({"tokenizer.ggml.normalizer.lowercase", Value::Bool(false)});
  const auto cased_tokenizer = MakeTokenizerOrFail(cased);
  EXPECT_EQ(Ids(*cased_tokenizer, "Hello hello caf\u00e9", kPlainKinds), IdList({12, 8, 1}));
  cased.more.push_back({"tokenizer.ggml.normalizer.strip_accents", Value::Bool(true)});
  EXPECT_EQ(Ids(*MakeTokenizerOrFail(cased), "caf\u00e9", kPlainKinds), IdList({11}));
}

TEST(WordPiece, Pieces) {
  const auto tokenizer = MakeTokenizerOrFail(Bert());
  ASSERT_NE(tokenizer, nullptr);
  EXPECT_EQ(tokenizer->Decode(IdList({2, 4, 5, 6, 7, 3})), " unaffable !");
}

SmallVocabulary T5(const std::vector<std::pair<std::string, double>>& pieces) {
  SmallVocabulary vocabulary;
  vocabulary.model = "t5";
  vocabulary.tokens = {"<pad>", "</s>", "<unk>"};
  vocabulary.scores = {0, 0, 0};
  vocabulary.types = {3, 3, 2};
  for (const auto& [text, score] : pieces) {
    vocabulary.tokens.push_back(text);
    vocabulary.scores.push_back(score);
    vocabulary.types.push_back(1);
  }
  return vocabulary;
}

TEST(Unigram, BestScoreWins) {
  SmallVocabulary vocabulary =
      T5({{"a", -1}, {"b", -1}, {"ab", -1.5}, {"abc", -10}, {"c", -1}, {"▁", -2}, {"▁a", -2.5}});
  vocabulary.more = {{"add_space_prefix", Value::Bool(false)}};
  const auto tokenizer = MakeTokenizerOrFail(vocabulary);
  ASSERT_NE(tokenizer, nullptr);
  EXPECT_EQ(Ids(*tokenizer, "abc"), IdList({5, 7, 1}));
  EXPECT_EQ(Ids(*tokenizer, "猫猫abx", kPlainKinds), IdList({2, 5, 2}));  // unknown ones in one
  EXPECT_EQ(Ids(*tokenizer, "a  a", kPlainKinds), IdList({3, 8, 9}));
  EXPECT_EQ(Ids(*tokenizer, "", kPlainKinds), IdList({}));
  EXPECT_EQ(Ids(*tokenizer, "a\xFF", kPlainKinds), IdList({3, 2}));
}

TEST(Unigram, Spaces) {
  SmallVocabulary vocabulary = T5({{"a", -1}, {"▁", -1}, {"▁a", -1.5}});
  vocabulary.more = {{"add_space_prefix", Value::Bool(true)}};
  EXPECT_EQ(Ids(*MakeTokenizerOrFail(vocabulary), "a  a ", kPlainKinds), IdList({5, 4, 5, 4}));
  EXPECT_EQ(Ids(*MakeTokenizerOrFail(vocabulary), " a", kPlainKinds), IdList({4, 5}));
  vocabulary.more.push_back({"remove_extra_whitespaces", Value::Bool(true)});
  EXPECT_EQ(Ids(*MakeTokenizerOrFail(vocabulary), "  a  a ", kPlainKinds), IdList({5, 5}));
}

// Scores are binary fractions, so that sums are exact whatever their order.
TEST(Unigram, EqualsTheBestOfAllSegmentations) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(Format("seed {}", seed));
  std::mt19937 random(seed);
  for (int round = 0; round < 200; ++round) {
    std::vector<std::pair<std::string, double>> pieces;
    for (int i = 0; i < 12; ++i) {
      std::string text;
      for (uint32_t n = 1 + Below(&random, 4); n > 0; --n) text += "abé"[Below(&random, 2)];
      const auto same = [&](const auto& piece) { return piece.first == text; };
      if (std::none_of(pieces.begin(), pieces.end(), same)) {
        pieces.emplace_back(text, -static_cast<double>(Below(&random, 64)) / 8);
      }
    }
    double lowest = 0;
    for (const auto& piece : pieces) lowest = std::min(lowest, piece.second);
    const auto tokenizer = MakeTokenizerOrFail(T5(pieces));
    ASSERT_NE(tokenizer, nullptr);
    std::string text;
    for (uint32_t n = 1 + Below(&random, 10); n > 0; --n) text += "ab"[Below(&random, 2)];
    const auto find = [&](std::string_view part) {
      return std::find_if(pieces.begin(), pieces.end(),
                          [&](const auto& piece) { return piece.first == part; });
    };
    std::function<double(size_t)> best = [&](size_t begin) -> double {
      if (begin == text.size()) return 0;
      double top = -1e9;
      for (size_t end = begin + 1; end <= text.size(); ++end) {
        const auto piece = find(std::string_view(text).substr(begin, end - begin));
        if (piece != pieces.end()) {
          top = std::max(top, piece->second + best(end));
        } else if (end == begin + 1) {
          top = std::max(top, lowest - 10 + best(end));
        }
      }
      return top;
    };
    // What was found, scored again; a run of unknown characters is one token, so its length is
    // whatever the known pieces leave over.
    double score = 0;
    size_t unknown_tokens = 0, known_bytes = 0;
    for (const int32_t id : Ids(*tokenizer, text, kPlainKinds)) {
      if (id == 2) {
        ++unknown_tokens;
      } else {
        score += pieces[static_cast<size_t>(id) - 3].second;
        known_bytes += pieces[static_cast<size_t>(id) - 3].first.size();
      }
    }
    ASSERT_EQ(unknown_tokens == 0, known_bytes == text.size());
    score += static_cast<double>(text.size() - known_bytes) * (lowest - 10);
    ASSERT_EQ(score, best(0)) << text;
  }
}

// A map with the one rule "A" -> "aa": root, child, value.
std::string OneRuleCharsmap() {
  std::vector<uint32_t> nodes(512, 0);
  const uint32_t root_base = 256;
  nodes[0] = root_base << 10;
  const uint32_t child = root_base ^ 'A';
  const uint32_t value_at = 300;
  nodes[child] = 'A' | 1u << 8 | (child ^ value_at) << 10;
  nodes[value_at] = 0x80000000u | 1;  // the string at offset 1
  const uint32_t bytes = static_cast<uint32_t>(nodes.size() * 4);
  std::string map(sizeof bytes + bytes, '\0');
  std::memcpy(map.data(), &bytes, sizeof bytes);
  std::memcpy(map.data() + sizeof bytes, nodes.data(), bytes);
  return map + std::string("\0aa\0", 4);
}

TEST(CharsMap, AppliesItsRules) {
  const auto map = CharsMap::Parse(OneRuleCharsmap());
  ASSERT_OK(map);
  EXPECT_EQ(map->Longest("Ax").length, 1u);
  EXPECT_EQ(map->Longest("Ax").replacement, "aa");
  EXPECT_EQ(map->Longest("B").length, 0u);
  EXPECT_EQ(map->Longest("").length, 0u);
  EXPECT_EQ(CharsMap().Longest("A").length, 0u);
  SmallVocabulary vocabulary = T5({{"a", -1}, {"aa", -1}});
  std::vector<int64_t> bytes;
  for (const char c : OneRuleCharsmap()) bytes.push_back(static_cast<int8_t>(c));
  vocabulary.more = {
      {"precompiled_charsmap",
       gguf::Value{gguf::ValueType::kArray, gguf::Array{gguf::ValueType::kInt8, bytes}}}};
  EXPECT_EQ(Ids(*MakeTokenizerOrFail(vocabulary), "aA", kPlainKinds), IdList({3, 4}));
}

TEST(CharsMap, HostileMaps) {
  const std::string good = OneRuleCharsmap();
  EXPECT_EQ(CharsMap::Parse("abc").status().code(), StatusCode::kDataLoss);
  EXPECT_EQ(CharsMap::Parse(good.substr(0, 100)).status().code(), StatusCode::kDataLoss);
  EXPECT_EQ(CharsMap::Parse(good + "x").status().code(), StatusCode::kDataLoss);
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(Format("seed {}", seed));
  std::mt19937 random(seed);
  for (int i = 0; i < 2000; ++i) {  // any nodes: no read outside, no endless loop
    std::string map = good;
    for (uint32_t n = 1 + Below(&random, 40); n > 0; --n) {
      map[4 + Below(&random, 2048)] = static_cast<char>(Below(&random, 256));
    }
    const auto parsed = CharsMap::Parse(map);
    ASSERT_OK(parsed);
    for (int byte = 0; byte < 256; ++byte) {
      const std::string text = std::string(1, static_cast<char>(byte)) + "AAAA";
      ASSERT_LE(parsed->Longest(text).length, text.size());
    }
  }
}

TEST(Rwkv, LongestTokenAndEscapes) {
  SmallVocabulary vocabulary;
  vocabulary.model = "rwkv";
  vocabulary.tokens = {"<s>", "a", "ab", "abcd", "\\n", "\\xe7\\x8c", "\\\\", "\\x0"};
  const auto tokenizer = MakeTokenizerOrFail(vocabulary);
  ASSERT_NE(tokenizer, nullptr);
  EXPECT_EQ(Ids(*tokenizer, "abcabcd\na"), IdList({2, 3, 4, 1}));  // "c" has no token
  EXPECT_EQ(Ids(*tokenizer, "\xe7\x8c\\"), IdList({5, 6}));
  EXPECT_EQ(tokenizer->Piece(5, false), "\xe7\x8c");
  EXPECT_EQ(tokenizer->Piece(7, false), "x0");
  vocabulary.more = {{"unknown_token_id", Value::Uint32(0)}};
  EXPECT_EQ(Ids(*MakeTokenizerOrFail(vocabulary), "ac"), IdList({1, 0}));
}

}  // namespace
}  // namespace rocforge::text
