#include "apps/terminal/keys.h"

#include <string>
#include <vector>

#include "apps/terminal/line_editor.h"
#include "tests/testing.h"

namespace rocforge::apps {
namespace {

std::vector<KeyKind> Kinds(KeyDecoder& keys) {
  std::vector<KeyKind> kinds;
  for (Key key = keys.Next(); key.kind != KeyKind::kNone; key = keys.Next()) {
    kinds.push_back(key.kind);
  }
  return kinds;
}

TEST(KeyDecoderTest, KeysThatTerminalsSend) {
  const struct {
    const char* bytes;
    KeyKind kind;
  } cases[] = {
      {"\x1b[A", KeyKind::kUp},
      {"\x1bOA", KeyKind::kUp},
      {"\x1b[D", KeyKind::kLeft},
      {"\x1b[1;5D", KeyKind::kWordLeft},
      {"\x1b[1;3C", KeyKind::kWordRight},
      {"\x1b[H", KeyKind::kHome},
      {"\x1b[1~", KeyKind::kHome},
      {"\x1b[8~", KeyKind::kEnd},
      {"\x1b[3~", KeyKind::kDelete},
      {"\x1b[5~", KeyKind::kIgnored},
      {"\x1b"
       "b",
       KeyKind::kWordLeft},
      {"\x1b"
       "f",
       KeyKind::kWordRight},
      {"\x01", KeyKind::kHome},
      {"\x05", KeyKind::kEnd},
      {"\x0b", KeyKind::kKillToEnd},
      {"\x15", KeyKind::kKillToStart},
      {"\x17", KeyKind::kKillWord},
      {"\x19", KeyKind::kYank},
      {"\x03", KeyKind::kInterrupt},
      {"\x04", KeyKind::kEndOfFile},
      {"\r", KeyKind::kEnter},
      {"\n", KeyKind::kEnter},
      {"\x7f", KeyKind::kBackspace},
      {"\x08", KeyKind::kBackspace},
      {"a", KeyKind::kText},
      {"\xC3\xA9", KeyKind::kText},
      {"\x1b[1;2P", KeyKind::kIgnored},
      {"\xFF", KeyKind::kIgnored},
  };
  for (const auto& c : cases) {
    // In one piece, and byte by byte.
    KeyDecoder whole;
    whole.Feed(c.bytes);
    EXPECT_EQ(Kinds(whole), std::vector{c.kind}) << c.bytes;
    KeyDecoder pieces;
    std::vector<KeyKind> kinds;
    for (const char byte : std::string_view(c.bytes)) {
      EXPECT_TRUE(kinds.empty()) << c.bytes;
      pieces.Feed({&byte, 1});
      kinds = Kinds(pieces);
    }
    EXPECT_EQ(kinds, std::vector{c.kind}) << c.bytes;
  }
}

TEST(KeyDecoderTest, PastesComeWhole) {
  KeyDecoder keys;
  keys.Feed("\x1b[200~a\r\nb\rc\x01\x1b[2");
  EXPECT_EQ(keys.Next().kind, KeyKind::kNone);
  keys.Feed("01~\r");
  const Key paste = keys.Next();
  EXPECT_EQ(paste.kind, KeyKind::kText);
  EXPECT_EQ(paste.text, "a\nb\nc") << "newlines made one kind, controls dropped";
  EXPECT_EQ(keys.Next().kind, KeyKind::kEnter);
}

TEST(KeyDecoderTest, ALoneEscapeIsForgottenAfterAPause) {
  KeyDecoder keys;
  keys.Feed("\x1b");
  EXPECT_EQ(keys.Next().kind, KeyKind::kNone);
  keys.FlushEscape();
  keys.Feed("[A");
  EXPECT_EQ(keys.Next().text, "[");
}

TEST(InputTest, LinesThatGoOn) {
  const auto wants = [](std::string text) { return WantsAnotherLine(&text); };
  EXPECT_FALSE(wants("hello"));
  EXPECT_TRUE(wants("\"\"\"hello"));
  EXPECT_TRUE(wants("\"\"\""));
  EXPECT_TRUE(wants("\"\"\"\"\"")) << "five quotes do not open and close";
  EXPECT_FALSE(wants("\"\"\"hello\"\"\""));
  EXPECT_FALSE(wants("\"\"\"a\nb\"\"\""));
  std::string text = "one \\";
  EXPECT_TRUE(WantsAnotherLine(&text));
  EXPECT_EQ(text, "one ");

  EXPECT_EQ(Unquoted("plain"), "plain");
  EXPECT_EQ(Unquoted("\"\"\"a\nb\"\"\""), "a\nb");
  EXPECT_EQ(Unquoted("\"\"\"\na\n\"\"\""), "a");
  EXPECT_EQ(Unquoted("\"\"\"\"\"\""), "");
}

}  // namespace
}  // namespace rocforge::apps
