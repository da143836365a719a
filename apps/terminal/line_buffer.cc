#include "apps/terminal/line_buffer.h"

#include <algorithm>
#include <utility>

#include "apps/terminal/terminal.h"

namespace rocforge::apps {
namespace {

bool IsSpace(char c) { return c == ' ' || c == '\n' || c == '\t'; }

}  // namespace

void LineBuffer::Set(std::string text) {
  text_ = std::move(text);
  cursor_ = text_.size();
}

void LineBuffer::Insert(std::string_view text) {
  text_.insert(cursor_, text);
  cursor_ += text.size();
}

size_t LineBuffer::Next(size_t at) const {
  if (at >= text_.size()) return text_.size();
  at += FirstCharacter(std::string_view(text_).substr(at)).bytes;
  while (at < text_.size()) {
    const TextCharacter c = FirstCharacter(std::string_view(text_).substr(at));
    if (c.width > 0) break;
    at += c.bytes;
  }
  return at;
}

size_t LineBuffer::Previous(size_t at) const {
  // Characters are found from their beginning: walk there from the start of the line.
  size_t begin = at == 0 ? 0 : LineStart(at - 1);
  size_t before = begin;
  while (begin < at) {
    before = begin;
    begin = Next(begin);
  }
  return before;
}

size_t LineBuffer::LineStart(size_t at) const {
  if (at == 0) return 0;
  const size_t newline = text_.rfind('\n', at - 1);
  return newline == std::string::npos ? 0 : newline + 1;
}

size_t LineBuffer::LineEnd(size_t at) const { return std::min(text_.find('\n', at), text_.size()); }

size_t LineBuffer::WordStart() const {
  size_t at = cursor_;
  while (at > 0 && IsSpace(text_[at - 1])) --at;
  while (at > 0 && !IsSpace(text_[at - 1])) --at;
  return at;
}

std::string LineBuffer::Remove(size_t begin, size_t end) {
  std::string removed = text_.substr(begin, end - begin);
  text_.erase(begin, end - begin);
  cursor_ = begin;
  return removed;
}

void LineBuffer::Backspace() { Remove(Previous(cursor_), cursor_); }
void LineBuffer::Delete() { Remove(cursor_, Next(cursor_)); }
void LineBuffer::Left() { cursor_ = Previous(cursor_); }
void LineBuffer::Right() { cursor_ = Next(cursor_); }
void LineBuffer::WordLeft() { cursor_ = WordStart(); }

void LineBuffer::WordRight() {
  while (cursor_ < text_.size() && IsSpace(text_[cursor_])) ++cursor_;
  while (cursor_ < text_.size() && !IsSpace(text_[cursor_])) ++cursor_;
}

void LineBuffer::Home() { cursor_ = LineStart(cursor_); }
void LineBuffer::End() { cursor_ = LineEnd(cursor_); }

void LineBuffer::MoveToColumn(size_t line_start, int column) {
  const size_t end = LineEnd(line_start);
  cursor_ = line_start;
  for (int width = 0; cursor_ < end;) {
    width += FirstCharacter(std::string_view(text_).substr(cursor_)).width;
    if (width > column) break;
    cursor_ = std::min(Next(cursor_), end);
  }
}

bool LineBuffer::Up() {
  const size_t start = LineStart(cursor_);
  if (start == 0) return false;
  MoveToColumn(LineStart(start - 1),
               DisplayWidth(std::string_view(text_).substr(start, cursor_ - start)));
  return true;
}

bool LineBuffer::Down() {
  const size_t start = LineStart(cursor_);
  const size_t end = LineEnd(cursor_);
  if (end == text_.size()) return false;
  MoveToColumn(end + 1, DisplayWidth(std::string_view(text_).substr(start, cursor_ - start)));
  return true;
}

std::string LineBuffer::KillToEnd() {
  const size_t end = LineEnd(cursor_);
  return Remove(cursor_, end == cursor_ && end < text_.size() ? end + 1 : end);
}

std::string LineBuffer::KillToStart() { return Remove(LineStart(cursor_), cursor_); }
std::string LineBuffer::KillWord() { return Remove(WordStart(), cursor_); }

ScreenLayout LayOut(std::string_view text, size_t cursor, int prompt_width, int more_width,
                    int columns) {
  ScreenLayout layout;
  int row = 0;
  int column = prompt_width;
  for (size_t at = 0;;) {
    if (at == cursor) {
      // A cursor behind a full row shows at the start of the next.
      layout.cursor_row = column >= columns ? row + 1 : row;
      layout.cursor_column = column >= columns ? 0 : column;
    }
    if (at >= text.size()) break;
    if (text[at] == '\n') {
      ++row;
      column = more_width;
      ++at;
      continue;
    }
    const TextCharacter c = FirstCharacter(text.substr(at));
    if (column + c.width > columns) {
      ++row;
      column = 0;
    }
    column += c.width;
    at += c.bytes;
  }
  layout.ends_at_margin = column >= columns;
  layout.rows = row + 1 + (layout.ends_at_margin ? 1 : 0);
  return layout;
}

}  // namespace rocforge::apps
