// Opens GGUF files (versions 2 and 3, single or split): metadata and tensor directory by value,
// tensor data mapped. Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/mapped_file.h"
#include "gguf/value.h"
#include "rocforge/status.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"
#include "tensor/tensor_view.h"

namespace rocforge::gguf {

struct TensorInfo {
  std::string name;
  DType dtype = DType::kF32;
  Shape shape;                      // row-major: GGUF's dimensions reversed
  std::span<const std::byte> data;  // inside the mapping; aligned to the file's alignment
  uint64_t file_offset = 0;         // of the data, from the start of its file
  int part = 0;                     // which file of a split model

  TensorView view() const { return {dtype, shape, data.data()}; }
};

struct KeyValue {
  std::string key;
  Value value;
};

// Immutable after Open; reading is thread-safe. Spans and views live as long as the File (it may be
// moved).
class File {
 public:
  // Parses and validates everything but the tensor data. For a split model ("-00001-of-00003.gguf")
  // any part may be named; all are opened and must agree; the metadata is that of the first part
  // without its "split." keys. Errors (kNotFound, kDataLoss, kUnsupported, kResourceExhausted) are
  // one line naming the file, the place and the offence. Memory use is bounded by a small multiple
  // of the metadata's bytes in the file.
  static Result<File> Open(const std::string& path);

  // The same over bytes in memory (not copied; they must outlive the File). Tensor data is as
  // aligned as `bytes` is. kUnsupported for a part of a split model.
  static Result<File> Parse(std::span<const std::byte> bytes, std::string_view name);

  uint32_t version() const { return version_; }
  uint32_t alignment() const { return alignment_; }
  const std::vector<KeyValue>& metadata() const { return metadata_; }  // file order, keys unique
  const std::vector<TensorInfo>& tensors() const { return tensors_; }  // file order, names unique
  const std::vector<std::string>& paths() const { return paths_; }
  uint64_t total_bytes() const { return total_bytes_; }  // of all parts

  const Value* Find(std::string_view key) const;              // nullptr if absent
  const TensorInfo* FindTensor(std::string_view name) const;  // nullptr if absent

  // Typed reads. kNotFound if the key is absent, kDataLoss ("key has type X, expected Y") if it
  // cannot be read as asked without loss: integers convert between widths and signs when the value
  // fits; integers convert to double.
  Result<int64_t> GetInt(std::string_view key) const;
  Result<double> GetFloat(std::string_view key) const;
  Result<bool> GetBool(std::string_view key) const;
  Result<std::string> GetString(std::string_view key) const;
  Result<std::vector<int64_t>> GetIntArray(std::string_view key) const;
  Result<std::vector<double>> GetFloatArray(std::string_view key) const;
  Result<std::vector<bool>> GetBoolArray(std::string_view key) const;
  // No copy; valid as long as the File.
  Result<std::span<const std::string>> GetStringArray(std::string_view key) const;

 private:
  friend class Parser;
  struct Index;  // names to positions
  Result<const Value*> Require(std::string_view key) const;
  uint32_t version_ = 3;
  uint32_t alignment_ = 32;
  std::vector<KeyValue> metadata_;
  std::vector<TensorInfo> tensors_;
  std::vector<std::string> paths_;
  uint64_t total_bytes_ = 0;
  std::vector<MappedFile> parts_;
  std::shared_ptr<const Index> index_;
};

}  // namespace rocforge::gguf
