#include "prof/csv.h"

#include "base/format.h"

namespace rocforge::prof {

// One field and what ends it: *more for a comma, else the line or the text has ended.
Status CsvReader::Field(std::string* field, bool* more) {
  field->clear();
  if (rest_.starts_with('"')) {
    size_t at = 1;
    while (true) {
      const size_t quote = rest_.find('"', at);
      if (quote == std::string_view::npos) {
        return DataLoss(
            Format("line {}: a quote is not closed; the file seems to be cut off", line_));
      }
      for (const char c : rest_.substr(at, quote - at)) next_line_ += c == '\n' ? 1 : 0;
      field->append(rest_.substr(at, quote - at));
      at = quote + 1;
      if (at >= rest_.size() || rest_[at] != '"') break;
      *field += '"';
      ++at;
    }
    rest_.remove_prefix(at);
    if (!rest_.empty() && rest_[0] != ',' && rest_[0] != '\n' && rest_[0] != '\r')
      return DataLoss(Format("line {}: text after a closing quote", line_));
  } else {
    field->assign(rest_.substr(0, rest_.find_first_of(",\r\n")));
    rest_.remove_prefix(field->size());
  }
  *more = rest_.starts_with(',');
  if (*more) {
    rest_.remove_prefix(1);
    return {};
  }
  if (rest_.starts_with("\r\n")) rest_.remove_prefix(1);
  if (!rest_.empty()) {
    rest_.remove_prefix(1);
    ++next_line_;
  }
  return {};
}

Result<bool> CsvReader::Next(std::vector<std::string>* fields) {
  while (!rest_.empty()) {
    fields->clear();
    line_ = next_line_;
    for (bool more = true; more;) {
      ROCFORGE_RETURN_IF_ERROR(Field(&fields->emplace_back(), &more));
    }
    if (fields->size() > 1 || !fields->front().empty()) return true;
  }
  return false;
}

}  // namespace rocforge::prof
