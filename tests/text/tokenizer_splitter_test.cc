#include "text/tokenizer/splitter.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "base/format.h"
#include "tests/testing.h"
#include "tests/text/random_text.h"
#include "text/tokenizer/pre_tokenizer.h"
#include "text/unicode.h"

namespace rocforge::text {
namespace {

using Pieces = std::vector<std::string>;

Pieces Cut(std::string_view text, const std::vector<uint32_t>& ends) {
  Pieces pieces;
  uint32_t begin = 0;
  for (const uint32_t end : ends) {
    pieces.emplace_back(text.substr(begin, end - begin));
    begin = end;
  }
  return pieces;
}

Pieces SplitWith(const Splitter& splitter, std::string_view text) {
  std::vector<uint32_t> ends;
  EXPECT_OK(splitter.Split(text, 0, &ends));
  return Cut(text, ends);
}

std::unique_ptr<Splitter> Regex(std::string_view regex) {
  auto splitter = MakeRegexSplitter(regex);
  EXPECT_TRUE(splitter.ok()) << splitter.status().message();
  return splitter.ok() ? std::move(*splitter) : nullptr;
}

// The pieces that the pre-tokenizer `name` makes.
Pieces SplitBy(std::string_view name, std::string_view text) {
  const PreTokenizerSpec* spec = FindPreTokenizerSpec(name);
  EXPECT_NE(spec, nullptr) << name;
  const auto pre_tokenizer = PreTokenizer::Make(*spec);
  EXPECT_OK(pre_tokenizer);
  std::vector<uint32_t> ends, scratch;
  EXPECT_OK(pre_tokenizer->Split(text, &ends, &scratch));
  return Cut(text, ends);
}

std::string Shown(const Pieces& pieces) {
  std::string out;
  for (const std::string& piece : pieces) out += "[" + EscapeForTerminal(piece) + "]";
  return out;
}

constexpr std::string_view kDigitGroups = R"((?=(\d{3})+(?!\d)))";   // matches nothing at all
constexpr std::string_view kBounded = R"(\d{1,3}(?=(?:\d{3})*\b))";  // \b differs, see below

TEST(FastSplitter, EqualsThePublishedRegex) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(Format("seed {}", seed));
  std::mt19937 random(seed);
  for (const std::string_view regex : FastSplitterRegexes()) {
    if (regex == kDigitGroups || regex == kBounded) continue;
    SCOPED_TRACE(std::string(regex));
    const auto fast = MakeFastSplitter(regex);
    const auto reference = Regex(regex);
    ASSERT_NE(fast, nullptr);
    ASSERT_NE(reference, nullptr);
    for (int i = 0; i < 4000; ++i) {
      const std::string text = RandomText(&random, 40);
      std::string older = text;
      ReplaceRecentCodePoints(text, &older);
      const Pieces expected = SplitWith(*reference, older);
      std::vector<uint32_t> ends;
      ASSERT_OK(fast->Split(text, 0, &ends));
      ASSERT_EQ(Cut(older, ends), expected) << EscapeForTerminal(text) << "\n"
                                            << Shown(Cut(text, ends)) << "\n"
                                            << Shown(expected);
    }
  }
}

// Every ASCII text of up to four characters from the alphabet that these rules know.
TEST(FastSplitter, EqualsThePublishedRegexOnAllShortTexts) {
  constexpr std::string_view kAlphabet = "a1 '\n\tsL.";
  for (const std::string_view regex : FastSplitterRegexes()) {
    if (regex == kDigitGroups) continue;
    const auto fast = MakeFastSplitter(regex);
    const auto reference = Regex(regex);
    ASSERT_NE(reference, nullptr);
    size_t total = 1;
    for (int length = 0; length <= 5; ++length, total *= kAlphabet.size()) {
      for (size_t n = 0; n < total; ++n) {
        std::string text;
        for (size_t rest = n; text.size() < static_cast<size_t>(length); rest /= kAlphabet.size()) {
          text += kAlphabet[rest % kAlphabet.size()];
        }
        std::vector<uint32_t> fast_ends, ends;
        ASSERT_OK(fast->Split(text, 7, &fast_ends));
        ASSERT_OK(reference->Split(text, 7, &ends));
        ASSERT_EQ(fast_ends, ends) << regex << " on '" << EscapeForTerminal(text) << "'";
      }
    }
  }
}

// The definition, read literally: cut where a multiple of three digits, and no other digit,
// follows.
TEST(FastSplitter, DigitGroupsEqualTheirDefinition) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(Format("seed {}", seed));
  std::mt19937 random(seed);
  const auto splitter = MakeFastSplitter(kDigitGroups);
  ASSERT_NE(splitter, nullptr);
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (uint32_t n = Below(&random, 24); n > 0; --n) text += "0123456789ab ."[Below(&random, 14)];
    Pieces expected;
    std::string piece;
    for (size_t at = 0; at < text.size(); ++at) {
      const size_t digits = std::min(text.find_first_not_of("0123456789", at), text.size()) - at;
      if (digits > 0 && digits % 3 == 0 && !piece.empty()) {
        expected.push_back(piece);
        piece.clear();
      }
      piece += text[at];
    }
    if (!piece.empty()) expected.push_back(piece);
    ASSERT_EQ(SplitWith(*splitter, text), expected) << text;
  }
}

TEST(FastSplitter, BoundedDigitGroups) {
  const auto splitter = MakeFastSplitter(kBounded);
  ASSERT_NE(splitter, nullptr);
  EXPECT_EQ(SplitWith(*splitter, "1234567"), Pieces({"1", "234", "567"}));
  EXPECT_EQ(SplitWith(*splitter, "x1234 y"), Pieces({"x", "1", "234", " y"}));
  EXPECT_EQ(SplitWith(*splitter, "1234x 123456"), Pieces({"1234x ", "123", "456"}));
  // A mark or a connector is a part of the word, as in Oniguruma; PCRE2 10.42 thinks otherwise.
  EXPECT_EQ(SplitWith(*splitter, "1234_"), Pieces({"1234_"}));
  EXPECT_EQ(SplitWith(*splitter, "1234\u0301"), Pieces({"1234\u0301"}));
  EXPECT_EQ(SplitWith(*splitter, "٣٣٣٣½"), Pieces({"٣", "٣٣٣", "½"}));
}

TEST(RegexSplitter, RefusesWhatItCannotUse) {
  EXPECT_EQ(MakeRegexSplitter("(").status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(MakeRegexSplitter("a*").status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(MakeFastSplitter("a+"), nullptr);
}

TEST(RegexSplitter, SpaceIsWhiteSpaceOfUnicode) {
  const auto spaces = Regex(R"(\s)");
  const auto others = Regex(R"(\S)");
  const auto in_class = Regex(R"([^\s\p{L}])");
  const uint8_t* flags = CharFlagTable();
  for (uint32_t cp = 0; cp < 0x11000; ++cp) {
    if (cp >= 0xD800 && cp < 0xE000) continue;
    std::string text = "a";
    AppendUtf8(cp, &text);
    text += "a";
    const bool space = (flags[cp] & kWhitespace) != 0;
    ASSERT_EQ(SplitWith(*spaces, text).size(), space ? 3u : 1u) << cp;
    if (space) {
      ASSERT_EQ(SplitWith(*in_class, text).size(), 1u) << cp;
    }
    ASSERT_EQ(SplitWith(*others, text).size(), 3u) << cp;
  }
}

// Whatever the age of the PCRE2 that this was built with.
TEST(RegexSplitter, CategoriesAreThoseOfTheTable) {
  struct Property {
    std::string_view regex;
    uint8_t flag;
  };
  const uint8_t* flags = CharFlagTable();
  for (const Property& property :
       {Property{R"(\p{L})", kLetter}, Property{R"(\p{N})", kNumber}, Property{R"(\p{M})", kMark},
        Property{R"(\p{P})", kPunctuation}, Property{R"(\p{S})", kSymbol}}) {
    const auto splitter = Regex(property.regex);
    for (uint32_t cp = 1; cp < kCodePointLimit; ++cp) {
      if (CategoryOf(cp) == Category::kCs || CategoryOf(cp) == Category::kCn) continue;
      std::string text;
      AppendUtf8(cp, &text);
      ReplaceRecentCodePoints(text, &text);
      text += text;
      const size_t expected = (flags[cp] & property.flag) != 0 ? 2 : 1;
      ASSERT_EQ(SplitWith(*splitter, text).size(), expected) << property.regex << " " << cp;
    }
  }
}

TEST(RegexSplitter, RecentCodePointsHaveOlderStandIns) {
  const uint8_t* flags = CharFlagTable();
  int replaced = 0;
  for (uint32_t cp = 0; cp < kCodePointLimit; ++cp) {
    if (cp >= 0xD800 && cp < 0xE000) continue;
    std::string text = "x";
    AppendUtf8(cp, &text);
    std::string older = "untouched";
    if (!ReplaceRecentCodePoints(text, &older)) {
      ASSERT_EQ(flags[cp] & kRecent, 0) << cp;
      ASSERT_EQ(older, "untouched");
      continue;
    }
    ++replaced;
    ASSERT_EQ(older.size(), text.size()) << cp;
    const char* p = older.data() + 1;
    const uint32_t stand_in = DecodeUtf8(&p);
    ASSERT_EQ(CategoryOf(stand_in), CategoryOf(cp)) << cp;
    ASSERT_EQ(flags[stand_in] & kRecent, 0) << cp;
  }
  EXPECT_GT(replaced, 4000);
}

TEST(PreTokenizer, EveryRowWorksAndLosesNothing) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(Format("seed {}", seed));
  std::mt19937 random(seed);
  for (const PreTokenizerSpec& spec : PreTokenizerSpecs()) {
    SCOPED_TRACE(std::string(spec.names.front()));
    const auto pre_tokenizer = PreTokenizer::Make(spec);
    ASSERT_OK(pre_tokenizer);
    std::vector<uint32_t> ends, scratch;
    for (int i = 0; i < 300; ++i) {
      const std::string text = RandomText(&random, 60, true);
      ASSERT_OK(pre_tokenizer->Split(text, &ends, &scratch));
      uint32_t begin = 0;
      for (const uint32_t end : ends) {
        ASSERT_LT(begin, end);
        ASSERT_TRUE(IsUtf8(std::string_view(text).substr(begin, end - begin)));
        begin = end;
      }
      ASSERT_EQ(begin, text.size());
    }
  }
}

TEST(PreTokenizer, NamesAreUniqueAndFastPathsAreUsed) {
  std::vector<std::string_view> names, regexes;
  for (const PreTokenizerSpec& spec : PreTokenizerSpecs()) {
    names.insert(names.end(), spec.names.begin(), spec.names.end());
    regexes.insert(regexes.end(), spec.regexes.begin(), spec.regexes.end());
  }
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
  EXPECT_GE(names.size(), 80u);
  for (const std::string_view regex : FastSplitterRegexes()) {
    EXPECT_NE(std::find(regexes.begin(), regexes.end(), regex), regexes.end()) << regex;
  }
}

// A text that is one long run of anything takes no more than linear time: at this length a
// quadratic rule would take minutes.
TEST(PreTokenizer, LongRunsTakeLinearTime) {
  const std::string_view units[] = {"a",  "A",      "1",  " ",  "\n",    ".",
                                    "猫", "\u0301", "aB", "a ", "\r\n\t"};
  for (const PreTokenizerSpec& spec : PreTokenizerSpecs()) {
    SCOPED_TRACE(std::string(spec.names.front()));
    const auto pre_tokenizer = PreTokenizer::Make(spec);
    ASSERT_OK(pre_tokenizer);
    std::vector<uint32_t> ends, scratch;
    for (const std::string_view unit : units) {
      for (const std::string_view tail : {"", "x", "1", "\n"}) {
        std::string text;
        while (text.size() < 100'000) text += unit;
        text += tail;
        ASSERT_OK(pre_tokenizer->Split(text, &ends, &scratch));
        ASSERT_EQ(ends.back(), text.size());
      }
    }
  }
}

// A single match of megabytes fits the stack of the regex engine.
TEST(PreTokenizer, LongMatchesFit) {
  for (const std::string_view name : {"gpt-4o", "tekken", "kimi-k2", "exaone-moe", "bailingmoe"}) {
    for (const std::string_view unit : {"a", "A", "a ", "."}) {
      std::string text;
      while (text.size() < 3'000'000) text += unit;
      EXPECT_FALSE(SplitBy(name, text).empty()) << name;
    }
  }
}

TEST(PreTokenizer, PublishedBehaviour) {
  EXPECT_EQ(SplitBy("gpt-2", "I'm  fine\n\nHe'LL 42x"),
            Pieces({"I", "'m", " ", " fine", "\n", "\n", "He", "'", "LL", " 42", "x"}));
  EXPECT_EQ(SplitBy("llama-bpe", "I'M  fine\n\nx 1234567"),
            Pieces({"I", "'M", " ", " fine", "\n\n", "x", " ", "123", "456", "7"}));
  EXPECT_EQ(SplitBy("qwen2", "a123!\n\n b"), Pieces({"a", "1", "2", "3", "!\n\n", " b"}));
  EXPECT_EQ(SplitBy("smollm", "in 1999"), Pieces({"in", " ", "1", "9", "9", "9"}));
  EXPECT_EQ(SplitBy("deepseek-v3", "吾輩は猫 12345 it's"),
            Pieces({"吾輩は猫", " ", "123", "45", " it", "'s"}));
  EXPECT_EQ(SplitBy("deepseek-llm", "a  b1!\n"), Pieces({"a", " ", " b", "1", "!", "\n"}));
  EXPECT_EQ(SplitBy("superbpe", "x1234567"), Pieces({"x", "1", "234", "567"}));
  EXPECT_EQ(SplitBy("tiny_aya", "1234567 ab12"), Pieces({"1", "234", "567", " ab", "12"}));
  EXPECT_EQ(SplitBy("afmoe", "1234ab"), Pieces({"1", "234", "ab"}));
  EXPECT_EQ(SplitBy("gemma4", "a b\n\nc"), Pieces({"a b", "\n\n", "c"}));
  EXPECT_EQ(SplitBy("falcon", "a, 1234"), Pieces({"a", ",", " ", "123", "4"}));
  EXPECT_EQ(SplitBy("bloom", "a b, c"), Pieces({"a", " b", ",", " c"}));
}

// The models' own regexes, where llama.cpp's engine needs an approximation.
TEST(PreTokenizer, CaseAndMarksAsTheModelsHaveThem) {
  EXPECT_EQ(SplitBy("gpt-4o", "camelCase ÉCOLE приветМир's"),
            Pieces({"camel", "Case", " ÉCOLE", " привет", "Мир's"}));
  EXPECT_EQ(SplitBy("gpt-4o", "तेज़ भूरी"), Pieces({"तेज़", " भूरी"}));
  EXPECT_EQ(SplitBy("tekken", "HTTPServer's 12"), Pieces({"HTTPServer", "'s", " ", "1", "2"}));
  EXPECT_EQ(SplitBy("kimi-k2", "猫cat猫s 12345"),
            Pieces({"猫", "cat", "猫", "s", " ", "123", "45"}));
}

// Chunks of whitespace, largest first, and none that ends before a newline.
TEST(PreTokenizer, Jais2Whitespace) {
  EXPECT_EQ(SplitBy("jais-2", "a" + std::string(13, ' ') + "b"),
            Pieces({"a", std::string(8, ' '), std::string(4, ' '), " b"}));
  EXPECT_EQ(SplitBy("jais-2", "a" + std::string(13, ' ') + "\nb"),
            Pieces({"a", std::string(13, ' ') + "\n", "b"}));
  const std::string original =
      R"((?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|)"
      R"(\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s{512}(?!\S)|\s{256}(?!\S)|)"
      R"(\s{128}(?!\S)|\s{64}(?!\S)|\s{32}(?!\S)|\s{16}(?!\S)|\s{8}(?!\S)|\s{4}(?!\S)|)"
      R"(\s{1,2}(?!\S)|\s{1})";
  const auto reference = Regex(original);
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(Format("seed {}", seed));
  std::mt19937 random(seed);
  for (int i = 0; i < 3000; ++i) {
    std::string text;
    for (uint32_t n = Below(&random, 12); n > 0; --n) {
      const std::string_view units[] = {" ", "\t", "\n", "a", ".", "1"};
      const std::string_view unit = units[Below(&random, std::size(units))];
      for (uint32_t repeat = Below(&random, 20); repeat > 0; --repeat) text += unit;
    }
    ASSERT_EQ(SplitBy("jais-2", text), SplitWith(*reference, text)) << EscapeForTerminal(text);
  }
}

}  // namespace
}  // namespace rocforge::text
