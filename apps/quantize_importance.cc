#include "apps/quantize_importance.h"

#include <cmath>
#include <cstring>
#include <string_view>
#include <utility>

#include "base/format.h"
#include "base/mapped_file.h"
#include "gguf/reader.h"

namespace rocforge::apps {
namespace {

constexpr std::string_view kSums = ".in_sum2";
constexpr std::string_view kCounts = ".counts";

// FNV-1a, 64 bits.
uint64_t Hash(std::span<const std::byte> bytes) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const std::byte b : bytes) hash = (hash ^ static_cast<uint64_t>(b)) * 0x100000001b3;
  return hash;
}

std::vector<float> Floats(std::span<const std::byte> bytes) {
  std::vector<float> values(bytes.size() / sizeof(float));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  return values;
}

// Adds an entry once its values are known to be usable.
Status Add(const std::string& name, std::vector<float> values, ImportanceMatrix* matrix) {
  for (const float v : values) {
    if (std::isfinite(v) && v >= 0.0f) continue;
    return DataLoss(
        Format("the entry '{}' holds {}, which is no importance", EscapeForTerminal(name, 80), v));
  }
  if (!matrix->columns.emplace(name, std::move(values)).second) {
    return DataLoss(Format("the entry '{}' comes twice", EscapeForTerminal(name, 80)));
  }
  return {};
}

// ---- the GGUF format ----

Result<std::vector<float>> FloatTensor(const gguf::TensorInfo& tensor) {
  if (tensor.dtype != DType::kF32 || tensor.shape.elements() == 0) {
    return DataLoss(
        Format("the tensor '{}' is not a list of F32 numbers", EscapeForTerminal(tensor.name, 80)));
  }
  return Floats(tensor.data);
}

Status AddPair(const std::string& name, const gguf::TensorInfo& sums,
               const gguf::TensorInfo* counts, ImportanceMatrix* matrix) {
  if (counts == nullptr) {
    return DataLoss(Format("'{}' has sums but no counts", EscapeForTerminal(name, 80)));
  }
  ROCFORGE_ASSIGN_OR_RETURN(std::vector<float> values, FloatTensor(sums));
  ROCFORGE_ASSIGN_OR_RETURN(const std::vector<float> n, FloatTensor(*counts));
  if (values.size() % n.size() != 0) {
    return DataLoss(Format("'{}' has {} sums for {} counts", EscapeForTerminal(name, 80),
                           values.size(), n.size()));
  }
  const size_t row = values.size() / n.size();
  for (size_t i = 0; i < values.size(); ++i) {
    const float count = std::round(n[i / row]);
    // An expert that no token reached: all columns count the same.
    values[i] = count > 0.0f ? values[i] / count : 1.0f;
  }
  return Add(name, std::move(values), matrix);
}

Result<ImportanceMatrix> ParseGguf(std::span<const std::byte> bytes, const std::string& name) {
  ROCFORGE_ASSIGN_OR_RETURN(const gguf::File file, gguf::File::Parse(bytes, name));
  ImportanceMatrix matrix;
  for (const gguf::TensorInfo& tensor : file.tensors()) {
    if (!std::string_view(tensor.name).ends_with(kSums)) continue;
    const std::string base = tensor.name.substr(0, tensor.name.size() - kSums.size());
    const gguf::TensorInfo* counts = file.FindTensor(base + std::string(kCounts));
    ROCFORGE_RETURN_IF_ERROR(AddPair(base, tensor, counts, &matrix));
  }
  if (matrix.columns.empty()) {
    return InvalidArgument("a GGUF file, but without the tensors of an importance matrix");
  }
  if (const auto datasets = file.GetStringArray("imatrix.datasets"); datasets.ok()) {
    matrix.datasets.assign(datasets->begin(), datasets->end());
  }
  if (const auto chunks = file.GetInt("imatrix.chunk_count"); chunks.ok()) {
    matrix.n_chunks = *chunks;
  }
  return matrix;
}

// ---- the older format ----
//
//   i32 entries, then per entry: i32 length, name, i32 calls, i32 values, f32 values[];
//   optionally: i32 chunks, i32 length, name of the data set.

class Bytes {
 public:
  explicit Bytes(std::span<const std::byte> bytes) : rest_(bytes) {}
  bool empty() const { return rest_.empty(); }

  Result<std::span<const std::byte>> Take(uint64_t n, const char* what) {
    if (n > rest_.size()) {
      return DataLoss(Format("ends within {}, or is no importance matrix", what));
    }
    const auto taken = rest_.first(static_cast<size_t>(n));
    rest_ = rest_.subspan(static_cast<size_t>(n));
    return taken;
  }
  Result<int32_t> Int(const char* what) {
    ROCFORGE_ASSIGN_OR_RETURN(const auto bytes, Take(sizeof(int32_t), what));
    int32_t value;
    std::memcpy(&value, bytes.data(), sizeof(value));
    return value;
  }
  // A number that counts what follows.
  Result<int32_t> Count(const char* what) {
    ROCFORGE_ASSIGN_OR_RETURN(const int32_t n, Int(what));
    if (n < 0) return DataLoss(Format("{} is {}, so this is no importance matrix", what, n));
    return n;
  }
  Result<std::string> Text(const char* what) {
    ROCFORGE_ASSIGN_OR_RETURN(const int32_t n, Count(what));
    ROCFORGE_ASSIGN_OR_RETURN(const auto bytes, Take(static_cast<uint64_t>(n), what));
    return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }

 private:
  std::span<const std::byte> rest_;
};

Result<ImportanceMatrix> ParseRecords(std::span<const std::byte> data) {
  Bytes bytes(data);
  ImportanceMatrix matrix;
  ROCFORGE_ASSIGN_OR_RETURN(const int32_t n_entries, bytes.Count("the number of entries"));
  if (n_entries == 0) return DataLoss("has no entries");
  for (int32_t i = 0; i < n_entries; ++i) {
    ROCFORGE_ASSIGN_OR_RETURN(const std::string name, bytes.Text("the name of an entry"));
    ROCFORGE_ASSIGN_OR_RETURN(const int32_t calls, bytes.Int("an entry"));
    ROCFORGE_ASSIGN_OR_RETURN(const int32_t n, bytes.Count("the size of an entry"));
    const uint64_t size = static_cast<uint64_t>(n) * sizeof(float);
    ROCFORGE_ASSIGN_OR_RETURN(const auto raw, bytes.Take(size, "the values of an entry"));
    std::vector<float> values = Floats(raw);
    if (values.empty()) {
      return DataLoss(Format("the entry '{}' is empty", EscapeForTerminal(name, 80)));
    }
    if (calls > 0) {
      for (float& v : values) v /= static_cast<float>(calls);
    }
    ROCFORGE_RETURN_IF_ERROR(Add(name, std::move(values), &matrix));
  }
  if (bytes.empty()) return matrix;
  ROCFORGE_ASSIGN_OR_RETURN(matrix.n_chunks, bytes.Int("the number of chunks"));
  if (bytes.empty()) return matrix;
  ROCFORGE_ASSIGN_OR_RETURN(std::string dataset, bytes.Text("the name of the data set"));
  if (!dataset.empty()) matrix.datasets.push_back(std::move(dataset));
  return matrix;
}

}  // namespace

Result<ImportanceMatrix> ParseImportance(std::span<const std::byte> bytes,
                                         const std::string& name) {
  const bool is_gguf = bytes.size() >= 4 && std::memcmp(bytes.data(), "GGUF", 4) == 0;
  Result<ImportanceMatrix> matrix = is_gguf ? ParseGguf(bytes, name) : ParseRecords(bytes);
  // The reader of GGUF files names the file itself.
  if (!matrix.ok() && matrix.status().message().starts_with(name)) return matrix.status();
  if (!matrix.ok()) return matrix.status().WithContext(name);
  matrix->hash = Hash(bytes);
  return matrix;
}

Result<ImportanceMatrix> LoadImportance(const std::string& path) {
  ROCFORGE_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::Open(path));
  return ParseImportance(file.bytes(), path);
}

}  // namespace rocforge::apps
