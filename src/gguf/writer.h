// Writes GGUF files (version 3, little-endian). A file appears under its name complete or not at
// all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "gguf/reader.h"
#include "gguf/value.h"
#include "rocforge/status.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace rocforge::gguf {

// An entry of the directory; its data follows later.
struct TensorSpec {
  std::string name;
  DType dtype = DType::kF32;
  Shape shape;  // row-major, rank 1 to 4, rows of whole blocks
};

struct WriterOptions {
  // Keep what was written when the Writer is destroyed or the process dies before Finish(), as
  // PATH.partial, and go on from it the next time if it has the same header and `identity`.
  // Otherwise the unfinished file is removed.
  bool resumable = false;
  // Everything that decides the tensor data but is not seen in the header: the source file, an
  // importance matrix, the version of an encoder.
  std::string identity;
};

// Use: Create, then Append the data of every tensor in order, in pieces of any size (padding is
// ours), then Finish. Data is written as it comes, so memory does not grow with the model. Movable.
// One thread at a time.
class Writer {
 public:
  // Makes the temporary file in the folder of `path` and writes the header. The alignment is that
  // of the key general.alignment, else 32. kInvalidArgument for metadata or tensors that no reader
  // would accept (see EncodeHeader) or a `path` that is no regular file; kResourceExhausted if the
  // disk has not enough space for the whole; kUnavailable for other system errors, or if another
  // process writes the same resumable file.
  static Result<Writer> Create(const std::string& path, const std::vector<KeyValue>& metadata,
                               const std::vector<TensorSpec>& tensors,
                               const WriterOptions& options = {});

  Writer(Writer&&) noexcept;
  Writer& operator=(Writer&&) noexcept;
  ~Writer();

  // Tensors whose data is complete; the next Append begins or continues this one. Above 0 after
  // Create if an earlier run was resumed.
  size_t tensors_done() const;
  // Bytes that the file will have, and bytes of it that exist so far.
  uint64_t total_bytes() const;
  uint64_t done_bytes() const;

  // The next bytes of tensor data; a piece may end one tensor and begin the next only at the border
  // (kInvalidArgument if it crosses it). After a failed write the Writer can only be destroyed.
  Status Append(std::span<const std::byte> bytes);

  // Makes the file durable (fsync) and gives it its name, replacing an older file.
  // kFailedPrecondition if tensor data is missing.
  Status Finish();

 private:
  struct State;
  explicit Writer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// The bytes before the data, padded to the alignment: what Create writes. kInvalidArgument, naming
// the key or tensor, for an empty, overlong or repeated name, a value whose type and data disagree
// or do not fit, arrays nested too deep, a shape that is not of rank 1 to 4 or not of whole blocks,
// a bad alignment, or a header above the reader's limits (128 MiB, 65,536 keys,
// 1,048,576 tensors).
Result<std::string> EncodeHeader(const std::vector<KeyValue>& metadata,
                                 const std::vector<TensorSpec>& tensors);

}  // namespace rocforge::gguf
