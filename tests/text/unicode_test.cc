#include "text/unicode.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "text/unicode_data.h"

namespace rocforge::text {
namespace {

TEST(Unicode, TablesAreInOrder) {
  for (size_t i = 1; i < kCategoryRunsCount; ++i) {
    ASSERT_LT(kCategoryRuns[i - 1] & 0x1FFFFF, kCategoryRuns[i] & 0x1FFFFF);
  }
  EXPECT_EQ(kCategoryRuns[0] & 0x1FFFFF, 0u);
  for (size_t i = 1; i < kLowercaseCount; ++i) {
    ASSERT_LT(kLowercase[i - 1].from, kLowercase[i].from);
  }
  for (size_t i = 0; i < kDecompositionsCount; ++i) {
    if (i > 0) {
      ASSERT_LT(kDecompositions[i - 1].code_point, kDecompositions[i].code_point);
    }
    ASSERT_LE(size_t{kDecompositions[i].begin} + kDecompositions[i].size, kDecompositionPoolCount);
  }
}

TEST(Unicode, CategoriesOfKnownCharacters) {
  EXPECT_EQ(CategoryOf('A'), Category::kLu);
  EXPECT_EQ(CategoryOf('a'), Category::kLl);
  EXPECT_EQ(CategoryOf(0x01C5), Category::kLt);
  EXPECT_EQ(CategoryOf(0x02B0), Category::kLm);
  EXPECT_EQ(CategoryOf(0x732B), Category::kLo);
  EXPECT_EQ(CategoryOf(0x0301), Category::kMn);
  EXPECT_EQ(CategoryOf(0x093F), Category::kMc);
  EXPECT_EQ(CategoryOf(0x20DD), Category::kMe);
  EXPECT_EQ(CategoryOf(0x0663), Category::kNd);
  EXPECT_EQ(CategoryOf(0x2167), Category::kNl);
  EXPECT_EQ(CategoryOf(0x00BD), Category::kNo);
  EXPECT_EQ(CategoryOf('_'), Category::kPc);
  EXPECT_EQ(CategoryOf('$'), Category::kSc);
  EXPECT_EQ(CategoryOf(' '), Category::kZs);
  EXPECT_EQ(CategoryOf(0x180E), Category::kCf);
  EXPECT_EQ(CategoryOf(0xD800), Category::kCs);
  EXPECT_EQ(CategoryOf(0xE000), Category::kCo);
  EXPECT_EQ(CategoryOf(0x10FFFF), Category::kCn);
  EXPECT_EQ(CategoryOf(0x2EBF0), Category::kLo);  // new in 15.1
  EXPECT_EQ(CategoryOf(0x1C89), Category::kCn);   // new in 16.0
}

TEST(Unicode, FlagsFollowTheCategories) {
  const uint8_t* flags = CharFlagTable();
  for (uint32_t cp = 0; cp < kCodePointLimit; ++cp) {
    const Category category = CategoryOf(cp);
    ASSERT_EQ((flags[cp] & kLetter) != 0, category <= Category::kLo) << cp;
    ASSERT_EQ((flags[cp] & kNumber) != 0, category >= Category::kNd && category <= Category::kNo)
        << cp;
    ASSERT_EQ((flags[cp] & kNewline) != 0, cp == '\r' || cp == '\n') << cp;
  }
  int spaces = 0;
  for (uint32_t cp = 0; cp < kCodePointLimit; ++cp) spaces += (flags[cp] & kWhitespace) != 0;
  EXPECT_EQ(spaces, 25);  // PropList.txt, White_Space
  EXPECT_EQ(flags[0x180E] & kWhitespace, 0);
  EXPECT_NE(flags[0x85] & kWhitespace, 0);
}

TEST(Unicode, Lowercase) {
  EXPECT_EQ(ToLower('Q'), uint32_t{'q'});
  EXPECT_EQ(ToLower('q'), uint32_t{'q'});
  EXPECT_EQ(ToLower(0x0130), uint32_t{'i'});
  EXPECT_EQ(ToLower(0x1E9E), 0xDFu);
  EXPECT_EQ(ToLower(0x10400), 0x10428u);
}

TEST(Unicode, Decompositions) {
  const auto decompose = [](uint32_t cp) {
    std::vector<uint32_t> parts;
    AppendDecomposition(cp, &parts);
    return parts;
  };
  using Parts = std::vector<uint32_t>;
  EXPECT_EQ(decompose('a'), Parts({'a'}));
  EXPECT_EQ(decompose(0xE9), Parts({'e', 0x301}));
  EXPECT_EQ(decompose(0x1ED9), Parts({'o', 0x323, 0x302}));
  EXPECT_EQ(decompose(0x212B), Parts({'A', 0x30A}));
  EXPECT_EQ(decompose(0xAC00), Parts({0x1100, 0x1161}));
  EXPECT_EQ(decompose(0xAC01), Parts({0x1100, 0x1161, 0x11A8}));
  EXPECT_EQ(decompose(0xD7A3), Parts({0x1112, 0x1175, 0x11C2}));
}

TEST(Unicode, Utf8RoundTrip) {
  std::string all;
  for (uint32_t cp = 0; cp < kCodePointLimit; ++cp) {
    if (cp >= 0xD800 && cp < 0xE000) continue;
    std::string one;
    AppendUtf8(cp, &one);
    ASSERT_EQ(WellFormedLength(one), one.size()) << cp;
    ASSERT_EQ(Utf8Length(one[0]), one.size()) << cp;
    const char* p = one.data();
    ASSERT_EQ(DecodeUtf8(&p), cp);
    ASSERT_EQ(p, one.data() + one.size());
    for (size_t cut = 1; cut < one.size(); ++cut) {
      ASSERT_EQ(WellFormedLength(std::string_view(one).substr(0, cut)), 0u) << cp;
    }
    all += one;
  }
  EXPECT_TRUE(IsUtf8(all));
  EXPECT_EQ(RepairUtf8(all), all);
}

TEST(Unicode, IllFormedSequences) {
  const std::string cases[] = {"\x80",
                               "\xBF",
                               "\xC0\x80",
                               "\xC1\xBF",
                               "\xE0\x80\x80",
                               "\xED\xA0\x80",
                               "\xF0\x80\x80\x80",
                               "\xF4\x90\x80\x80",
                               "\xF5\x80\x80\x80",
                               "\xFF",
                               "\xE2\x96",
                               "\xF0\x9F"};
  for (const std::string& bytes : cases) {
    EXPECT_EQ(WellFormedLength(bytes), 0u);
    // Behind and before long plain text, where the fast path looks.
    EXPECT_FALSE(IsUtf8("12345678" + bytes));
    EXPECT_FALSE(IsUtf8(bytes + "12345678"));
    std::string expected;
    for (size_t i = 0; i < bytes.size(); ++i) expected += "\xEF\xBF\xBD";
    EXPECT_EQ(RepairUtf8("a" + bytes + "é"), "a" + expected + "é");
  }
  EXPECT_TRUE(IsUtf8(""));
}

}  // namespace
}  // namespace rocforge::text
