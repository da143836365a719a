// What a terminal sends, as keys.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace rocforge::apps {

enum class KeyKind {
  kNone,  // nothing yet: the bytes so far are the beginning of a key
  kText,  // one character, or a whole paste with its newlines
  kEnter,
  kBackspace,
  kDelete,
  kLeft,
  kRight,
  kUp,
  kDown,
  kHome,
  kEnd,
  kWordLeft,
  kWordRight,
  kKillToEnd,
  kKillToStart,
  kKillWord,
  kYank,
  kClearScreen,
  kInterrupt,  // Ctrl-C
  kEndOfFile,  // Ctrl-D
  kIgnored,    // a key without a meaning here
};

struct Key {
  KeyKind kind = KeyKind::kNone;
  std::string text;  // kText only
};

// Bytes in, keys out: ANSI and xterm sequences, UTF-8, bracketed paste, the Emacs control keys.
class KeyDecoder {
 public:
  void Feed(std::string_view bytes) { bytes_ += bytes; }
  // The next key; kNone when more bytes are needed.
  Key Next();
  // A pause has come: a lone ESC is then a key by itself and not the start of a sequence.
  void FlushEscape();

 private:
  Key Take(KeyKind kind, size_t n);
  Key NextEscape();
  Key NextCsi();
  Key NextPaste();

  std::string bytes_;
  bool pasting_ = false;
};

}  // namespace rocforge::apps
