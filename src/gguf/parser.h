// Bytes to File: the untrusted half of the reader. Internal to gguf/; callers use reader.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gguf/layout.h"
#include "gguf/reader.h"
#include "gguf/value.h"
#include "rocforge/status.h"

namespace rocforge::gguf {

// Single-use: one Parser parses one file. Nothing is reserved before the bytes that justify it are
// known to be there, so memory is at most about ten times the bytes of the header.
class Parser {
 public:
  // One file, or one part of a split model, as it stands. Keys and names are unique; its tensors
  // point into `bytes`.
  static Result<File> ParseOne(std::span<const std::byte> bytes, std::string_view name);

  // Opens the file and, if it is part of a split model, all the others.
  static Result<File> OpenAll(const std::string& path);

  // How many files the model has: split.count, or 1.
  static Result<int64_t> SplitCount(const File& file);

 private:
  Parser(std::span<const std::byte> bytes, std::string_view name) : bytes_(bytes), name_(name) {}

  Status ParseHeader();
  Status ParseMetadata();
  Status ParseAlignment();
  Status ParseDirectory();
  Status ParseTensor(TensorInfo* tensor);
  Status ParseShape(TensorInfo* tensor);
  Status LocateData();
  Status CheckOverlap();
  Status BuildIndex();

  Status ReadValue(ValueType type, Value* value);
  Status ReadArray(int depth, Array* array);
  Status ReadNestedArrays(uint64_t count, int depth, Array* array);
  Status ReadStrings(uint64_t count, std::vector<std::string>* strings);
  Status ReadBools(uint64_t count, std::vector<bool>* bools);
  Status ReadString(std::string_view* text);
  Status ReadName(const char* what, std::string* name);
  Status ReadValueType(ValueType* type);
  template <typename Wire, typename Wide>
  Status ReadNumbers(uint64_t count, std::vector<Wide>* numbers);
  template <typename Wire, typename Wide>
  Status ReadNumber(Value* value);
  template <typename T>
  bool Take(T* value) {
    if (left() < sizeof(T)) return false;
    std::memcpy(value, bytes_.data() + position_, sizeof(T));
    position_ += sizeof(T);
    return true;
  }

  // Bytes that the header may still use.
  uint64_t left() const { return end() - position_; }
  uint64_t end() const { return bytes_.size() < kMaxHeaderBytes ? bytes_.size() : kMaxHeaderBytes; }

  // "FILE: byte N: key 'K': MESSAGE".
  Status Fail(StatusCode code, const std::string& message) const;
  Status Corrupt(const std::string& message) const { return Fail(StatusCode::kDataLoss, message); }
  // The file ends, or the header's limit is reached, where `what` should be.
  Status EndsInside(const char* what) const;

  static Result<File> OpenPart(const std::string& path);
  // PREFIX of "PREFIX-00002-of-00003.gguf"; the file's name and its split.no must agree.
  static Result<std::string> SplitPrefix(const File& file, int64_t count);
  // Adds the tensors of the next part. The index is then out of date.
  static void Append(File part, File* whole);

  std::span<const std::byte> bytes_;
  std::string name_;
  uint64_t position_ = 0;
  uint64_t n_keys_ = 0;
  uint64_t n_tensors_ = 0;
  std::vector<uint64_t> offsets_;  // of the tensors, from the start of the data
  // What is being parsed, for messages: "key" and its name. `subject_` is in bytes_.
  const char* subject_kind_ = nullptr;
  std::string_view subject_;
  File file_;
};

}  // namespace rocforge::gguf
