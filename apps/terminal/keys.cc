#include "apps/terminal/keys.h"

#include <utility>

#include "apps/terminal/terminal.h"

namespace rocforge::apps {
namespace {

constexpr char kEscape = '\x1b';
constexpr std::string_view kPasteEnd = "\x1b[201~";

KeyKind ControlKey(char c) {
  switch (c) {
    case 'A' - 64:
      return KeyKind::kHome;
    case 'B' - 64:
      return KeyKind::kLeft;
    case 'C' - 64:
      return KeyKind::kInterrupt;
    case 'D' - 64:
      return KeyKind::kEndOfFile;
    case 'E' - 64:
      return KeyKind::kEnd;
    case 'F' - 64:
      return KeyKind::kRight;
    case 'H' - 64:
    case 127:
      return KeyKind::kBackspace;
    case 'J' - 64:
    case 'M' - 64:
      return KeyKind::kEnter;
    case 'K' - 64:
      return KeyKind::kKillToEnd;
    case 'L' - 64:
      return KeyKind::kClearScreen;
    case 'N' - 64:
      return KeyKind::kDown;
    case 'P' - 64:
      return KeyKind::kUp;
    case 'U' - 64:
      return KeyKind::kKillToStart;
    case 'W' - 64:
      return KeyKind::kKillWord;
    case 'Y' - 64:
      return KeyKind::kYank;
    default:
      return KeyKind::kIgnored;
  }
}

// Final byte of a sequence such as ESC [ A or ESC O A.
KeyKind LetterKey(char c, bool control) {
  switch (c) {
    case 'A':
      return KeyKind::kUp;
    case 'B':
      return KeyKind::kDown;
    case 'C':
      return control ? KeyKind::kWordRight : KeyKind::kRight;
    case 'D':
      return control ? KeyKind::kWordLeft : KeyKind::kLeft;
    case 'H':
      return KeyKind::kHome;
    case 'F':
      return KeyKind::kEnd;
    default:
      return KeyKind::kIgnored;
  }
}

// Number of a sequence such as ESC [ 3 ~.
KeyKind TildeKey(std::string_view parameters) {
  const std::string_view number = parameters.substr(0, parameters.find(';'));
  if (number == "1" || number == "7") return KeyKind::kHome;
  if (number == "4" || number == "8") return KeyKind::kEnd;
  if (number == "3") return KeyKind::kDelete;
  return KeyKind::kIgnored;
}

size_t SequenceBytes(char lead) {
  const auto c = static_cast<unsigned char>(lead);
  if (c < 0xC2 || c > 0xF4) return 1;  // ASCII, or no beginning of a character
  return c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
}

}  // namespace

Key KeyDecoder::Take(KeyKind kind, size_t n) {
  Key key{kind, kind == KeyKind::kText ? bytes_.substr(0, n) : std::string()};
  bytes_.erase(0, n);
  return key;
}

Key KeyDecoder::Next() {
  if (pasting_) return NextPaste();
  if (bytes_.empty()) return {};
  const char c = bytes_[0];
  if (c == kEscape) return NextEscape();
  if (c == '\t') {
    bytes_.erase(0, 1);
    return {KeyKind::kText, "    "};
  }
  if (static_cast<unsigned char>(c) < 0x20 || c == 127) return Take(ControlKey(c), 1);
  const size_t n = SequenceBytes(c);
  if (bytes_.size() < n) return {};
  // Bytes that are no UTF-8 (a terminal with another encoding) are dropped one by one.
  if (FirstCharacter(bytes_).bytes != n || (n == 1 && (c & 0x80) != 0)) {
    return Take(KeyKind::kIgnored, 1);
  }
  return Take(KeyKind::kText, n);
}

Key KeyDecoder::NextEscape() {
  if (bytes_.size() < 2) return {};
  switch (bytes_[1]) {
    case '[':
      return NextCsi();
    case 'O':
      return bytes_.size() < 3 ? Key{} : Take(LetterKey(bytes_[2], false), 3);
    case 'b':
      return Take(KeyKind::kWordLeft, 2);
    case 'f':
      return Take(KeyKind::kWordRight, 2);
    case 127:
    case '\b':
      return Take(KeyKind::kKillWord, 2);
    case kEscape:
      return Take(KeyKind::kIgnored, 1);
    default:
      return Take(KeyKind::kIgnored, 2);
  }
}

Key KeyDecoder::NextCsi() {
  // ESC [ parameters final, where the final byte is 0x40 to 0x7e.
  size_t end = 2;
  while (end < bytes_.size() && (bytes_[end] < 0x40 || bytes_[end] > 0x7E)) ++end;
  if (end >= bytes_.size()) return {};
  const std::string parameters = bytes_.substr(2, end - 2);
  const char final = bytes_[end];
  if (final == '~' && parameters == "200") {
    bytes_.erase(0, end + 1);
    pasting_ = true;
    return NextPaste();
  }
  const bool modified = parameters.ends_with(";5") || parameters.ends_with(";3");
  return Take(final == '~' ? TildeKey(parameters) : LetterKey(final, modified), end + 1);
}

Key KeyDecoder::NextPaste() {
  const size_t end = bytes_.find(kPasteEnd);
  if (end == std::string::npos) return {};
  std::string text;
  for (size_t i = 0; i < end; ++i) {
    const char c = bytes_[i];
    if (c == '\r') {
      // Terminals send the newlines of a paste as carriage returns.
      text += '\n';
      if (i + 1 < end && bytes_[i + 1] == '\n') ++i;
    } else if (c == '\n' || c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 127)) {
      text += c;
    }
  }
  bytes_.erase(0, end + kPasteEnd.size());
  pasting_ = false;
  return {KeyKind::kText, std::move(text)};
}

void KeyDecoder::FlushEscape() {
  if (bytes_.size() == 1 && bytes_[0] == kEscape) bytes_.clear();
}

}  // namespace rocforge::apps
