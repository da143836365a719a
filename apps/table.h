// Aligned columns of text.
#pragma once

#include <string>
#include <vector>

namespace rocforge::apps {

enum class Align { kLeft, kRight };

// Collects rows and prints them with every column as wide as its widest cell (in display columns),
// two spaces between. Lines without cells (titles) stand as they are.
class Table {
 public:
  explicit Table(std::vector<Align> columns) : columns_(std::move(columns)) {}
  // At most as many cells as columns.
  void AddRow(std::vector<std::string> cells) { lines_.push_back({std::move(cells), {}}); }
  void AddTitle(std::string text) { lines_.push_back({{}, std::move(text)}); }
  int width() const;  // columns of the widest row
  // Each line ends with a newline and has no spaces before it.
  std::string ToString() const;

 private:
  struct Line {
    std::vector<std::string> cells;
    std::string title;
  };
  std::vector<int> Widths() const;

  std::vector<Align> columns_;
  std::vector<Line> lines_;
};

}  // namespace rocforge::apps
