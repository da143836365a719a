#include "gguf/reader.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "base/format.h"
#include "gguf/index.h"
#include "gguf/parser.h"

namespace rocforge::gguf {
namespace {

const std::string& NameOf(const KeyValue& entry) { return entry.key; }
const std::string& NameOf(const TensorInfo& tensor) { return tensor.name; }

template <typename Entry>
Result<std::vector<uint32_t>> SortByName(std::string_view file_name, const char* what,
                                         const std::vector<Entry>& entries) {
  std::vector<uint32_t> order(entries.size());
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(),
            [&](uint32_t a, uint32_t b) { return NameOf(entries[a]) < NameOf(entries[b]); });
  for (size_t i = 1; i < order.size(); ++i) {
    const std::string& name = NameOf(entries[order[i]]);
    if (name == NameOf(entries[order[i - 1]])) {
      return DataLoss(
          Format("{}: the {} '{}' occurs twice", file_name, what, EscapeForTerminal(name, 80)));
    }
  }
  return order;
}

template <typename Entry>
const Entry* FindByName(const std::vector<Entry>& entries, const std::vector<uint32_t>& order,
                        std::string_view name) {
  const auto at = std::lower_bound(
      order.begin(), order.end(), name,
      [&](uint32_t i, std::string_view wanted) { return NameOf(entries[i]) < wanted; });
  if (at == order.end() || NameOf(entries[*at]) != name) return nullptr;
  return &entries[*at];
}

// Conversions without loss; false if there is none.
bool ToInt(int64_t from, int64_t* to) {
  *to = from;
  return true;
}
bool ToInt(uint64_t from, int64_t* to) {
  *to = static_cast<int64_t>(from);
  return from <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
}
template <typename T>
bool ToInt(const T&, int64_t*) {
  return false;
}

bool ToFloat(double from, double* to) {
  *to = from;
  return true;
}
// Integers up to 2^53 are exact in a double.
constexpr int64_t kExactInDouble = int64_t{1} << 53;
bool ToFloat(int64_t from, double* to) {
  *to = static_cast<double>(from);
  return from >= -kExactInDouble && from <= kExactInDouble;
}
bool ToFloat(uint64_t from, double* to) {
  *to = static_cast<double>(from);
  return from <= static_cast<uint64_t>(kExactInDouble);
}
template <typename T>
bool ToFloat(const T&, double*) {
  return false;
}

Status WrongType(const std::vector<std::string>& paths, std::string_view key, const Value& value,
                 const char* expected) {
  return DataLoss(Format("{}: key '{}' has type {}, expected {}", paths.empty() ? "" : paths[0],
                         EscapeForTerminal(key), TypeName(value), expected));
}

}  // namespace

Result<std::shared_ptr<const File::Index>> File::Index::Build(
    std::string_view file_name, const std::vector<KeyValue>& metadata,
    const std::vector<TensorInfo>& tensors) {
  auto index = std::make_shared<Index>();
  ROCFORGE_ASSIGN_OR_RETURN(index->keys, SortByName(file_name, "key", metadata));
  ROCFORGE_ASSIGN_OR_RETURN(index->tensors, SortByName(file_name, "tensor name", tensors));
  return std::shared_ptr<const Index>(std::move(index));
}

Result<File> File::Open(const std::string& path) { return Parser::OpenAll(path); }

Result<File> File::Parse(std::span<const std::byte> bytes, std::string_view name) {
  ROCFORGE_ASSIGN_OR_RETURN(File file, Parser::ParseOne(bytes, name));
  ROCFORGE_ASSIGN_OR_RETURN(const int64_t parts, Parser::SplitCount(file));
  if (parts > 1) {
    return Unsupported(
        Format("{}: one part of a model split in {}: open it by its path", name, parts));
  }
  return file;
}

const Value* File::Find(std::string_view key) const {
  if (index_ == nullptr) return nullptr;
  const KeyValue* entry = FindByName(metadata_, index_->keys, key);
  return entry == nullptr ? nullptr : &entry->value;
}

const TensorInfo* File::FindTensor(std::string_view name) const {
  return index_ == nullptr ? nullptr : FindByName(tensors_, index_->tensors, name);
}

Result<const Value*> File::Require(std::string_view key) const {
  const Value* value = Find(key);
  if (value != nullptr) return value;
  return NotFound(Format("{}: the metadata has no key '{}'", paths_.empty() ? "" : paths_[0],
                         EscapeForTerminal(key)));
}

Result<int64_t> File::GetInt(std::string_view key) const {
  ROCFORGE_ASSIGN_OR_RETURN(const Value* value, Require(key));
  int64_t number = 0;
  if (std::visit([&](const auto& v) { return ToInt(v, &number); }, value->data)) return number;
  return WrongType(paths_, key, *value, "an integer of at most 63 bits");
}

Result<double> File::GetFloat(std::string_view key) const {
  ROCFORGE_ASSIGN_OR_RETURN(const Value* value, Require(key));
  double number = 0;
  if (std::visit([&](const auto& v) { return ToFloat(v, &number); }, value->data)) return number;
  return WrongType(paths_, key, *value, "a number");
}

Result<bool> File::GetBool(std::string_view key) const {
  ROCFORGE_ASSIGN_OR_RETURN(const Value* value, Require(key));
  if (const bool* flag = std::get_if<bool>(&value->data)) return *flag;
  return WrongType(paths_, key, *value, "bool");
}

Result<std::string> File::GetString(std::string_view key) const {
  ROCFORGE_ASSIGN_OR_RETURN(const Value* value, Require(key));
  if (const auto* text = std::get_if<std::string>(&value->data)) return *text;
  return WrongType(paths_, key, *value, "string");
}

namespace {

// Every element of `value`, an array, converted by `convert(element, &out)`; false if it is no
// array or one does not convert.
template <typename Out, typename Convert>
bool ConvertArray(const Value& value, Convert convert, std::vector<Out>* out) {
  const Array* array = std::get_if<Array>(&value.data);
  if (array == nullptr) return false;
  return std::visit(
      [&](const auto& items) {
        out->resize(items.size());
        for (size_t i = 0; i < items.size(); ++i) {
          const typename std::decay_t<decltype(items)>::value_type& item = items[i];
          if (!convert(item, &(*out)[i])) return false;
        }
        return true;
      },
      array->items);
}

template <typename T>
const std::vector<T>* GetItems(const Value& value) {
  const Array* array = std::get_if<Array>(&value.data);
  return array == nullptr ? nullptr : std::get_if<std::vector<T>>(&array->items);
}

}  // namespace

Result<std::vector<int64_t>> File::GetIntArray(std::string_view key) const {
  ROCFORGE_ASSIGN_OR_RETURN(const Value* value, Require(key));
  std::vector<int64_t> numbers;
  const auto convert = [](const auto& from, int64_t* to) { return ToInt(from, to); };
  if (ConvertArray(*value, convert, &numbers)) return numbers;
  return WrongType(paths_, key, *value, "an array of integers of at most 63 bits");
}

Result<std::vector<double>> File::GetFloatArray(std::string_view key) const {
  ROCFORGE_ASSIGN_OR_RETURN(const Value* value, Require(key));
  std::vector<double> numbers;
  const auto convert = [](const auto& from, double* to) { return ToFloat(from, to); };
  if (ConvertArray(*value, convert, &numbers)) return numbers;
  return WrongType(paths_, key, *value, "an array of numbers");
}

Result<std::vector<bool>> File::GetBoolArray(std::string_view key) const {
  ROCFORGE_ASSIGN_OR_RETURN(const Value* value, Require(key));
  if (const auto* items = GetItems<bool>(*value)) return *items;
  return WrongType(paths_, key, *value, "an array of bool");
}

Result<std::span<const std::string>> File::GetStringArray(std::string_view key) const {
  ROCFORGE_ASSIGN_OR_RETURN(const Value* value, Require(key));
  if (const auto* items = GetItems<std::string>(*value))
    return std::span<const std::string>(*items);
  return WrongType(paths_, key, *value, "an array of strings");
}

}  // namespace rocforge::gguf
