#include "base/format.h"

#include <gtest/gtest.h>

namespace rocforge {
namespace {

TEST(Format, Bytes) {
  EXPECT_EQ(FormatBytes(0), "0 B");
  EXPECT_EQ(FormatBytes(1023), "1023 B");
  EXPECT_EQ(FormatBytes(1536), "1.50 KiB");
  EXPECT_EQ(FormatBytes(uint64_t{5} << 30), "5.00 GiB");
  EXPECT_EQ(FormatBytes(UINT64_MAX), "16.0 EiB");
}

TEST(Format, Seconds) {
  EXPECT_EQ(FormatSeconds(0.0000125), "12 us");
  EXPECT_EQ(FormatSeconds(0.25), "250 ms");
  EXPECT_EQ(FormatSeconds(75), "1 min 15 s");
  EXPECT_EQ(FormatSeconds(3700), "1 h 1 min");
}

TEST(Format, EscapeForTerminal) {
  EXPECT_EQ(EscapeForTerminal("plain \xC3\xA9"), "plain \xC3\xA9");
  EXPECT_EQ(EscapeForTerminal("a\x1b[31m\n\t"), "a\\x1b[31m\\n\\t");
  EXPECT_EQ(EscapeForTerminal("\xFF\xC3"), "\\xff\\xc3");
  EXPECT_EQ(EscapeForTerminal("\xC2\x9B"),
            "\\xc2\\x9b");  // C1 control: another way to start an escape sequence
  EXPECT_EQ(EscapeForTerminal("\xED\xA0\x80"), "\\xed\\xa0\\x80");
  EXPECT_EQ(EscapeForTerminal("abcdef", 3), "abc...");
  EXPECT_EQ(EscapeForTerminal("ab\xC3\xA9z", 3), "ab...");
}

}  // namespace
}  // namespace rocforge
