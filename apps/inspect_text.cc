#include <algorithm>
#include <array>
#include <type_traits>
#include <variant>
#include <vector>

#include "apps/inspect.h"
#include "apps/terminal/terminal.h"
#include "base/format.h"

namespace rocforge::apps {
namespace {

using gguf::Array;
using gguf::File;
using gguf::TensorInfo;
using gguf::Value;
using gguf::ValueType;

constexpr size_t kMaxSummaryBytes = 200;
constexpr int kMaxColumn = 60;  // a longer cell pushes its row out of line, not the whole table

constexpr int kGap = 2;  // spaces in front of each column

std::string Pad(std::string text, int width) {
  const int missing = width - DisplayWidth(text);
  if (missing > 0) text.append(static_cast<size_t>(missing), ' ');
  return text;
}

std::string PadLeft(const std::string& text, int width) {
  const int missing = width - DisplayWidth(text);
  return missing > 0 ? std::string(static_cast<size_t>(missing), ' ') + text : text;
}

// Rows of cells in columns as wide as their widest cell; `right` names the columns of numbers.
std::string Table(const std::vector<std::vector<std::string>>& rows,
                  const std::vector<bool>& right) {
  std::vector<int> widths(right.size(), 0);
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], std::min(DisplayWidth(row[i]), kMaxColumn));
    }
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      line.append(kGap, ' ');
      line += right[i] ? PadLeft(row[i], widths[i]) : Pad(row[i], widths[i]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

// "24,407,712"
std::string Thousands(int64_t n) {
  std::string digits = std::to_string(n);
  for (int at = static_cast<int>(digits.size()) - 3; at > 0; at -= 3) {
    digits.insert(static_cast<size_t>(at), ",");
  }
  return digits;
}

// "24.4 M": powers of 1000, three significant digits.
std::string Count(int64_t n) {
  static constexpr std::array kUnits = {"", " k", " M", " B", " T"};
  auto value = static_cast<double>(n);
  size_t unit = 0;
  while (value >= 999.5 && unit + 1 < kUnits.size()) {
    value /= 1000;
    ++unit;
  }
  if (unit == 0) return std::to_string(n);
  return Format("{:.{}f}{}", value, value < 9.995 ? 2 : value < 99.95 ? 1 : 0, kUnits[unit]);
}

std::string Number(int64_t v, bool) { return std::to_string(v); }
std::string Number(uint64_t v, bool) { return std::to_string(v); }
std::string Number(bool v, bool) { return v ? "true" : "false"; }
// A float32 with the few digits that a float has: 1e-05, not 9.999999747378752e-06.
std::string Number(double v, bool single) {
  return single ? Format("{}", static_cast<float>(v)) : Format("{}", v);
}

std::string ValueText(const Value& value, const InspectOptions& options);

std::string ItemText(const std::string& item, bool, const InspectOptions& options) {
  // One long token must not fill the line.
  std::string text = EscapeForTerminal(item, options.max_text_bytes / 3);
  for (size_t at = text.find('"'); at != std::string::npos; at = text.find('"', at + 2)) {
    text.insert(at, "\\");
  }
  return "\"" + text + "\"";
}
std::string ItemText(const Value& item, bool, const InspectOptions& options) {
  return Format("[{}]", ValueText(item, options));
}
template <typename T>
std::string ItemText(const T& item, bool single, const InspectOptions&) {
  return Number(item, single);
}

std::string ArrayText(const Array& array, const InspectOptions& options) {
  const bool single = array.element_type == ValueType::kFloat32;
  return std::visit(
      [&](const auto& items) {
        std::string out;
        for (size_t i = 0; i < items.size(); ++i) {
          if (i > 0) out += ", ";
          if (i == options.max_items || out.size() > options.max_text_bytes) return out + "...";
          const typename std::decay_t<decltype(items)>::value_type& item = items[i];
          out += ItemText(item, single, options);
        }
        return out;
      },
      array.items);
}

std::string ValueText(const Value& value, const InspectOptions& options) {
  if (const auto* array = std::get_if<Array>(&value.data)) return ArrayText(*array, options);
  if (const auto* text = std::get_if<std::string>(&value.data)) {
    return EscapeForTerminal(*text, options.max_text_bytes);
  }
  const bool single = value.type == ValueType::kFloat32;
  if (const auto* v = std::get_if<int64_t>(&value.data)) return Number(*v, single);
  if (const auto* v = std::get_if<uint64_t>(&value.data)) return Number(*v, single);
  if (const auto* v = std::get_if<double>(&value.data)) return Number(*v, single);
  return Number(std::get<bool>(value.data), single);
}

// "uint32", "string[32000]"
std::string TypeText(const Value& value) {
  const auto* array = std::get_if<Array>(&value.data);
  if (array == nullptr) return Name(value.type);
  return Format("{}[{}]", Name(array->element_type), array->size());
}

// Shortens the cells of the last column so that no row is longer than `columns`; a few columns are
// always left to it, whatever stands before.
void FitLastColumn(int columns, std::vector<std::vector<std::string>>* rows) {
  constexpr int kLeast = 12;
  std::vector<int> widths;
  for (const auto& row : *rows) {
    widths.resize(row.size(), 0);
    for (size_t i = 0; i + 1 < row.size(); ++i) {
      widths[i] = std::max(widths[i], std::min(DisplayWidth(row[i]), kMaxColumn));
    }
  }
  int before = kGap * static_cast<int>(widths.size());
  for (const int width : widths) before += width;
  for (auto& row : *rows) row.back() = FitColumns(row.back(), std::max(kLeast, columns - before));
}

std::string Metadata(const File& file, const InspectOptions& options) {
  std::vector<std::vector<std::string>> rows;
  for (const gguf::KeyValue& entry : file.metadata()) {
    rows.push_back(
        {EscapeForTerminal(entry.key), TypeText(entry.value), ValueText(entry.value, options)});
  }
  if (options.columns > 0) FitLastColumn(options.columns, &rows);
  return Format("\nMetadata ({} keys)\n", rows.size()) + Table(rows, {false, false, false});
}

std::string Types(const File& file) {
  const std::vector<TypeShare> shares = TypeShares(file);
  std::vector<std::vector<std::string>> rows = {
      {"type", "tensors", "parameters", "bytes", "share"}};
  for (const TypeShare& share : shares) {
    rows.push_back({Name(share.dtype), std::to_string(share.tensors), Count(share.parameters),
                    FormatBytes(share.bytes), Format("{:.1f} %", 100 * share.fraction)});
  }
  return "\nTypes\n" + Table(rows, {false, true, true, true, true});
}

std::string Tensors(const File& file) {
  const bool split = file.paths().size() > 1;
  std::vector<std::vector<std::string>> rows = {{"name", "type", "shape", "bytes"}};
  if (split) rows[0].emplace_back("part");
  for (const TensorInfo& tensor : file.tensors()) {
    rows.push_back({EscapeForTerminal(tensor.name), Name(tensor.dtype), tensor.shape.ToString(),
                    FormatBytes(tensor.data.size())});
    if (split) rows.back().push_back(std::to_string(tensor.part + 1));
  }
  return Format("\nTensors ({}; the last dimension is contiguous)\n", file.tensors().size()) +
         Table(rows, {false, false, false, true, true});
}

// "6 layers, width 288, context 256, vocabulary 32000": of what the file says.
std::string Dimensions(const File& file) {
  std::string out;
  const auto add = [&](const std::string& text) { out += (out.empty() ? "" : ", ") + text; };
  const auto architecture = file.GetString("general.architecture");
  if (architecture.ok()) {
    const auto get = [&](const char* name) { return file.GetInt(*architecture + name); };
    if (const auto n = get(".block_count"); n.ok()) add(Format("{} layers", *n));
    if (const auto n = get(".embedding_length"); n.ok()) add(Format("width {}", *n));
    if (const auto n = get(".context_length"); n.ok()) add(Format("context {}", *n));
  }
  if (const auto tokens = file.GetStringArray("tokenizer.ggml.tokens"); tokens.ok()) {
    add(Format("vocabulary {}", tokens->size()));
  }
  return out;
}

std::string SummaryText(const File& file) {
  std::vector<std::vector<std::string>> rows;
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) rows.push_back({name, value});
  };
  for (size_t i = 0; i < file.paths().size(); ++i) {
    add(i == 0 ? "file" : "", EscapeForTerminal(file.paths()[i]));
  }
  add("size", Format("{} ({} bytes)", FormatBytes(file.total_bytes()),
                     Thousands(static_cast<int64_t>(file.total_bytes()))));
  add("format", Format("GGUF version {}, alignment {}", file.version(), file.alignment()));
  for (const char* key : {"architecture", "name"}) {
    const auto text = file.GetString(std::string("general.") + key);
    if (text.ok()) add(key, EscapeForTerminal(*text, kMaxSummaryBytes));
  }
  add("dimensions", Dimensions(file));
  int64_t parameters = 0;
  uint64_t data_bytes = 0;
  for (const TensorInfo& tensor : file.tensors()) {
    parameters += tensor.shape.elements();
    data_bytes += tensor.data.size();
  }
  if (parameters > 0) {
    add("parameters", Format("{} ({})", Count(parameters), Thousands(parameters)));
    add("bits/weight",
        Format("{:.2f}", 8.0 * static_cast<double>(data_bytes) / static_cast<double>(parameters)));
  }
  return Table(rows, {false, false});
}

}  // namespace

std::string InspectText(const File& file, const InspectOptions& options) {
  std::string out = SummaryText(file);
  if (!file.tensors().empty()) out += Types(file);
  if (options.metadata) out += Metadata(file, options);
  if (!options.tensors) return out;
  return out + (file.tensors().empty() ? "\nNo tensors (a vocabulary only).\n" : Tensors(file));
}

std::string InspectValue(const Value& value) {
  const InspectOptions all = {.max_items = SIZE_MAX, .max_text_bytes = SIZE_MAX};
  if (const auto* text = std::get_if<std::string>(&value.data)) return *text + "\n";
  const auto* array = std::get_if<Array>(&value.data);
  if (array == nullptr) return ValueText(value, all) + "\n";
  const bool single = array->element_type == ValueType::kFloat32;
  return std::visit(
      [&](const auto& items) {
        std::string out;
        for (size_t i = 0; i < items.size(); ++i) {
          const typename std::decay_t<decltype(items)>::value_type& item = items[i];
          if constexpr (std::is_same_v<std::decay_t<decltype(item)>, std::string>) {
            out += EscapeForTerminal(item) + "\n";
          } else {
            out += ItemText(item, single, all) + "\n";
          }
        }
        return out;
      },
      array->items);
}

std::vector<TypeShare> TypeShares(const File& file) {
  std::vector<TypeShare> shares;
  uint64_t total = 0;
  for (const TensorInfo& tensor : file.tensors()) {
    auto at = std::find_if(shares.begin(), shares.end(),
                           [&](const TypeShare& s) { return s.dtype == tensor.dtype; });
    if (at == shares.end()) at = shares.insert(at, {.dtype = tensor.dtype});
    ++at->tensors;
    at->parameters += tensor.shape.elements();
    at->bytes += tensor.data.size();
    total += tensor.data.size();
  }
  for (TypeShare& share : shares) {
    share.fraction = static_cast<double>(share.bytes) / static_cast<double>(total);
  }
  std::sort(shares.begin(), shares.end(), [](const TypeShare& x, const TypeShare& y) {
    return x.bytes != y.bytes ? x.bytes > y.bytes : x.dtype < y.dtype;
  });
  return shares;
}

}  // namespace rocforge::apps
