#include "apps/output.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include "base/format.h"

namespace rocforge::apps {
namespace {

// Newlines and tabs as they are, other control characters as escapes.
std::string SafeForTerminal(std::string_view text) {
  std::string safe;
  while (!text.empty()) {
    const size_t plain = std::min(text.find_first_of("\n\t"), text.size());
    safe += EscapeForTerminal(text.substr(0, plain));
    if (plain < text.size()) safe += text[plain];
    text.remove_prefix(std::min(plain + 1, text.size()));
  }
  return safe;
}

}  // namespace

Status WriteStdout(std::string_view text) {
  // What others printed through stdio comes first.
  std::fflush(stdout);
  while (!text.empty()) {
    const ssize_t n = write(STDOUT_FILENO, text.data(), text.size());
    if (n >= 0) {
      text.remove_prefix(static_cast<size_t>(n));
    } else if (errno != EINTR) {  // Ctrl-C while a slow reader keeps us waiting
      return Unavailable(Format("cannot write to standard output: {}", std::strerror(errno)));
    }
  }
  return {};
}

TextOutput::TextOutput() : terminal_(isatty(STDOUT_FILENO) != 0) {}

void TextOutput::Write(std::string_view piece) {
  if (piece.empty() || !status_.ok()) return;
  line_open_ = piece.back() != '\n';
  status_ = terminal_ ? WriteStdout(SafeForTerminal(piece)) : WriteStdout(piece);
}

void TextOutput::EndLine() {
  if (!terminal_ || !line_open_) return;
  if (status_.ok()) status_ = WriteStdout("\n");
  line_open_ = false;
}

}  // namespace rocforge::apps
