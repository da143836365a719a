// Any bytes, read as a GGUF file: either one line of error or a File whose every promise holds.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>

#include "gguf/reader.h"
#include "gguf/writer.h"

namespace {

using rocforge::gguf::Array;
using rocforge::gguf::File;
using rocforge::gguf::TensorInfo;
using rocforge::gguf::Value;

// A broken promise, as a crash that libFuzzer reports.
void Require(bool condition) {
  if (!condition) std::abort();
}

volatile uint64_t g_sink;  // keeps the reads

void Walk(const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value.data)) {
    for (const char c : *text) g_sink = g_sink + static_cast<unsigned char>(c);
  }
  const auto* array = std::get_if<Array>(&value.data);
  if (array == nullptr) return;
  Require(value.type == rocforge::gguf::ValueType::kArray);
  if (const auto* values = std::get_if<std::vector<Value>>(&array->items)) {
    for (const Value& item : *values) Walk(item);
  }
  if (const auto* strings = std::get_if<std::vector<std::string>>(&array->items)) {
    for (const std::string& item : *strings) g_sink = g_sink + item.size();
  }
}

void TypedReads(const File& file, const std::string& key) {
  g_sink = g_sink + static_cast<uint64_t>(file.GetInt(key).ok()) +
           static_cast<uint64_t>(file.GetFloat(key).ok()) +
           static_cast<uint64_t>(file.GetBool(key).ok()) +
           static_cast<uint64_t>(file.GetString(key).ok()) +
           static_cast<uint64_t>(file.GetIntArray(key).ok()) +
           static_cast<uint64_t>(file.GetFloatArray(key).ok()) +
           static_cast<uint64_t>(file.GetBoolArray(key).ok()) +
           static_cast<uint64_t>(file.GetStringArray(key).ok());
}

void CheckTensor(const File& file, const TensorInfo& tensor, std::span<const std::byte> bytes) {
  Require(file.FindTensor(tensor.name) == &tensor);
  Require(tensor.file_offset % file.alignment() == 0);
  Require(tensor.shape.rank() >= 1 && tensor.shape.elements() >= 1);
  const auto row_bytes = rocforge::RowBytes(tensor.dtype, tensor.shape.row_elements());
  Require(row_bytes.ok());
  Require(static_cast<uint64_t>(*row_bytes * tensor.shape.rows()) == tensor.data.size());
  Require(tensor.data.data() == bytes.data() + tensor.file_offset);
  for (const std::byte b : tensor.data) g_sink = g_sink + static_cast<uint64_t>(b);
}

// What was read can be written, and then gives the same bytes again.
void RoundTrip(const File& file) {
  const auto first = rocforge::gguf::EncodeHeader(file.metadata(), {});
  Require(first.ok());
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(first->data()),
                                         first->size());
  const auto again = File::Parse(bytes, "again");
  Require(again.ok());
  const auto second = rocforge::gguf::EncodeHeader(again->metadata(), {});
  Require(second.ok() && *second == *first);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
  auto parsed = File::Parse(bytes, "fuzz");
  if (!parsed.ok()) {
    // One line, whatever strings the file holds.
    const std::string message = parsed.status().message();
    Require(!message.empty() && message.size() < 2000);
    Require(std::none_of(message.begin(), message.end(),
                         [](char c) { return static_cast<unsigned char>(c) < 0x20; }));
    return 0;
  }
  const File file = std::move(*parsed);
  for (const auto& entry : file.metadata()) {
    Require(file.Find(entry.key) == &entry.value);
    Walk(entry.value);
    TypedReads(file, entry.key);
  }
  for (const TensorInfo& tensor : file.tensors()) CheckTensor(file, tensor, bytes);
  RoundTrip(file);
  Require(file.Find("") == nullptr && file.FindTensor("") == nullptr);
  return 0;
}
