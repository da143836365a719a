// Metadata values of a GGUF file.
#pragma once

#include <cstdint>
#include <string>
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
  std::variant<int64_t, uint64_t, double, bool, std::string, Array> data;
};

}  // namespace rocforge::gguf
