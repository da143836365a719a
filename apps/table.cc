#include "apps/table.h"

#include <algorithm>
#include <cstddef>

#include "apps/terminal.h"

namespace rocforge::apps {

std::string Table::ToString() const {
  std::vector<int> widths(columns_.size(), 0);
  for (const Line& line : lines_) {
    for (size_t i = 0; i < line.cells.size(); ++i) {
      widths[i] = std::max(widths[i], DisplayWidth(line.cells[i]));
    }
  }
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
