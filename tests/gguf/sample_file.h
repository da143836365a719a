// A small valid GGUF file with something of everything, for the tests of gguf/.
#pragma once

#include <cstddef>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "gguf/writer.h"

namespace rocforge::gguf {

inline std::span<const std::byte> AsBytes(const std::string& text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

// Bytes as a file has them, to make what no writer of ours would.
class RawFile {
 public:
  RawFile(uint64_t n_tensors, uint64_t n_keys, uint32_t version = 3) {
    bytes_ = "GGUF";
    Put(version).Put(n_tensors).Put(n_keys);
  }

  template <typename T>
  RawFile& Put(T value) {
    char raw[sizeof(T)];
    std::memcpy(raw, &value, sizeof(T));
    bytes_.append(raw, sizeof(T));
    return *this;
  }
  RawFile& Text(std::string_view text) {
    Put(uint64_t{text.size()});
    bytes_.append(text);
    return *this;
  }
  RawFile& Key(std::string_view name, ValueType type) {
    return Text(name).Put(static_cast<uint32_t>(type));
  }
  // Dimensions in the file's order.
  RawFile& Tensor(std::string_view name, const std::vector<uint64_t>& dims, uint32_t type,
                  uint64_t offset) {
    Text(name).Put(static_cast<uint32_t>(dims.size()));
    for (const uint64_t dim : dims) Put(dim);
    return Put(type).Put(offset);
  }
  RawFile& Zeros(size_t n) {
    bytes_.append(n, '\0');
    return *this;
  }
  RawFile& Pad(size_t alignment = 32) {
    return Zeros((alignment - bytes_.size() % alignment) % alignment);
  }

  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// One key of every type, arrays of every type, nested and empty arrays.
inline std::vector<KeyValue> SampleMetadata() {
  const auto array = [](ValueType type, auto items) {
    return Value{ValueType::kArray, Array{type, std::move(items)}};
  };
  using Ints = std::vector<int64_t>;
  using Uints = std::vector<uint64_t>;
  using Floats = std::vector<double>;
  std::vector<Value> rows = {Value::Int32s({1, -2}), Value::Strings({"a", ""}),
                             array(ValueType::kArray, std::vector<Value>{Value::Bools({true})})};
  return {
      {"general.architecture", Value::String("sample")},
      {"u8", {ValueType::kUint8, uint64_t{255}}},
      {"i8", {ValueType::kInt8, int64_t{-128}}},
      {"u16", {ValueType::kUint16, uint64_t{65535}}},
      {"i16", {ValueType::kInt16, int64_t{-32768}}},
      {"u32", Value::Uint32(4294967295U)},
      {"i32", Value::Int32(std::numeric_limits<int32_t>::min())},
      {"u64", Value::Uint64(std::numeric_limits<uint64_t>::max())},
      {"i64", Value::Int64(std::numeric_limits<int64_t>::min())},
      {"f32", Value::Float32(1e-5F)},
      {"f64", Value::Float64(-0.1)},
      {"yes", Value::Bool(true)},
      {"no", Value::Bool(false)},
      {"text", Value::String("gr\xC3\xBC\xC3\x9F dich\n\xFF\x1B[31m")},
      {"empty text", Value::String("")},
      {"u8s", array(ValueType::kUint8, Uints{0, 255})},
      {"i8s", array(ValueType::kInt8, Ints{-128, 127})},
      {"u16s", array(ValueType::kUint16, Uints{0, 65535})},
      {"i16s", array(ValueType::kInt16, Ints{-32768, 32767})},
      {"u32s", Value::Uint32s({0, 4294967295U})},
      {"i32s", Value::Int32s({-2147483648LL, 2147483647})},
      {"u64s", array(ValueType::kUint64, Uints{std::numeric_limits<uint64_t>::max()})},
      {"i64s", array(ValueType::kInt64, Ints{std::numeric_limits<int64_t>::min()})},
      {"f32s", Value::Float32s({0.5, -2, std::numeric_limits<double>::infinity()})},
      {"f64s", array(ValueType::kFloat64, Floats{0.1, 1e300})},
      {"bools", Value::Bools({true, false, true})},
      {"strings", Value::Strings({"", "a", "a longer string than fits in place"})},
      {"empty", Value::Strings({})},
      {"nested", array(ValueType::kArray, std::move(rows))},
  };
}

struct SampleTensor {
  TensorSpec spec;
  std::string data;
};

// Odd sizes, plain and block types, one to four dimensions.
inline std::vector<SampleTensor> SampleTensors() {
  const std::vector<TensorSpec> specs = {
      {"vector", DType::kF32, Shape{3}},
      {"blocks", DType::kQ4_0, Shape{3, 64}},
      {"experts", DType::kF16, Shape{2, 3, 5}},
      {"four", DType::kI8, Shape{2, 1, 3, 7}},
      {"superblocks", DType::kQ6_K, Shape{1, 256}},
  };
  std::vector<SampleTensor> tensors;
  char next = 1;
  for (const TensorSpec& spec : specs) {
    const int64_t bytes = RowBytes(spec.dtype, spec.shape.row_elements()).value();
    std::string data(static_cast<size_t>(bytes * spec.shape.rows()), '\0');
    for (char& c : data) c = next++;
    tensors.push_back({spec, std::move(data)});
  }
  return tensors;
}

inline std::vector<TensorSpec> Specs(const std::vector<SampleTensor>& tensors) {
  std::vector<TensorSpec> specs;
  for (const SampleTensor& tensor : tensors) specs.push_back(tensor.spec);
  return specs;
}

// The whole file in memory, its data padded to 32 bytes as the writer does.
inline std::string SampleFile() {
  const std::vector<SampleTensor> tensors = SampleTensors();
  std::string file = EncodeHeader(SampleMetadata(), Specs(tensors)).value();
  for (const SampleTensor& tensor : tensors) {
    file += tensor.data;
    file.resize((file.size() + 31) / 32 * 32);
  }
  return file;
}

}  // namespace rocforge::gguf
