// Comma-separated values with quotes (RFC 4180), row by row.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "rocforge/status.h"

namespace rocforge::prof {

// Does not own the text.
class CsvReader {
 public:
  explicit CsvReader(std::string_view text) : rest_(text) {}

  // The next row that is not empty; false at the end. kDataLoss where a quote is not closed or
  // something follows a closing one.
  Result<bool> Next(std::vector<std::string>* fields);
  // Where the last row began, from 1.
  size_t line() const { return line_; }

 private:
  Status Field(std::string* field, bool* more);

  std::string_view rest_;
  size_t line_ = 0;
  size_t next_line_ = 1;
};

}  // namespace rocforge::prof
