// What reader and writer agree on: limits of a header and where tensor data lies. Internal to
// gguf/.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "gguf/reader.h"
#include "rocforge/status.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace rocforge::gguf {

// Metadata and directory of one file end before this byte. Real ones are below 40 MiB; the limit
// keeps a hostile file from filling the memory, whatever its size.
inline constexpr uint64_t kMaxHeaderBytes = uint64_t{128} << 20;
inline constexpr uint64_t kMaxKeys = uint64_t{1} << 16;     // real files: below 100
inline constexpr uint64_t kMaxTensors = uint64_t{1} << 20;  // real files: a few thousand
inline constexpr size_t kMaxNameBytes = 65535;  // of a key (the specification's) or a tensor name
inline constexpr int kMaxArrayDepth = 4;        // of arrays in arrays
inline constexpr uint32_t kDefaultAlignment = 32;
inline constexpr uint64_t kMinAlignment = 8;  // the specification's: a multiple of 8
inline constexpr uint64_t kMaxAlignment = uint64_t{16} << 20;
inline constexpr char kAlignmentKey[] = "general.alignment";

// The next multiple of `alignment`, a power of two, from `position` on.
inline uint64_t AlignUp(uint64_t position, uint64_t alignment) {
  return (position + alignment - 1) & ~(alignment - 1);
}

// That of general.alignment, or the default. kInvalidArgument if it is not a valid uint32.
Result<uint64_t> AlignmentOf(const std::vector<KeyValue>& metadata);

// Bytes of a tensor's data. kInvalidArgument if the rank is not 1 to 4, a dimension is below 1, a
// row is no whole number of blocks, or the number of elements or bytes does not fit 63 bits.
Result<uint64_t> DataBytes(DType dtype, const Shape& shape);

}  // namespace rocforge::gguf
