#include "gguf/layout.h"

#include <bit>

#include "base/format.h"

namespace rocforge::gguf {

Result<uint64_t> AlignmentOf(const std::vector<KeyValue>& metadata) {
  for (const KeyValue& entry : metadata) {
    if (entry.key != kAlignmentKey) continue;
    const auto* value = std::get_if<uint64_t>(&entry.value.data);
    if (value == nullptr) {
      return InvalidArgument(
          Format("key '{}' has type {}, expected uint32", kAlignmentKey, TypeName(entry.value)));
    }
    if (!std::has_single_bit(*value) || *value < kMinAlignment || *value > kMaxAlignment) {
      return InvalidArgument(Format("key '{}' is {}, expected a power of two from {} to {}",
                                    kAlignmentKey, *value, kMinAlignment, kMaxAlignment));
    }
    return *value;
  }
  return uint64_t{kDefaultAlignment};
}

Result<uint64_t> DataBytes(DType dtype, const Shape& shape) {
  if (shape.rank() < 1) {
    return InvalidArgument(Format("0 dimensions (allowed are 1 to {})", Shape::kMaxRank));
  }
  int64_t elements = 1;
  for (int i = 0; i < shape.rank(); ++i) {
    if (shape.dim(i) < 1) {
      return InvalidArgument(Format("shape {} has a dimension below 1", shape.ToString()));
    }
    if (__builtin_mul_overflow(elements, shape.dim(i), &elements)) {
      return InvalidArgument(Format("the elements of shape {} overflow", shape.ToString()));
    }
  }
  const Result<int64_t> row_bytes = RowBytes(dtype, shape.row_elements());
  if (!row_bytes.ok()) return row_bytes.status().WithContext("the rows do not fit their type");
  int64_t bytes = 0;
  if (__builtin_mul_overflow(*row_bytes, elements / shape.row_elements(), &bytes)) {
    return InvalidArgument(Format("the bytes of {} {} overflow", Name(dtype), shape.ToString()));
  }
  return static_cast<uint64_t>(bytes);
}

}  // namespace rocforge::gguf
