#include "gguf/value.h"

namespace rocforge::gguf {

const char* Name(ValueType type) {
  switch (type) {
    case ValueType::kUint8:
      return "uint8";
    case ValueType::kInt8:
      return "int8";
    case ValueType::kUint16:
      return "uint16";
    case ValueType::kInt16:
      return "int16";
    case ValueType::kUint32:
      return "uint32";
    case ValueType::kInt32:
      return "int32";
    case ValueType::kFloat32:
      return "float32";
    case ValueType::kBool:
      return "bool";
    case ValueType::kString:
      return "string";
    case ValueType::kArray:
      return "array";
    case ValueType::kUint64:
      return "uint64";
    case ValueType::kInt64:
      return "int64";
    case ValueType::kFloat64:
      return "float64";
  }
  return "unknown";
}

size_t Array::size() const {
  return std::visit([](const auto& v) { return v.size(); }, items);
}

bool operator==(const Array& a, const Array& b) {
  return a.element_type == b.element_type && a.items == b.items;
}

bool operator==(const Value& a, const Value& b) { return a.type == b.type && a.data == b.data; }

std::string TypeName(const Value& value) {
  const Array* array = std::get_if<Array>(&value.data);
  if (array == nullptr) return Name(value.type);
  return std::string("array of ") + Name(array->element_type);
}

}  // namespace rocforge::gguf
