// Both byte-pair encoders against the definition, on random vocabularies, and on hostile ones.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/format.h"
#include "tests/testing.h"
#include "tests/text/random_text.h"
#include "tests/text/vocabularies.h"
#include "text/tokenizer/pre_tokenizer.h"

namespace rocforge::text {
namespace {

constexpr EncodeOptions kPlain = {.add_special = false, .parse_special = false};

std::vector<std::string> Characters(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const size_t length = std::max<size_t>(WellFormedLength(text), 1);
    out.emplace_back(text.substr(0, length));
    text.remove_prefix(length);
  }
  return out;
}

// Merges by the definition, on strings: `rank` gives the lowest first, -1 for no merge.
template <typename Rank>
std::vector<std::string> MergeStrings(std::vector<std::string> parts, const Rank& rank) {
  while (true) {
    double best = -1;
    size_t where = 0;
    for (size_t i = 0; i + 1 < parts.size(); ++i) {
      const double r = rank(parts[i], parts[i + 1]);
      if (r >= 0 && (best < 0 || r < best)) {
        best = r;
        where = i;
      }
    }
    if (best < 0) return parts;
    parts[where] += parts[where + 1];
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(where) + 1);
  }
}

struct RandomBpe {
  SmallVocabulary vocabulary;
  std::map<std::pair<std::string, std::string>, int> ranks;
  std::map<std::string, int32_t> ids;
};

// Grows merges out of random neighbours in `atoms`; now and then a merge whose result is no token.
RandomBpe MakeRandomBpe(std::mt19937* random, const std::vector<std::string>& base,
                        const std::vector<std::string>& atoms, const std::string& pre) {
  RandomBpe made;
  made.vocabulary.pre = pre;
  made.vocabulary.tokens = base;
  std::set<std::string> known(base.begin(), base.end());
  std::vector<std::string> parts = atoms;
  for (int i = 0; i < 60; ++i) {
    const std::string left = parts[Below(random, static_cast<uint32_t>(parts.size()))];
    const std::string right = parts[Below(random, static_cast<uint32_t>(parts.size()))];
    made.vocabulary.merges.push_back(left + " " + right);
    made.ranks.emplace(std::pair(left, right), i);
    parts.push_back(left + right);
    if (Below(random, 8) != 0 && known.insert(left + right).second) {
      made.vocabulary.tokens.push_back(left + right);
    }
  }
  for (size_t i = 0; i < made.vocabulary.tokens.size(); ++i) {
    made.ids.emplace(made.vocabulary.tokens[i], static_cast<int32_t>(i));
  }
  return made;
}

TEST(Bpe, ByteLevelEqualsTheDefinition) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(Format("seed {}", seed));
  std::mt19937 random(seed);
  const PreTokenizerSpec* spec = FindPreTokenizerSpec("gpt-2");
  const auto pre_tokenizer = PreTokenizer::Make(*spec);
  ASSERT_OK(pre_tokenizer);
  for (int round = 0; round < 40; ++round) {
    const RandomBpe bpe =
        MakeRandomBpe(&random, ByteTexts(), Characters(InAlphabet("aabbé  s'猫")), "gpt-2");
    const auto tokenizer = MakeTokenizerOrFail(bpe.vocabulary);
    ASSERT_NE(tokenizer, nullptr);
    for (int i = 0; i < 30; ++i) {
      std::string text;
      for (uint32_t n = Below(&random, 80); n > 0; --n) {
        const std::string_view units[] = {"a", "a", "b", "b", "é", " ", " ", "s", "'", "猫"};
        text += units[Below(&random, std::size(units))];
      }
      std::vector<uint32_t> ends, scratch;
      ASSERT_OK(pre_tokenizer->Split(text, &ends, &scratch));
      std::vector<int32_t> expected;
      uint32_t begin = 0;
      for (const uint32_t end : ends) {
        const auto parts =
            MergeStrings(Characters(InAlphabet(std::string_view(text).substr(begin, end - begin))),
                         [&](const std::string& left, const std::string& right) {
                           const auto at = bpe.ranks.find({left, right});
                           return at == bpe.ranks.end() ? -1 : at->second;
                         });
        begin = end;
        for (const std::string& part : parts) {
          const auto at = bpe.ids.find(part);
          if (at != bpe.ids.end()) {
            expected.push_back(at->second);
          } else {
            for (const std::string& byte : Characters(part)) expected.push_back(bpe.ids.at(byte));
          }
        }
      }
      ASSERT_EQ(Ids(*tokenizer, text, kPlain), expected) << text;
      ASSERT_EQ(tokenizer->Decode(expected), text);
    }
  }
}

TEST(Bpe, RawUtf8EqualsTheDefinition) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(Format("seed {}", seed));
  std::mt19937 random(seed);
  for (int round = 0; round < 40; ++round) {
    std::vector<std::string> base = HexTexts();
    for (const char* text : {"a", "b", "é", "▁", "\n"}) base.emplace_back(text);
    RandomBpe bpe = MakeRandomBpe(&random, base, {"a", "b", "é", "▁", "▁", "猫"}, "sarvam-moe");
    const auto tokenizer = MakeTokenizerOrFail(bpe.vocabulary);
    ASSERT_NE(tokenizer, nullptr);
    for (int i = 0; i < 30; ++i) {
      std::string text, escaped;
      for (uint32_t n = Below(&random, 120); n > 0; --n) {
        const std::string_view units[] = {"a", "b", "é", " ", "猫", "x"};
        const std::string_view unit = units[Below(&random, std::size(units))];
        text += unit;
        escaped += unit == " " ? "▁" : unit;
      }
      const auto parts =
          MergeStrings(Characters(escaped), [&](const std::string& left, const std::string& right) {
            const auto at = bpe.ranks.find({left, right});
            return at == bpe.ranks.end() ? -1 : at->second;
          });
      std::vector<int32_t> expected;
      for (const std::string& part : parts) {
        const auto at = bpe.ids.find(part);
        if (at != bpe.ids.end()) {
          expected.push_back(at->second);
          continue;
        }
        for (const char c : part) {
          expected.push_back(bpe.ids.at(Format("<0x{:02X}>", static_cast<uint8_t>(c))));
        }
      }
      ASSERT_EQ(Ids(*tokenizer, text, kPlain), expected) << text;
    }
  }
}

TEST(SentencePiece, EqualsTheDefinition) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(Format("seed {}", seed));
  std::mt19937 random(seed);
  for (int round = 0; round < 60; ++round) {
    SmallVocabulary vocabulary;
    vocabulary.model = "llama";
    vocabulary.tokens = {"<unk>", "<s>", "</s>"};
    for (const std::string& text : HexTexts()) vocabulary.tokens.push_back(text);
    std::vector<std::string> atoms = {"a", "b", "é", "▁", "猫"};
    std::vector<std::string> parts = atoms;
    std::set<std::string> known(vocabulary.tokens.begin(), vocabulary.tokens.end());
    for (int i = 0; i < 60; ++i) {
      std::string text = parts[Below(&random, static_cast<uint32_t>(parts.size()))];
      if (i >= 4) text += parts[Below(&random, static_cast<uint32_t>(parts.size()))];
      if (text.size() > 40 || !known.insert(text).second) continue;
      parts.push_back(text);
      vocabulary.tokens.push_back(text);
    }
    std::map<std::string, int32_t> ids;
    for (size_t i = 0; i < vocabulary.tokens.size(); ++i) {
      ids.emplace(vocabulary.tokens[i], static_cast<int32_t>(i));
      vocabulary.scores.push_back(-static_cast<double>(Below(&random, 12)));  // ties are common
      vocabulary.types.push_back(i == 0 ? 2 : i < 3 ? 3 : i < 259 ? 6 : 1);
    }
    const auto tokenizer = MakeTokenizerOrFail(vocabulary);
    ASSERT_NE(tokenizer, nullptr);
    for (int i = 0; i < 30; ++i) {
      std::string text, escaped = "▁";
      for (uint32_t n = 1 + Below(&random, 100); n > 0; --n) {
        const std::string_view units[] = {"a", "b", "é", " ", "猫", "x"};
        const std::string_view unit = units[Below(&random, std::size(units))];
        text += unit;
        escaped += unit == " " ? "▁" : unit;
      }
      const auto merged =
          MergeStrings(Characters(escaped), [&](const std::string& left, const std::string& right) {
            const auto at = ids.find(left + right);
            return at == ids.end() ? -1 : -vocabulary.scores[static_cast<size_t>(at->second)];
          });
      std::vector<int32_t> expected;
      for (const std::string& part : merged) {
        const auto at = ids.find(part);
        if (at != ids.end()) {
          expected.push_back(at->second);
          continue;
        }
        for (const char c : part) {
          expected.push_back(ids.at(Format("<0x{:02X}>", static_cast<uint8_t>(c))));
        }
      }
      ASSERT_EQ(Ids(*tokenizer, text, kPlain), expected) << text;
      // Without a token for it, a space is the bytes of U+2581, and stays that.
      if (ids.contains("▁")) {
        ASSERT_EQ(tokenizer->Decode(expected), text);
      }
    }
  }
}

TEST(Bpe, IgnoreMergesTakesWholeWords) {
  SmallVocabulary vocabulary;
  vocabulary.tokens = ByteTexts();
  vocabulary.tokens.push_back("abc");  // 256: no merge leads there
  vocabulary.tokens.push_back("ab");
  vocabulary.merges = {"a b"};
  vocabulary.pre = "llama-bpe";
  EXPECT_EQ(Ids(*MakeTokenizerOrFail(vocabulary), "abc", kPlain), std::vector<int32_t>({256}));
  vocabulary.pre = "gpt-2";
  const auto tokenizer = MakeTokenizerOrFail(vocabulary);
  for (int again = 0; again < 2; ++again) {  // the second time from what the first has learned
    EXPECT_EQ(Ids(*tokenizer, "abc", kPlain), std::vector<int32_t>({257, 'c'}));
    EXPECT_EQ(Ids(*tokenizer, "ab", kPlain), std::vector<int32_t>({257}));
  }
}

TEST(Bpe, GemmaNewlinesAndSpaces) {
  SmallVocabulary vocabulary;
  vocabulary.model = "gemma4";
  vocabulary.tokens = HexTexts();
  for (const char* text : {"\n", "\n\n", "a", "▁", "▁▁", "<bos>"}) {
    vocabulary.tokens.emplace_back(text);
  }
  vocabulary.types.assign(256, 6);
  vocabulary.types.insert(vocabulary.types.end(), {1, 1, 1, 1, 1, 3});
  vocabulary.merges = {"▁ ▁"};
  vocabulary.more = {{"bos_token_id", gguf::Value::Uint32(261)},
                     {"add_bos_token", gguf::Value::Bool(false)}};
  const auto tokenizer = MakeTokenizerOrFail(vocabulary);
  ASSERT_NE(tokenizer, nullptr);
  EXPECT_EQ(Ids(*tokenizer, "a\n\na\n\n\n", kPlain),
            std::vector<int32_t>({258, 257, 258, 256, 256, 256}));
  EXPECT_EQ(Ids(*tokenizer, "a   a", kPlain), std::vector<int32_t>({258, 260, 259, 258}));
  EXPECT_TRUE(tokenizer->add_bos());  // files with a wrong flag are in circulation
  EXPECT_EQ(Ids(*tokenizer, "a"), std::vector<int32_t>({261, 258}));
  EXPECT_EQ(tokenizer->Decode(Ids(*tokenizer, "a  \n\nü", kPlain)), "a  \n\nü");
}

TEST(Bpe, WhitespaceKindDropsWhitespace) {
  SmallVocabulary vocabulary;
  vocabulary.model = "whitespace";
  vocabulary.tokens = {"a", "B", "b", "ab"};
  vocabulary.merges = {"a b"};
  const auto tokenizer = MakeTokenizerOrFail(vocabulary);
  EXPECT_EQ(Ids(*tokenizer, " ab \n a\u3000bB ", kPlain), std::vector<int32_t>({3, 0, 2, 1}));
  vocabulary.more = {{"normalizer.lowercase", gguf::Value::Bool(true)}};
  vocabulary.more[0].key = "tokenizer.ggml.normalizer.lowercase";
  EXPECT_EQ(Ids(*MakeTokenizerOrFail(vocabulary), "AB", kPlain), std::vector<int32_t>({3}));
}

TEST(Bpe, MissingBytes) {
  SmallVocabulary vocabulary;
  vocabulary.pre = "gpt-2";
  vocabulary.tokens = {"a", "<unk>"};
  vocabulary.merges = {"a a"};
  EXPECT_EQ(Ids(*MakeTokenizerOrFail(vocabulary), "aba", kPlain), std::vector<int32_t>({0, 0}));
  vocabulary.types = {1, 2};
  vocabulary.more = {{"unknown_token_id", gguf::Value::Uint32(1)}};
  EXPECT_EQ(Ids(*MakeTokenizerOrFail(vocabulary), "aba", kPlain), std::vector<int32_t>({0, 1, 0}));
  vocabulary.types = {1, 3};  // an end-of-text token that the file calls unknown
  EXPECT_EQ(Ids(*MakeTokenizerOrFail(vocabulary), "aba", kPlain), std::vector<int32_t>({0, 0}));
}

TEST(Bpe, HostileMerges) {
  SmallVocabulary vocabulary;
  vocabulary.pre = "gpt-2";
  vocabulary.tokens = ByteTexts();
  // Unknown halves, a repeated rule, a character outside the alphabet, an empty half.
  vocabulary.merges = {"xx yy", "a b", "a b", "猫 a", "a ", "b a"};
  const auto tokenizer = MakeTokenizerOrFail(vocabulary);
  ASSERT_NE(tokenizer, nullptr);
  EXPECT_EQ(Ids(*tokenizer, "abxxyy", kPlain),
            std::vector<int32_t>({'a', 'b', 'x', 'x', 'y', 'y'}));
  for (const char* bad : {"ab", "", " ", "a"}) {
    vocabulary.merges = {"a b", bad};
    const auto status = MakeTokenizer(vocabulary).status();
    EXPECT_EQ(status.code(), StatusCode::kDataLoss) << bad;
    EXPECT_NE(status.message().find("merge 1"), std::string::npos) << status.message();
  }
}

// One "word" of megabytes, which no splitting rule breaks: n log n, not n squared.
TEST(Bpe, HugeWords) {
  SmallVocabulary vocabulary;
  vocabulary.pre = "llama-bpe";
  vocabulary.tokens = ByteTexts();
  std::string text = "a";
  for (int i = 0; i < 12; ++i) {
    vocabulary.merges.push_back(text + " " + text);
    text += text;
    vocabulary.tokens.push_back(text);
  }
  const auto tokenizer = MakeTokenizerOrFail(vocabulary);
  ASSERT_NE(tokenizer, nullptr);
  const size_t n = 3 << 20;
  EXPECT_EQ(Ids(*tokenizer, std::string(n, 'a'), kPlain).size(), n / 4096);
  vocabulary.model = "llama";
  vocabulary.merges.clear();
  vocabulary.scores.resize(vocabulary.tokens.size());
  for (size_t i = 256; i < vocabulary.tokens.size(); ++i) {
    vocabulary.scores[i] = -static_cast<double>(i);
  }
  vocabulary.more = {{"add_space_prefix", gguf::Value::Bool(false)}};
  EXPECT_EQ(Ids(*MakeTokenizerOrFail(vocabulary), std::string(n, 'a'), kPlain).size(), n / 4096);
}

TEST(SentencePiece, BytesThatAreNoUtf8StayBytes) {
  SmallVocabulary vocabulary;
  vocabulary.model = "llama";
  vocabulary.tokens = HexTexts();
  vocabulary.tokens.push_back("a");
  vocabulary.scores.assign(257, 0);
  vocabulary.types.assign(257, 6);
  vocabulary.types[256] = 1;
  vocabulary.more = {{"add_space_prefix", gguf::Value::Bool(false)},
                     {"bos_token_id", gguf::Value::Int32(-1)},
                     {"eos_token_id", gguf::Value::Int32(-1)},
                     {"unknown_token_id", gguf::Value::Int32(-1)}};
  const auto tokenizer = MakeTokenizerOrFail(vocabulary);
  ASSERT_NE(tokenizer, nullptr);
  const std::string text =
      "a\xFF\xE2\x96"
      "a\x80 \xC3\xA9";
  EXPECT_EQ(Ids(*tokenizer, text),
            std::vector<int32_t>({256, 0xFF, 0xE2, 0x96, 256, 0x80, 0xE2, 0x96, 0x81, 0xC3, 0xA9}));
}

}  // namespace
}  // namespace rocforge::text
