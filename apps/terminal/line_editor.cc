#include "apps/terminal/line_editor.h"

#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "apps/terminal/interrupt.h"
#include "apps/terminal/terminal.h"
#include "base/format.h"

namespace rocforge::apps {
namespace {

constexpr std::string_view kQuotes = "\"\"\"";
// An escape sequence comes at once; an ESC alone for this long is the key.
constexpr int kEscapeMilliseconds = 50;

// Keys as they come, without echo, while it lives; pasted text is marked.
class RawMode {
 public:
  RawMode() {
    if (tcgetattr(STDIN_FILENO, &saved_) != 0) return;
    termios raw = saved_;
    raw.c_iflag &= static_cast<tcflag_t>(~(ICRNL | INLCR | IXON));
    raw.c_lflag &= static_cast<tcflag_t>(~(ICANON | ECHO | ISIG | IEXTEN));
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    active_ = tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
    std::fputs("\x1b[?2004h", stderr);
  }
  ~RawMode() {
    std::fputs("\x1b[?2004l", stderr);
    std::fflush(stderr);
    if (active_) tcsetattr(STDIN_FILENO, TCSADRAIN, &saved_);
  }
  RawMode(const RawMode&) = delete;
  RawMode& operator=(const RawMode&) = delete;

 private:
  termios saved_ = {};
  bool active_ = false;
};

}  // namespace

bool WantsAnotherLine(std::string* text) {
  if (text->starts_with(kQuotes)) {
    return text->size() < 2 * kQuotes.size() || !text->ends_with(kQuotes);
  }
  if (!text->ends_with('\\')) return false;
  text->pop_back();
  return true;
}

std::string Unquoted(std::string text) {
  if (text.size() < 2 * kQuotes.size() || !text.starts_with(kQuotes) || !text.ends_with(kQuotes)) {
    return text;
  }
  text = text.substr(kQuotes.size(), text.size() - 2 * kQuotes.size());
  if (text.starts_with('\n')) text.erase(0, 1);
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

LineEditor::LineEditor() : interactive_(isatty(STDIN_FILENO) != 0 && IsTerminal(stderr)) {}

LineEditor::Event LineEditor::Read(const std::string& prompt, const std::string& more,
                                   std::string* line) {
  prompt_ = prompt;
  more_ = more;
  return interactive_ ? Edit(line) : ReadPipe(line);
}

LineEditor::Event LineEditor::ReadPipe(std::string* line) {
  line->clear();
  bool any = false;
  while (true) {
    const int c = std::fgetc(stdin);
    if (c == EOF) {
      if (Interrupted()) return Event::kInterrupt;
      return any ? Event::kLine : Event::kEnd;
    }
    any = true;
    if (c != '\n') {
      *line += static_cast<char>(c);
      continue;
    }
    if (line->ends_with('\r')) line->pop_back();
    if (!WantsAnotherLine(line)) return Event::kLine;
    *line += '\n';
  }
}

bool LineEditor::ReadBytes() {
  char bytes[256];
  while (true) {
    const ssize_t n = read(STDIN_FILENO, bytes, sizeof(bytes));
    if (n > 0) {
      keys_.Feed({bytes, static_cast<size_t>(n)});
      return true;
    }
    if (n == 0 || errno != EINTR || Interrupted()) return false;
  }
}

LineEditor::Event LineEditor::Edit(std::string* line) {
  const RawMode raw;
  buffer_.Set({});
  recalled_ = history_.size();
  unfinished_.clear();
  cursor_row_ = 0;
  Draw();
  Event event = Event::kEnd;
  while (true) {
    const Key key = keys_.Next();
    if (key.kind != KeyKind::kNone) {
      if (Apply(key, &event)) break;
      continue;
    }
    Draw();
    pollfd input = {STDIN_FILENO, POLLIN, 0};
    if (poll(&input, 1, kEscapeMilliseconds) == 0) keys_.FlushEscape();
    if (!ReadBytes()) break;
  }
  LeaveText();
  *line = event == Event::kLine ? buffer_.text() : std::string();
  return event;
}

bool LineEditor::Apply(const Key& key, Event* event) {
  switch (key.kind) {
    case KeyKind::kEnter: {
      std::string text = buffer_.text();
      if (WantsAnotherLine(&text)) {
        buffer_.Set(text + "\n");
        return false;
      }
      buffer_.Set(std::move(text));
      *event = Event::kLine;
      return true;
    }
    case KeyKind::kInterrupt:
      *event = Event::kInterrupt;
      return true;
    case KeyKind::kEndOfFile:
      if (!buffer_.text().empty()) {
        buffer_.Delete();
        return false;
      }
      *event = Event::kEnd;
      return true;
    case KeyKind::kUp:
      if (!buffer_.Up()) Recall(-1);
      return false;
    case KeyKind::kDown:
      if (!buffer_.Down()) Recall(1);
      return false;
    case KeyKind::kClearScreen:
      std::fputs("\x1b[H\x1b[2J", stderr);
      cursor_row_ = 0;
      return false;
    default:
      ApplyEdit(key);
      return false;
  }
}

void LineEditor::ApplyEdit(const Key& key) {
  switch (key.kind) {
    case KeyKind::kText:
      buffer_.Insert(key.text);
      break;
    case KeyKind::kBackspace:
      buffer_.Backspace();
      break;
    case KeyKind::kDelete:
      buffer_.Delete();
      break;
    case KeyKind::kLeft:
      buffer_.Left();
      break;
    case KeyKind::kRight:
      buffer_.Right();
      break;
    case KeyKind::kHome:
      buffer_.Home();
      break;
    case KeyKind::kEnd:
      buffer_.End();
      break;
    case KeyKind::kWordLeft:
      buffer_.WordLeft();
      break;
    case KeyKind::kWordRight:
      buffer_.WordRight();
      break;
    case KeyKind::kKillToEnd:
      killed_ = buffer_.KillToEnd();
      break;
    case KeyKind::kKillToStart:
      killed_ = buffer_.KillToStart();
      break;
    case KeyKind::kKillWord:
      killed_ = buffer_.KillWord();
      break;
    case KeyKind::kYank:
      buffer_.Insert(killed_);
      break;
    default:
      break;
  }
}

void LineEditor::Recall(int step) {
  if (step < 0 ? recalled_ == 0 : recalled_ == history_.size()) return;
  if (recalled_ == history_.size()) unfinished_ = buffer_.text();
  recalled_ = step < 0 ? recalled_ - 1 : recalled_ + 1;
  buffer_.Set(recalled_ == history_.size() ? unfinished_ : history_[recalled_]);
}

void LineEditor::AddHistory(std::string line) {
  if (line.empty() || (!history_.empty() && history_.back() == line)) return;
  history_.push_back(std::move(line));
}

void LineEditor::Draw() {
  const int columns = TerminalColumns();
  const ScreenLayout layout =
      LayOut(buffer_.text(), buffer_.cursor(), DisplayWidth(prompt_), DisplayWidth(more_), columns);
  std::string out = "\r";
  if (cursor_row_ > 0) out += Format("\x1b[{}A", cursor_row_);
  out += "\x1b[J" + prompt_;
  for (const char c : buffer_.text()) {
    if (c == '\n') {
      out += "\r\n" + more_;
    } else {
      out += c == '\t' ? ' ' : c;
    }
  }
  if (layout.ends_at_margin) out += "\r\n";
  const int up = layout.rows - 1 - layout.cursor_row;
  if (up > 0) out += Format("\x1b[{}A", up);
  out += '\r';
  if (layout.cursor_column > 0) out += Format("\x1b[{}C", layout.cursor_column);
  cursor_row_ = layout.cursor_row;
  std::fputs(out.c_str(), stderr);
  std::fflush(stderr);
}

// Redraws with the cursor at the end and goes to a line of its own.
void LineEditor::LeaveText() {
  buffer_.Set(buffer_.text());
  Draw();
  std::fputs("\r\n", stderr);
  std::fflush(stderr);
}

}  // namespace rocforge::apps
