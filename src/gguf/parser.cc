#include "gguf/parser.h"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <new>
#include <numeric>
#include <type_traits>
#include <utility>

#include "base/format.h"
#include "gguf/index.h"

namespace rocforge::gguf {
namespace {

static_assert(std::endian::native == std::endian::little, "GGUF is read without byte swapping");

constexpr std::string_view kMagic = "GGUF";
constexpr size_t kShownNameBytes = 80;

// The fewest bytes that an entry can take; a count that asks for more than is left is a lie.
constexpr uint64_t kMinKeyBytes = 8 + 1 + 4 + 1;  // length, name, type, value
constexpr uint64_t kMinTensorBytes =
    8 + 1 + 4 + 8 + 4 + 8;  // length, name, rank, dim, type, offset
constexpr uint64_t kMinStringBytes = 8;
constexpr uint64_t kMinArrayBytes = 4 + 8;

// What a file that is no GGUF probably is; empty if we have no idea.
std::string_view GuessFormat(std::string_view start) {
  if (start.starts_with("version https://git-lfs")) {
    return "it is a Git LFS pointer: download the real file";
  }
  if (start.starts_with("ggjt") || start.starts_with("tjgg") || start.starts_with("lmgg") ||
      start.starts_with("fmgg")) {
    return "it is a GGML file from before 2023-08: convert the model again";
  }
  if (start.starts_with("PK\x03\x04")) return "it is a ZIP or PyTorch file: convert it to GGUF";
  if (start.starts_with("<!") || start.starts_with("<html")) {
    return "it is a web page: the download failed";
  }
  if (start.size() > 9 && start[8] == '{') {
    return "it may be a safetensors file: convert it to GGUF";
  }
  return {};
}

}  // namespace

Status Parser::Fail(StatusCode code, const std::string& message) const {
  if (subject_kind_ == nullptr) {
    return {code, Format("{}: byte {}: {}", name_, position_, message)};
  }
  return {code, Format("{}: byte {}: {} '{}': {}", name_, position_, subject_kind_,
                       EscapeForTerminal(subject_, kShownNameBytes), message)};
}

Status Parser::EndsInside(const char* what) const {
  if (bytes_.size() > kMaxHeaderBytes) {
    return Fail(StatusCode::kResourceExhausted,
                Format("the metadata is longer than the limit of {}", FormatBytes(end())));
  }
  return Corrupt(Format("the file ends inside {} (truncated: download or copy it again)", what));
}

Result<File> Parser::ParseOne(std::span<const std::byte> bytes, std::string_view name) {
  Parser parser(bytes, name);
  try {
    ROCFORGE_RETURN_IF_ERROR(parser.ParseHeader());
    ROCFORGE_RETURN_IF_ERROR(parser.ParseMetadata());
    ROCFORGE_RETURN_IF_ERROR(parser.ParseAlignment());
    ROCFORGE_RETURN_IF_ERROR(parser.ParseDirectory());
    ROCFORGE_RETURN_IF_ERROR(parser.LocateData());
    ROCFORGE_RETURN_IF_ERROR(parser.BuildIndex());
  } catch (const std::bad_alloc&) {
    return parser.Fail(StatusCode::kResourceExhausted, "no memory left for the metadata");
  }
  parser.file_.paths_ = {parser.name_};
  parser.file_.total_bytes_ = bytes.size();
  return std::move(parser.file_);
}

Status Parser::ParseHeader() {
  const std::string_view start(reinterpret_cast<const char*>(bytes_.data()),
                               std::min<size_t>(bytes_.size(), 64));
  if (bytes_.empty()) return DataLoss(Format("{}: the file is empty", name_));
  if (!start.starts_with(kMagic.substr(0, std::min(start.size(), kMagic.size())))) {
    const std::string_view guess = GuessFormat(start);
    return DataLoss(Format("{}: not a GGUF file: it starts with '{}' instead of 'GGUF'{}{}", name_,
                           EscapeForTerminal(start.substr(0, 4)), guess.empty() ? "" : "; ",
                           guess));
  }
  if (start.size() < kMagic.size()) return EndsInside("the header");
  position_ = kMagic.size();
  uint32_t version = 0;
  if (!Take(&version)) return EndsInside("the header");
  position_ = kMagic.size();
  if (version != 0 && (version & 0xFFFF) == 0) {
    return Fail(StatusCode::kUnsupported,
                "a big-endian GGUF file; only little-endian ones can be read: convert the model "
                "again without --bigendian");
  }
  if (version == 1) {
    return Fail(StatusCode::kUnsupported,
                "GGUF version 1 is not supported (only 2 and 3): convert the model again");
  }
  if (version == 0) return Corrupt("GGUF version 0 does not exist");
  if (version > 3) {
    return Fail(StatusCode::kUnsupported,
                Format("GGUF version {} is not supported (only 2 and 3)", version));
  }
  position_ += sizeof(version);
  file_.version_ = version;
  if (!Take(&n_tensors_) || !Take(&n_keys_)) return EndsInside("the header");
  const uint64_t follow = bytes_.size() - position_;
  if (n_keys_ > follow / kMinKeyBytes || n_tensors_ > follow / kMinTensorBytes) {
    return Corrupt(
        Format("the header claims {} keys and {} tensors, but only {} bytes follow "
               "(truncated or corrupt: download or copy it again)",
               n_keys_, n_tensors_, follow));
  }
  if (n_keys_ > kMaxKeys || n_tensors_ > kMaxTensors) {
    return Fail(StatusCode::kResourceExhausted,
                Format("{} keys and {} tensors are above the limits of {} and {}", n_keys_,
                       n_tensors_, kMaxKeys, kMaxTensors));
  }
  return {};
}

Status Parser::ReadString(std::string_view* text) {
  uint64_t size = 0;
  if (!Take(&size)) return EndsInside("the length of a string");
  const uint64_t follow = bytes_.size() - position_;
  if (size > follow) {
    position_ -= sizeof(size);
    return Corrupt(Format("a string of {} bytes, but only {} bytes follow", size, follow));
  }
  if (size > left()) return EndsInside("a string");
  *text = {reinterpret_cast<const char*>(bytes_.data()) + position_, static_cast<size_t>(size)};
  position_ += size;
  return {};
}

Status Parser::ReadName(const char* what, std::string* name) {
  subject_kind_ = nullptr;
  std::string_view text;
  const uint64_t start = position_;
  if (const Status status = ReadString(&text); !status.ok()) {
    return {status.code(), Format("{} (in the name of a {})", status.message(), what)};
  }
  if (text.empty() || text.size() > kMaxNameBytes) {
    position_ = start;
    return Corrupt(text.empty() ? Format("a {} without a name", what)
                                : Format("a {} whose name has {} bytes (at most {} are allowed)",
                                         what, text.size(), kMaxNameBytes));
  }
  subject_kind_ = what;
  subject_ = text;
  *name = text;
  return {};
}

Status Parser::ParseMetadata() {
  for (uint64_t i = 0; i < n_keys_; ++i) {
    KeyValue entry;
    ROCFORGE_RETURN_IF_ERROR(ReadName("key", &entry.key));
    ValueType type{};
    ROCFORGE_RETURN_IF_ERROR(ReadValueType(&type));
    ROCFORGE_RETURN_IF_ERROR(ReadValue(type, &entry.value));
    file_.metadata_.push_back(std::move(entry));
  }
  subject_kind_ = nullptr;
  return {};
}

Status Parser::ReadValueType(ValueType* type) {
  uint32_t id = 0;
  if (!Take(&id)) return EndsInside("a value's type");
  if (id > static_cast<uint32_t>(ValueType::kFloat64)) {
    position_ -= sizeof(id);
    return Corrupt(Format("unknown value type {} (known are 0 to 12)", id));
  }
  *type = static_cast<ValueType>(id);
  return {};
}

template <typename Wire, typename Wide>
Status Parser::ReadNumber(Value* value) {
  Wire wire{};
  if (!Take(&wire)) return EndsInside("a value");
  value->data = static_cast<Wide>(wire);
  return {};
}

Status Parser::ReadValue(ValueType type, Value* value) {
  value->type = type;
  switch (type) {
    case ValueType::kUint8:
      return ReadNumber<uint8_t, uint64_t>(value);
    case ValueType::kInt8:
      return ReadNumber<int8_t, int64_t>(value);
    case ValueType::kUint16:
      return ReadNumber<uint16_t, uint64_t>(value);
    case ValueType::kInt16:
      return ReadNumber<int16_t, int64_t>(value);
    case ValueType::kUint32:
      return ReadNumber<uint32_t, uint64_t>(value);
    case ValueType::kInt32:
      return ReadNumber<int32_t, int64_t>(value);
    case ValueType::kFloat32:
      return ReadNumber<float, double>(value);
    case ValueType::kUint64:
      return ReadNumber<uint64_t, uint64_t>(value);
    case ValueType::kInt64:
      return ReadNumber<int64_t, int64_t>(value);
    case ValueType::kFloat64:
      return ReadNumber<double, double>(value);
    case ValueType::kBool: {
      std::vector<bool> one;
      ROCFORGE_RETURN_IF_ERROR(ReadBools(1, &one));
      value->data = static_cast<bool>(one[0]);
      return {};
    }
    case ValueType::kString: {
      std::string_view text;
      ROCFORGE_RETURN_IF_ERROR(ReadString(&text));
      value->data = std::string(text);
      return {};
    }
    case ValueType::kArray: {
      Array array;
      ROCFORGE_RETURN_IF_ERROR(ReadArray(1, &array));
      value->data = std::move(array);
      return {};
    }
  }
  return Corrupt("unknown value type");
}

template <typename Wire, typename Wide>
Status Parser::ReadNumbers(uint64_t count, std::vector<Wide>* numbers) {
  if (count > left() / sizeof(Wire)) return EndsInside("an array of numbers");
  numbers->resize(static_cast<size_t>(count));
  const std::byte* from = bytes_.data() + position_;
  for (Wide& number : *numbers) {
    Wire wire;
    std::memcpy(&wire, from, sizeof(wire));
    number = static_cast<Wide>(wire);  // NOLINT(bugprone-signed-char-misuse): an int8 is a number
    from += sizeof(wire);
  }
  position_ += count * sizeof(Wire);
  return {};
}

Status Parser::ReadBools(uint64_t count, std::vector<bool>* bools) {
  if (count > left()) return EndsInside("a bool");
  bools->resize(static_cast<size_t>(count));
  for (size_t i = 0; i < bools->size(); ++i) {
    const auto byte = static_cast<uint8_t>(bytes_[position_]);
    if (byte > 1) return Corrupt(Format("a bool is {} (allowed are 0 and 1)", byte));
    (*bools)[i] = byte == 1;
    ++position_;
  }
  return {};
}

Status Parser::ReadStrings(uint64_t count, std::vector<std::string>* strings) {
  if (count > left() / kMinStringBytes) return EndsInside("an array of strings");
  strings->reserve(static_cast<size_t>(count));
  for (uint64_t i = 0; i < count; ++i) {
    std::string_view text;
    ROCFORGE_RETURN_IF_ERROR(ReadString(&text));
    strings->emplace_back(text);
  }
  return {};
}

Status Parser::ReadNestedArrays(uint64_t count, int depth, Array* array) {
  if (depth >= kMaxArrayDepth) {
    return Corrupt(Format("arrays are nested more than {} deep", kMaxArrayDepth));
  }
  if (count > left() / kMinArrayBytes) return EndsInside("an array of arrays");
  std::vector<Value>& items = array->items.emplace<std::vector<Value>>();
  for (uint64_t i = 0; i < count; ++i) {
    Array inner;
    ROCFORGE_RETURN_IF_ERROR(ReadArray(depth + 1, &inner));
    items.push_back({ValueType::kArray, std::move(inner)});
  }
  return {};
}

Status Parser::ReadArray(int depth, Array* array) {
  ROCFORGE_RETURN_IF_ERROR(ReadValueType(&array->element_type));
  uint64_t count = 0;
  if (!Take(&count)) return EndsInside("the length of an array");
  using Ints = std::vector<int64_t>;
  using Uints = std::vector<uint64_t>;
  using Floats = std::vector<double>;
  auto& items = array->items;
  switch (array->element_type) {
    case ValueType::kUint8:
      return ReadNumbers<uint8_t>(count, &items.emplace<Uints>());
    case ValueType::kInt8:
      return ReadNumbers<int8_t>(count, &items.emplace<Ints>());
    case ValueType::kUint16:
      return ReadNumbers<uint16_t>(count, &items.emplace<Uints>());
    case ValueType::kInt16:
      return ReadNumbers<int16_t>(count, &items.emplace<Ints>());
    case ValueType::kUint32:
      return ReadNumbers<uint32_t>(count, &items.emplace<Uints>());
    case ValueType::kInt32:
      return ReadNumbers<int32_t>(count, &items.emplace<Ints>());
    case ValueType::kFloat32:
      return ReadNumbers<float>(count, &items.emplace<Floats>());
    case ValueType::kUint64:
      return ReadNumbers<uint64_t>(count, &items.emplace<Uints>());
    case ValueType::kInt64:
      return ReadNumbers<int64_t>(count, &items.emplace<Ints>());
    case ValueType::kFloat64:
      return ReadNumbers<double>(count, &items.emplace<Floats>());
    case ValueType::kBool:
      return ReadBools(count, &items.emplace<std::vector<bool>>());
    case ValueType::kString:
      return ReadStrings(count, &items.emplace<std::vector<std::string>>());
    case ValueType::kArray:
      return ReadNestedArrays(count, depth, array);
  }
  return Corrupt("unknown value type");
}

Status Parser::ParseAlignment() {
  const Result<uint64_t> alignment = AlignmentOf(file_.metadata_);
  if (!alignment.ok()) return Corrupt(alignment.status().message());
  file_.alignment_ = static_cast<uint32_t>(*alignment);
  return {};
}

Status Parser::ParseDirectory() {
  for (uint64_t i = 0; i < n_tensors_; ++i) {
    TensorInfo tensor;
    ROCFORGE_RETURN_IF_ERROR(ParseTensor(&tensor));
    file_.tensors_.push_back(std::move(tensor));
  }
  subject_kind_ = nullptr;
  return {};
}

Status Parser::ParseTensor(TensorInfo* tensor) {
  ROCFORGE_RETURN_IF_ERROR(ReadName("tensor", &tensor->name));
  ROCFORGE_RETURN_IF_ERROR(ParseShape(tensor));
  uint32_t type_id = 0;
  if (!Take(&type_id)) return EndsInside("the tensor directory");
  const Result<DType> dtype = DTypeFromId(type_id);
  if (!dtype.ok()) {
    position_ -= sizeof(type_id);
    // Types 4, 5, 31 to 33 and 36 to 38 once had a meaning and were withdrawn from the format.
    const bool withdrawn = type_id == 4 || type_id == 5 || (type_id >= 31 && type_id <= 33) ||
                           (type_id >= 36 && type_id <= 38);
    return Fail(StatusCode::kUnsupported,
                withdrawn ? Format("tensor type {} was withdrawn from GGUF: quantize the model "
                                   "again to a current type",
                                   type_id)
                          : dtype.status().message());
  }
  tensor->dtype = *dtype;
  uint64_t offset = 0;
  if (!Take(&offset)) return EndsInside("the tensor directory");
  offsets_.push_back(offset);

  const Result<uint64_t> size_bytes = DataBytes(tensor->dtype, tensor->shape);
  if (!size_bytes.ok()) return Corrupt(size_bytes.status().message());
  // The address follows in LocateData, when the start of the data is known.
  tensor->data = {static_cast<const std::byte*>(nullptr), static_cast<size_t>(*size_bytes)};
  return {};
}

Status Parser::ParseShape(TensorInfo* tensor) {
  uint32_t rank = 0;
  if (!Take(&rank)) return EndsInside("the tensor directory");
  if (rank < 1 || rank > Shape::kMaxRank) {
    position_ -= sizeof(rank);
    return Corrupt(Format("{} dimensions (allowed are 1 to {})", rank, Shape::kMaxRank));
  }
  std::array<uint64_t, Shape::kMaxRank> dims{};
  for (uint32_t i = 0; i < rank; ++i) {
    if (!Take(&dims[i])) return EndsInside("the tensor directory");
    if (dims[i] == 0 || dims[i] > std::numeric_limits<int64_t>::max()) {
      return Corrupt(Format("dimension {} is {} (allowed are 1 to 2^63-1)", i, dims[i]));
    }
  }
  for (uint32_t i = rank; i > 0; --i) tensor->shape.Append(static_cast<int64_t>(dims[i - 1]));
  return {};
}

Status Parser::LocateData() {
  if (file_.tensors_.empty()) return {};
  const uint64_t start = AlignUp(position_, file_.alignment_);
  const uint64_t size = bytes_.size();
  const uint64_t data_bytes = start < size ? size - start : 0;
  for (size_t i = 0; i < file_.tensors_.size(); ++i) {
    TensorInfo& tensor = file_.tensors_[i];
    const uint64_t offset = offsets_[i];
    const auto fail = [&](const std::string& message) {
      return DataLoss(Format("{}: tensor '{}': {}", name_,
                             EscapeForTerminal(tensor.name, kShownNameBytes), message));
    };
    if (offset % file_.alignment_ != 0) {
      return fail(
          Format("its offset {} is not a multiple of the alignment {}", offset, file_.alignment_));
    }
    if (offset > data_bytes || tensor.data.size() > data_bytes - offset) {
      return fail(
          Format("it needs {} bytes from byte {}+{} on, but the file has {} bytes "
                 "(truncated: download or copy it again)",
                 tensor.data.size(), start, offset, size));
    }
    tensor.file_offset = start + offset;
    tensor.data = bytes_.subspan(tensor.file_offset, tensor.data.size());
  }
  return CheckOverlap();
}

Status Parser::CheckOverlap() {
  const std::vector<TensorInfo>& tensors = file_.tensors_;
  std::vector<uint32_t> order(tensors.size());
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    return tensors[a].file_offset < tensors[b].file_offset;
  });
  for (size_t i = 1; i < order.size(); ++i) {
    const TensorInfo& before = tensors[order[i - 1]];
    const TensorInfo& after = tensors[order[i]];
    if (before.file_offset + before.data.size() > after.file_offset) {
      return DataLoss(Format("{}: byte {}: the data of tensors '{}' and '{}' overlap", name_,
                             after.file_offset, EscapeForTerminal(before.name, kShownNameBytes),
                             EscapeForTerminal(after.name, kShownNameBytes)));
    }
  }
  return {};
}

Status Parser::BuildIndex() {
  ROCFORGE_ASSIGN_OR_RETURN(file_.index_,
                            File::Index::Build(name_, file_.metadata_, file_.tensors_));
  return {};
}

}  // namespace rocforge::gguf
