// Text for stdout, as it comes.
#pragma once

#include <string_view>

#include "rocforge/status.h"

namespace rocforge::apps {

// Writes all of `text` to stdout at once. kUnavailable with the system's reason (a full disk).
Status WriteStdout(std::string_view text);

// A stream of generated text. A pipe or a file gets exactly the text. On a terminal, control
// characters other than newline and tab are shown as escapes (\x1b), so that a model's output
// cannot drive the terminal. Pieces must be whole characters. The first failure stays in status().
class TextOutput {
 public:
  TextOutput();
  void Write(std::string_view piece);
  // On a terminal: starts a new line if the text has not ended with one.
  void EndLine();
  // Whether the text so far ends without a newline.
  bool line_open() const { return line_open_; }
  const Status& status() const { return status_; }

 private:
  bool terminal_;
  bool line_open_ = false;
  Status status_;
};

}  // namespace rocforge::apps
