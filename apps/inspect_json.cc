#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <variant>

#include "apps/inspect.h"
#include "base/format.h"

namespace rocforge::apps {
namespace {

using gguf::Array;
using gguf::File;
using gguf::TensorInfo;
using gguf::Value;
using gguf::ValueType;

// Written piece by piece instead of as one nlohmann::json: the file's order is kept, and a hostile
// million of keys costs no more than its bytes.
std::string Json(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}
std::string Json(int64_t v) { return std::to_string(v); }
std::string Json(uint64_t v) { return std::to_string(v); }
std::string Json(bool v) { return v ? "true" : "false"; }
std::string Json(double v, bool single) {
  if (std::isnan(v)) return "\"NaN\"";
  if (std::isinf(v)) return v > 0 ? "\"Infinity\"" : "\"-Infinity\"";
  // The shortest digits that give the same float32 or float64 back.
  return single ? Format("{}", static_cast<float>(v)) : Format("{}", v);
}

std::string Fields(const Value& value, const InspectOptions& options);

std::string Item(const std::string& item, bool, const InspectOptions&) { return Json(item); }
std::string Item(double item, bool single, const InspectOptions&) { return Json(item, single); }
std::string Item(const Value& item, bool, const InspectOptions& options) {
  return "{" + Fields(item, options) + "}";
}
template <typename T>
std::string Item(const T& item, bool, const InspectOptions&) {
  return Json(item);
}

std::string Items(const Array& array, const InspectOptions& options) {
  const bool single = array.element_type == ValueType::kFloat32;
  return std::visit(
      [&](const auto& items) {
        std::string out = "[";
        for (size_t i = 0; i < items.size() && i < options.max_items; ++i) {
          if (i > 0) out += ", ";
          const typename std::decay_t<decltype(items)>::value_type& item = items[i];
          out += Item(item, single, options);
        }
        return out + "]";
      },
      array.items);
}

// "type": ..., "value": ...
std::string Fields(const Value& value, const InspectOptions& options) {
  std::string out = Format("\"type\": \"{}\", ", Name(value.type));
  if (const auto* array = std::get_if<Array>(&value.data)) {
    return out + Format("\"element_type\": \"{}\", \"length\": {}, \"value\": {}",
                        Name(array->element_type), array->size(), Items(*array, options));
  }
  out += "\"value\": ";
  if (const auto* text = std::get_if<std::string>(&value.data)) return out + Json(*text);
  if (const auto* v = std::get_if<int64_t>(&value.data)) return out + Json(*v);
  if (const auto* v = std::get_if<uint64_t>(&value.data)) return out + Json(*v);
  if (const auto* v = std::get_if<double>(&value.data)) {
    return out + Json(*v, value.type == ValueType::kFloat32);
  }
  return out + Json(std::get<bool>(value.data));
}

std::string TensorFields(const TensorInfo& tensor) {
  std::string shape = tensor.shape.ToString();
  return Format(
      "\"name\": {}, \"type\": \"{}\", \"shape\": {}, \"bytes\": {}, \"offset\": {}, \"part\": {}",
      Json(tensor.name), Name(tensor.dtype), shape, tensor.data.size(), tensor.file_offset,
      tensor.part);
}

// The elements of `list`, one a line, each made by `line(element)`.
template <typename List, typename Line>
std::string Lines(const List& list, Line line) {
  std::string out;
  for (const auto& element : list) {
    out += out.empty() ? "\n    " : ",\n    ";
    out += line(element);
  }
  return out.empty() ? out : out + "\n  ";
}

}  // namespace

std::string InspectJson(const File& file, const InspectOptions& options) {
  int64_t parameters = 0;
  for (const TensorInfo& tensor : file.tensors()) parameters += tensor.shape.elements();
  std::string files;
  for (const std::string& path : file.paths()) files += (files.empty() ? "" : ", ") + Json(path);
  std::string out = "{\n";
  out += Format("  \"files\": [{}],\n  \"bytes\": {},\n", files, file.total_bytes());
  out += Format("  \"version\": {},\n  \"alignment\": {},\n", file.version(), file.alignment());
  const auto architecture = file.GetString("general.architecture");
  out += Format("  \"architecture\": {},\n", architecture.ok() ? Json(*architecture) : "null");
  out += Format("  \"parameters\": {},\n", parameters);
  out +=
      Format("  \"types\": [{}]", Lines(TypeShares(file), [](const TypeShare& share) {
               return Format(
                   "{{\"type\": \"{}\", \"tensors\": {}, \"parameters\": {}, \"bytes\": {}, "
                   "\"share\": {:.6f}}}",
                   Name(share.dtype), share.tensors, share.parameters, share.bytes, share.fraction);
             }));
  if (options.metadata) {
    out += ",\n  \"metadata\": {" +
           Lines(file.metadata(),
                 [&](const gguf::KeyValue& entry) {
                   return Json(entry.key) + ": {" + Fields(entry.value, options) + "}";
                 }) +
           "}";
  }
  if (options.tensors) {
    out += ",\n  \"tensors\": [" +
           Lines(file.tensors(),
                 [](const TensorInfo& tensor) { return "{" + TensorFields(tensor) + "}"; }) +
           "]";
  }
  return out + "\n}\n";
}

}  // namespace rocforge::apps
