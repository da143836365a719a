// The text of a line editor and its cursor, without a terminal.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace rocforge::apps {

// UTF-8 text that may hold newlines. The cursor stands between characters; a character goes
// together with the combining marks after it.
class LineBuffer {
 public:
  const std::string& text() const { return text_; }
  size_t cursor() const { return cursor_; }  // byte offset

  // The cursor goes to the end.
  void Set(std::string text);
  void Insert(std::string_view text);
  void Backspace();
  void Delete();
  void Left();
  void Right();
  void WordLeft();
  void WordRight();
  void Home();  // of the line that the cursor is in
  void End();
  // To the line above or below, in the same column where it has one. False if there is none.
  bool Up();
  bool Down();
  // They return what they removed.
  std::string KillToEnd();    // of the line; the newline itself if the cursor is there
  std::string KillToStart();  // of the line
  std::string KillWord();     // before the cursor, with the spaces after it

 private:
  size_t Next(size_t at) const;
  size_t Previous(size_t at) const;
  size_t LineStart(size_t at) const;
  size_t LineEnd(size_t at) const;
  size_t WordStart() const;
  void MoveToColumn(size_t line_start, int column);
  std::string Remove(size_t begin, size_t end);  // the cursor goes to begin

  std::string text_;
  size_t cursor_ = 0;
};

// Where the characters of `text` fall on a screen `columns` wide, when its first line stands after
// a prompt of prompt_width columns, and each later one after one of more_width.
struct ScreenLayout {
  int rows = 1;  // that the text takes, one for an empty one
  int cursor_row = 0;
  int cursor_column = 0;
  bool ends_at_margin = false;  // the last row is full: the terminal has not wrapped yet
};
ScreenLayout LayOut(std::string_view text, size_t cursor, int prompt_width, int more_width,
                    int columns);

}  // namespace rocforge::apps
