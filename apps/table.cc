#include "apps/table.h"

#include <algorithm>
#include <cstddef>

#include "apps/terminal/terminal.h"

namespace rocforge::apps {

std::vector<int> Table::Widths() const {
  std::vector<int> widths(columns_.size(), 0);
  for (const Line& line : lines_) {
    for (size_t i = 0; i < line.cells.size(); ++i) {
      widths[i] = std::max(widths[i], DisplayWidth(line.cells[i]));
    }
  }
  return widths;
}

int Table::width() const {
  int width = -2;  // two spaces between columns
  for (const int column : Widths()) width += column + 2;
  return std::max(width, 0);
}

std::string Table::ToString() const {
  const std::vector<int> widths = Widths();
  std::string out;
  for (const Line& line : lines_) {
    std::string text = line.title;
    for (size_t i = 0; i < line.cells.size(); ++i) {
      const std::string padding(static_cast<size_t>(widths[i] - DisplayWidth(line.cells[i])), ' ');
      if (i > 0) text += "  ";
      text += columns_[i] == Align::kLeft ? line.cells[i] + padding : padding + line.cells[i];
    }
    text.erase(text.find_last_not_of(' ') + 1);
    out += text + '\n';
  }
  return out;
}

}  // namespace rocforge::apps
