// Reads lines from a person at a terminal, or from a pipe.
#pragma once

#include <string>
#include <vector>

#include "apps/terminal/keys.h"
#include "apps/terminal/line_buffer.h"

namespace rocforge::apps {

// What the Enter key means for the text so far. A backslash at its end is taken away and asks for
// another line; so does a text that begins with """ until another """ ends it.
bool WantsAnotherLine(std::string* text);
// The text without the """ around it.
std::string Unquoted(std::string text);

// Lines from stdin. On a terminal: editing (cursor keys, Home and End, Ctrl-A E B F K U W Y L,
// words with Alt or Ctrl and the arrows), history with the arrows, multi-line texts, bracketed
// paste, everything in UTF-8; drawn on stderr, so that stdout has only the answers. From a pipe:
// whole lines, without a prompt or any escape sequence.
class LineEditor {
 public:
  enum class Event {
    kLine,
    kInterrupt,  // Ctrl-C: the line was thrown away
    kEnd,        // Ctrl-D on an empty line, or the end of the input
  };

  LineEditor();

  // True if a person sits there.
  bool interactive() const { return interactive_; }
  // One input, of several lines where WantsAnotherLine asked for them. `prompt` stands before the
  // first, `more` before the others.
  Event Read(const std::string& prompt, const std::string& more, std::string* line);
  void AddHistory(std::string line);

 private:
  Event ReadPipe(std::string* line);
  Event Edit(std::string* line);
  // What the key ends, if anything; applies it to the buffer otherwise.
  bool Apply(const Key& key, Event* event);
  void ApplyEdit(const Key& key);
  void Recall(int step);
  bool ReadBytes();
  void Draw();
  void LeaveText();

  bool interactive_;
  std::string prompt_;
  std::string more_;
  KeyDecoder keys_;
  LineBuffer buffer_;
  std::string killed_;
  std::vector<std::string> history_;
  size_t recalled_ = 0;     // position in history_; its size: the line being written
  std::string unfinished_;  // that line, while an older one is shown
  int cursor_row_ = 0;      // on the screen, from the first row of the text
};

}  // namespace rocforge::apps
