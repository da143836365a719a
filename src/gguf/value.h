// Metadata values of a GGUF file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace rocforge::gguf {

enum class ValueType : uint32_t {
  kUint8 = 0,
  kInt8 = 1,
  kUint16 = 2,
  kInt16 = 3,
  kUint32 = 4,
  kInt32 = 5,
  kFloat32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kUint64 = 10,
  kInt64 = 11,
  kFloat64 = 12,
};

// "uint8", "float32", "string", "array", ...; "unknown" for a number outside the enumeration.
const char* Name(ValueType type);

struct Value;

// All elements of an array have one type; arrays of arrays are kept as Values. The bulky kinds (a
// vocabulary's strings, scores and types) are stored flat.
struct Array {
  ValueType element_type = ValueType::kUint8;
  std::variant<std::vector<int64_t>,   // every signed integer type
               std::vector<uint64_t>,  // every unsigned integer type
               std::vector<double>,    // float32 and float64
               std::vector<bool>, std::vector<std::string>,
               std::vector<Value>>  // nested arrays
      items;
  size_t size() const;
};

// Integers are widened to 64 bits and floats to double; `type` is what the file says.
struct Value {
  ValueType type = ValueType::kUint8;
  std::variant<int64_t, uint64_t, double, bool, std::string, Array> data = uint64_t{0};

  // What writers need most; any other combination can be spelt out, type and data agreeing.
  static Value Uint32(uint32_t v) { return {ValueType::kUint32, uint64_t{v}}; }
  static Value Uint64(uint64_t v) { return {ValueType::kUint64, v}; }
  static Value Int32(int32_t v) { return {ValueType::kInt32, int64_t{v}}; }
  static Value Int64(int64_t v) { return {ValueType::kInt64, v}; }
  static Value Float32(float v) { return {ValueType::kFloat32, double{v}}; }
  static Value Float64(double v) { return {ValueType::kFloat64, v}; }
  static Value Bool(bool v) { return {ValueType::kBool, v}; }
  static Value String(std::string v) { return {ValueType::kString, std::move(v)}; }
  static Value Strings(std::vector<std::string> v) {
    return {ValueType::kArray, Array{ValueType::kString, std::move(v)}};
  }
  static Value Int32s(std::vector<int64_t> v) {
    return {ValueType::kArray, Array{ValueType::kInt32, std::move(v)}};
  }
  static Value Uint32s(std::vector<uint64_t> v) {
    return {ValueType::kArray, Array{ValueType::kUint32, std::move(v)}};
  }
  static Value Float32s(std::vector<double> v) {
    return {ValueType::kArray, Array{ValueType::kFloat32, std::move(v)}};
  }
  static Value Bools(std::vector<bool> v) {
    return {ValueType::kArray, Array{ValueType::kBool, std::move(v)}};
  }
};

// Types and contents are equal (a NaN differs from itself).
bool operator==(const Array& a, const Array& b);
bool operator==(const Value& a, const Value& b);

// The type for people: "uint32", "array of string".
std::string TypeName(const Value& value);

}  // namespace rocforge::gguf
