#include "text/chat/unicode.h"

#include <random>

#include "tests/testing.h"

namespace rocforge::text::chat {
namespace {

TEST(ChatUnicodeTest, WalksBothWaysOverAnyBytes) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937 gen(seed);
  for (int round = 0; round < 2000; ++round) {
    std::string s;
    const size_t n = gen() % 12;
    for (size_t i = 0; i < n; ++i) {
      // Characters of all lengths, and broken bytes between them.
      if (gen() % 3 != 0) {
        auto c = static_cast<char32_t>(gen() % 0x110000);
        if (c >= 0xD800 && c <= 0xDFFF) c = 'x';
        AppendUtf8(&s, gen() % 2 ? c : c % 0x80);
      } else {
        s.push_back(static_cast<char>(gen()));
      }
    }
    std::vector<size_t> forwards, backwards;
    for (size_t pos = 0; pos < s.size();) {
      forwards.push_back(pos);
      const size_t before = pos;
      DecodeAt(s, &pos);
      ASSERT_GT(pos, before);
    }
    for (size_t pos = s.size(); pos > 0;) {
      DecodeBefore(s, &pos);
      backwards.insert(backwards.begin(), pos);
    }
    EXPECT_EQ(CodePointCount(s), forwards.size());
    // Whole characters are the same from both sides; only the split of broken ones may differ.
    if (FindInvalidUtf8(s) == std::string::npos) {
      EXPECT_EQ(forwards, backwards);
    }
    EXPECT_EQ(ByteOffset(s, forwards.size()), s.size());
  }
}

TEST(ChatUnicodeTest, SearchAgreesWithTheStandardLibrary) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937 gen(seed);
  for (int round = 0; round < 5000; ++round) {
    const auto text = [&](size_t n) {
      std::string s;
      while (s.size() < n) s.push_back(static_cast<char>('a' + gen() % 2));
      return s;
    };
    const std::string s = text(gen() % 200), needle = text(gen() % 60);
    const size_t from = gen() % 210;
    EXPECT_EQ(FindText(s, needle, from), std::string_view(s).find(needle, from));
    EXPECT_EQ(RFindText(s, needle), std::string_view(s).rfind(needle));
  }
}

TEST(ChatUnicodeTest, FullCaseMapping) {
  EXPECT_EQ(ToUpper("straße ŉ ﬁ ı"), "STRASSE ʼN FI I");
  EXPECT_EQ(ToLower("ÀÉ İ ΑΣ ΣΑΣ. Σ"), "àé i̇ ας σας. σ");
  // An apostrophe does not end a word.
  EXPECT_EQ(ToLower("ΑΣ'Σ"), "ασ'ς");
}

TEST(ChatUnicodeTest, SplitLinesKnowsAllLineEnds) {
  const std::vector<std::string_view> lines = SplitLines("a\nb\r\nc\rd\ve\ff\x1cg\u0085h\u2028i\n");
  EXPECT_EQ(lines, (std::vector<std::string_view>{"a", "b", "c", "d", "e", "f", "g", "h", "i"}));
  EXPECT_EQ(SplitLines("a\r\n\nb", true), (std::vector<std::string_view>{"a\r\n", "\n", "b"}));
  EXPECT_TRUE(SplitLines("").empty());
}

TEST(ChatUnicodeTest, StripsSpaceOfEveryKind) {
  EXPECT_EQ(StripSpace("\u00a0\u2003 x\u3000\x1f", true, true), "x");
  EXPECT_EQ(StripSpace(" x ", true, false), "x ");
  EXPECT_EQ(StripChars("éxéyé", "é", true, true), "xéy");
}

}  // namespace
}  // namespace rocforge::text::chat
