// Metadata and directory to bytes.
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <type_traits>
#include <unordered_set>

#include "base/format.h"
#include "gguf/layout.h"
#include "gguf/writer.h"

namespace rocforge::gguf {
namespace {

constexpr uint32_t kVersion = 3;

template <typename T>
void Put(T value, std::string* out) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  out->append(bytes, sizeof(T));
}

void PutString(std::string_view text, std::string* out) {
  Put(uint64_t{text.size()}, out);
  out->append(text);
}

// Writes `value` as the narrower Wire; false if it does not fit. Floats are rounded.
template <typename Wire, typename Wide>
bool PutNumber(Wide value, std::string* out) {
  if constexpr (std::is_floating_point_v<Wire>) {
    if (std::isfinite(value) && std::abs(value) > std::numeric_limits<Wire>::max()) return false;
  } else if (value < std::numeric_limits<Wire>::min() || value > std::numeric_limits<Wire>::max()) {
    return false;
  }
  Put(static_cast<Wire>(value), out);
  return true;
}

Status Mismatch(ValueType type) {
  return InvalidArgument(Format("a value of type {} does not hold such data", Name(type)));
}

// All of `numbers`, a vector of Wide, as Wire.
template <typename Wire, typename Wide>
Status PutNumbers(const Array& array, std::string* out) {
  const auto* numbers = std::get_if<std::vector<Wide>>(&array.items);
  if (numbers == nullptr) return Mismatch(array.element_type);
  for (const Wide number : *numbers) {
    if (!PutNumber<Wire>(number, out)) {
      return InvalidArgument(Format("{} does not fit in {}", number, Name(array.element_type)));
    }
  }
  return {};
}

template <typename Wire, typename Wide>
Status PutOne(const Value& value, std::string* out) {
  const auto* number = std::get_if<Wide>(&value.data);
  if (number == nullptr) return Mismatch(value.type);
  if (!PutNumber<Wire>(*number, out)) {
    return InvalidArgument(Format("{} does not fit in {}", *number, Name(value.type)));
  }
  return {};
}

Status PutArray(const Array& array, int depth, std::string* out);

Status PutNested(const Array& array, int depth, std::string* out) {
  const auto* values = std::get_if<std::vector<Value>>(&array.items);
  if (values == nullptr) return Mismatch(array.element_type);
  if (depth >= kMaxArrayDepth) {
    return InvalidArgument(Format("arrays are nested more than {} deep", kMaxArrayDepth));
  }
  for (const Value& value : *values) {
    const Array* inner = std::get_if<Array>(&value.data);
    if (inner == nullptr || value.type != ValueType::kArray) return Mismatch(ValueType::kArray);
    ROCFORGE_RETURN_IF_ERROR(PutArray(*inner, depth + 1, out));
  }
  return {};
}

Status PutArray(const Array& array, int depth, std::string* out) {
  Put(static_cast<uint32_t>(array.element_type), out);
  Put(uint64_t{array.size()}, out);
  switch (array.element_type) {
    case ValueType::kUint8:
      return PutNumbers<uint8_t, uint64_t>(array, out);
    case ValueType::kInt8:
      return PutNumbers<int8_t, int64_t>(array, out);
    case ValueType::kUint16:
      return PutNumbers<uint16_t, uint64_t>(array, out);
    case ValueType::kInt16:
      return PutNumbers<int16_t, int64_t>(array, out);
    case ValueType::kUint32:
      return PutNumbers<uint32_t, uint64_t>(array, out);
    case ValueType::kInt32:
      return PutNumbers<int32_t, int64_t>(array, out);
    case ValueType::kFloat32:
      return PutNumbers<float, double>(array, out);
    case ValueType::kUint64:
      return PutNumbers<uint64_t, uint64_t>(array, out);
    case ValueType::kInt64:
      return PutNumbers<int64_t, int64_t>(array, out);
    case ValueType::kFloat64:
      return PutNumbers<double, double>(array, out);
    case ValueType::kBool: {
      const auto* bools = std::get_if<std::vector<bool>>(&array.items);
      if (bools == nullptr) return Mismatch(array.element_type);
      for (const bool b : *bools) out->push_back(b ? '\1' : '\0');
      return {};
    }
    case ValueType::kString: {
      const auto* strings = std::get_if<std::vector<std::string>>(&array.items);
      if (strings == nullptr) return Mismatch(array.element_type);
      for (const std::string& text : *strings) PutString(text, out);
      return {};
    }
    case ValueType::kArray:
      return PutNested(array, depth, out);
  }
  return InvalidArgument("unknown value type");
}

Status PutValue(const Value& value, std::string* out) {
  Put(static_cast<uint32_t>(value.type), out);
  switch (value.type) {
    case ValueType::kUint8:
      return PutOne<uint8_t, uint64_t>(value, out);
    case ValueType::kInt8:
      return PutOne<int8_t, int64_t>(value, out);
    case ValueType::kUint16:
      return PutOne<uint16_t, uint64_t>(value, out);
    case ValueType::kInt16:
      return PutOne<int16_t, int64_t>(value, out);
    case ValueType::kUint32:
      return PutOne<uint32_t, uint64_t>(value, out);
    case ValueType::kInt32:
      return PutOne<int32_t, int64_t>(value, out);
    case ValueType::kFloat32:
      return PutOne<float, double>(value, out);
    case ValueType::kUint64:
      return PutOne<uint64_t, uint64_t>(value, out);
    case ValueType::kInt64:
      return PutOne<int64_t, int64_t>(value, out);
    case ValueType::kFloat64:
      return PutOne<double, double>(value, out);
    case ValueType::kBool: {
      const bool* flag = std::get_if<bool>(&value.data);
      if (flag == nullptr) return Mismatch(value.type);
      out->push_back(*flag ? '\1' : '\0');
      return {};
    }
    case ValueType::kString: {
      const auto* text = std::get_if<std::string>(&value.data);
      if (text == nullptr) return Mismatch(value.type);
      PutString(*text, out);
      return {};
    }
    case ValueType::kArray: {
      const Array* array = std::get_if<Array>(&value.data);
      if (array == nullptr) return Mismatch(value.type);
      return PutArray(*array, 1, out);
    }
  }
  return InvalidArgument("unknown value type");
}

// Adds `name` to `seen` and writes it.
Status PutName(std::string_view name, std::unordered_set<std::string_view>* seen,
               std::string* out) {
  if (name.empty()) return InvalidArgument("a name is empty");
  if (name.size() > kMaxNameBytes) {
    return InvalidArgument(
        Format("the name has {} bytes (at most {})", name.size(), kMaxNameBytes));
  }
  if (!seen->insert(name).second) return InvalidArgument("the name occurs twice");
  PutString(name, out);
  return {};
}

std::string Quoted(const char* what, std::string_view name) {
  return Format("{} '{}'", what, EscapeForTerminal(name, 80));
}

Status PutMetadata(const std::vector<KeyValue>& metadata, std::string* out) {
  std::unordered_set<std::string_view> seen;
  for (const KeyValue& entry : metadata) {
    const Status status = [&]() -> Status {
      ROCFORGE_RETURN_IF_ERROR(PutName(entry.key, &seen, out));
      return PutValue(entry.value, out);
    }();
    if (!status.ok()) return status.WithContext(Quoted("key", entry.key));
  }
  return {};
}

Status PutDirectory(const std::vector<TensorSpec>& tensors, uint64_t alignment, std::string* out) {
  std::unordered_set<std::string_view> seen;
  uint64_t offset = 0;
  for (const TensorSpec& tensor : tensors) {
    Status status = PutName(tensor.name, &seen, out);
    if (!status.ok()) return status.WithContext(Quoted("tensor", tensor.name));
    const Result<uint64_t> bytes = DataBytes(tensor.dtype, tensor.shape);
    if (!bytes.ok()) return bytes.status().WithContext(Quoted("tensor", tensor.name));
    const int rank = tensor.shape.rank();
    Put(static_cast<uint32_t>(rank), out);
    for (int i = rank - 1; i >= 0; --i) Put(static_cast<uint64_t>(tensor.shape.dim(i)), out);
    Put(static_cast<uint32_t>(tensor.dtype), out);
    Put(offset, out);
    if (*bytes > std::numeric_limits<int64_t>::max() - offset - alignment) {
      return InvalidArgument(Quoted("tensor", tensor.name) + ": the file's size overflows");
    }
    offset = AlignUp(offset + *bytes, alignment);
  }
  return {};
}

}  // namespace

Result<std::string> EncodeHeader(const std::vector<KeyValue>& metadata,
                                 const std::vector<TensorSpec>& tensors) {
  ROCFORGE_ASSIGN_OR_RETURN(const uint64_t alignment, AlignmentOf(metadata));
  if (metadata.size() > kMaxKeys || tensors.size() > kMaxTensors) {
    return InvalidArgument(Format("{} keys and {} tensors are above the limits of {} and {}",
                                  metadata.size(), tensors.size(), kMaxKeys, kMaxTensors));
  }
  std::string out = "GGUF";
  Put(kVersion, &out);
  Put(uint64_t{tensors.size()}, &out);
  Put(uint64_t{metadata.size()}, &out);
  ROCFORGE_RETURN_IF_ERROR(PutMetadata(metadata, &out));
  ROCFORGE_RETURN_IF_ERROR(PutDirectory(tensors, alignment, &out));
  if (out.size() > kMaxHeaderBytes) {
    return InvalidArgument(Format("the metadata takes {}, more than the limit of {}",
                                  FormatBytes(out.size()), FormatBytes(kMaxHeaderBytes)));
  }
  if (!tensors.empty()) out.resize(AlignUp(out.size(), alignment), '\0');
  return out;
}

}  // namespace rocforge::gguf
