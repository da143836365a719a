#include "apps/terminal/line_buffer.h"

#include <random>
#include <string>

#include "apps/terminal/terminal.h"
#include "tests/testing.h"

namespace rocforge::apps {
namespace {

// The text with | where the cursor is.
std::string Shown(const LineBuffer& buffer) {
  std::string text = buffer.text();
  text.insert(buffer.cursor(), "|");
  return text;
}

TEST(LineBufferTest, MovesByCharacters) {
  LineBuffer buffer;
  buffer.Set("a\xC3\xA9\xE2\x82\xACz");  // a é € z
  buffer.Left();
  buffer.Left();
  EXPECT_EQ(Shown(buffer), "a\xC3\xA9|\xE2\x82\xACz");
  buffer.Backspace();
  EXPECT_EQ(Shown(buffer), "a|\xE2\x82\xACz");
  buffer.Delete();
  EXPECT_EQ(Shown(buffer), "a|z");
  buffer.Insert("bc");
  EXPECT_EQ(Shown(buffer), "abc|z");
  buffer.Home();
  buffer.Left();
  buffer.Backspace();
  EXPECT_EQ(Shown(buffer), "|abcz");
  buffer.End();
  buffer.Right();
  buffer.Delete();
  EXPECT_EQ(Shown(buffer), "abcz|");
}

TEST(LineBufferTest, CombiningMarksGoWithTheirCharacter) {
  LineBuffer buffer;
  buffer.Set("xe\xCC\x81y");  // e and a combining acute
  buffer.Left();
  buffer.Left();
  EXPECT_EQ(Shown(buffer), "x|e\xCC\x81y");
  buffer.Right();
  buffer.Backspace();
  EXPECT_EQ(Shown(buffer), "x|y");
}

TEST(LineBufferTest, WordsAndKills) {
  LineBuffer buffer;
  buffer.Set("one two  three");
  buffer.WordLeft();
  EXPECT_EQ(Shown(buffer), "one two  |three");
  EXPECT_EQ(buffer.KillWord(), "two  ");
  EXPECT_EQ(Shown(buffer), "one |three");
  buffer.WordRight();
  EXPECT_EQ(Shown(buffer), "one three|");
  buffer.Home();
  EXPECT_EQ(buffer.KillToEnd(), "one three");
  buffer.Set("abc");
  EXPECT_EQ(buffer.KillToStart(), "abc");
  EXPECT_EQ(Shown(buffer), "|");
  EXPECT_EQ(buffer.KillWord(), "");
  EXPECT_EQ(buffer.KillToEnd(), "");
}

TEST(LineBufferTest, SeveralLines) {
  LineBuffer buffer;
  buffer.Set("first\nse\nthird");
  EXPECT_FALSE(buffer.Down());
  EXPECT_TRUE(buffer.Up());
  EXPECT_EQ(Shown(buffer), "first\nse|\nthird") << "the line is shorter";
  EXPECT_TRUE(buffer.Up());
  EXPECT_EQ(Shown(buffer), "fi|rst\nse\nthird");
  EXPECT_FALSE(buffer.Up());
  buffer.End();
  EXPECT_EQ(buffer.KillToEnd(), "\n") << "at the end of a line, the newline itself";
  EXPECT_EQ(Shown(buffer), "first|se\nthird");
  EXPECT_TRUE(buffer.Down());
  buffer.Home();
  EXPECT_EQ(Shown(buffer), "firstse\n|third");
  buffer.Left();
  EXPECT_EQ(Shown(buffer), "firstse|\nthird");
}

TEST(LineBufferTest, RandomEditsKeepWholeCharacters) {
  const auto seed = std::random_device()();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  const std::string pieces[] = {"a",  " ",        "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80",
                                "\n", "e\xCC\x81"};
  LineBuffer buffer;
  for (int i = 0; i < 20000; ++i) {
    switch (random() % 14) {
      case 0:
        buffer.Backspace();
        break;
      case 1:
        buffer.Delete();
        break;
      case 2:
        buffer.Left();
        break;
      case 3:
        buffer.Right();
        break;
      case 4:
        buffer.WordLeft();
        break;
      case 5:
        buffer.WordRight();
        break;
      case 6:
        buffer.Up();
        break;
      case 7:
        buffer.Down();
        break;
      case 8:
        buffer.Home();
        break;
      case 9:
        buffer.End();
        break;
      case 10:
        if (random() % 20 == 0) buffer.KillToEnd();
        break;
      case 11:
        if (random() % 20 == 0) buffer.KillWord();
        break;
      default:
        buffer.Insert(pieces[random() % std::size(pieces)]);
    }
    ASSERT_LE(buffer.cursor(), buffer.text().size());
    // Every byte belongs to a character, and the cursor stands before one.
    bool cursor_seen = false;
    for (size_t at = 0; at < buffer.text().size();) {
      cursor_seen |= at == buffer.cursor();
      const size_t n = FirstCharacter(std::string_view(buffer.text()).substr(at)).bytes;
      ASSERT_TRUE(n > 1 || (buffer.text()[at] & 0x80) == 0);
      at += n;
    }
    ASSERT_TRUE(cursor_seen || buffer.cursor() == buffer.text().size());
  }
}

TEST(LayOutTest, WrapsAtTheMargin) {
  // A prompt of 4 columns on a screen of 10: six characters fill the first row.
  ScreenLayout layout = LayOut("abcde", 5, 4, 4, 10);
  EXPECT_EQ(layout.rows, 1);
  EXPECT_EQ(layout.cursor_column, 9);
  layout = LayOut("abcdef", 6, 4, 4, 10);
  EXPECT_TRUE(layout.ends_at_margin);
  EXPECT_EQ(layout.rows, 2);
  EXPECT_EQ(layout.cursor_row, 1);
  EXPECT_EQ(layout.cursor_column, 0);
  layout = LayOut("abcdefgh", 7, 4, 4, 10);
  EXPECT_FALSE(layout.ends_at_margin);
  EXPECT_EQ(layout.rows, 2);
  EXPECT_EQ(layout.cursor_row, 1);
  EXPECT_EQ(layout.cursor_column, 1);
}

TEST(LayOutTest, WideCharactersAndNewlines) {
  // A wide character that does not fit goes to the next row whole.
  ScreenLayout layout = LayOut("abcde\xE4\xB8\xADz", 9, 4, 4, 10);
  EXPECT_EQ(layout.rows, 2);
  EXPECT_EQ(layout.cursor_row, 1);
  EXPECT_EQ(layout.cursor_column, 3);
  layout = LayOut("ab\ncd\n", 6, 4, 2, 10);
  EXPECT_EQ(layout.rows, 3);
  EXPECT_EQ(layout.cursor_row, 2);
  EXPECT_EQ(layout.cursor_column, 2);
  layout = LayOut("", 0, 4, 4, 10);
  EXPECT_EQ(layout.rows, 1);
  EXPECT_EQ(layout.cursor_column, 4);
}

TEST(TerminalTest, Widths) {
  EXPECT_EQ(DisplayWidth("abc"), 3);
  EXPECT_EQ(DisplayWidth("\xC3\xA9"), 1);
  EXPECT_EQ(DisplayWidth("e\xCC\x81"), 1);
  EXPECT_EQ(DisplayWidth("\xE4\xB8\xAD\xE6\x96\x87"), 4);
  EXPECT_EQ(DisplayWidth("\xF0\x9F\x98\x80"), 2);
  EXPECT_EQ(DisplayWidth("\xFF\xC3"), 2) << "broken bytes take a column each";
  EXPECT_EQ(FitColumns("abcdef", 6), "abcdef");
  EXPECT_EQ(FitColumns("abcdefg", 6), "abc...");
  EXPECT_EQ(FitColumns("\xE4\xB8\xAD\xE6\x96\x87\xE4\xB8\xAD", 5), "\xE4\xB8\xAD...");
  EXPECT_EQ(FitColumns("abcdef", 2), "..");
  EXPECT_EQ(FitColumns("abcdef", 0), "");
}

}  // namespace
}  // namespace rocforge::apps
