#include "apps/quantize_plan.h"

#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <utility>

#include "base/format.h"
#include "quant/quant.h"

namespace rocforge::apps {
namespace {

// The layout of quantised blocks that ggml has used since 2023; readers refuse files without it.
constexpr uint32_t kQuantizationVersion = 2;

std::string Shown(const std::string& name) { return EscapeForTerminal(name, 80); }

// The key's number; of an array, its first. `fallback` if absent.
int64_t FirstInt(const gguf::File& file, const std::string& key, int64_t fallback) {
  if (const auto value = file.GetInt(key); value.ok()) return *value;
  if (const auto values = file.GetIntArray(key); values.ok() && !values->empty()) {
    return values->front();
  }
  return fallback;
}

quant::MixModel DescribeModel(const gguf::File& file) {
  quant::MixModel model;
  if (auto name = file.GetString("general.architecture"); name.ok()) model.architecture = *name;
  const std::string& arch = model.architecture;
  model.n_layer = FirstInt(file, arch + ".block_count", 0);
  model.n_head = FirstInt(file, arch + ".attention.head_count", 0);
  model.n_head_kv = FirstInt(file, arch + ".attention.head_count_kv", model.n_head);
  model.n_expert = FirstInt(file, arch + ".expert_count", 0);
  return model;
}

void Set(const std::string& key, gguf::Value value, std::vector<gguf::KeyValue>* metadata) {
  for (gguf::KeyValue& entry : *metadata) {
    if (entry.key != key) continue;
    entry.value = std::move(value);
    return;
  }
  metadata->push_back({key, std::move(value)});
}

std::vector<gguf::KeyValue> OutputMetadata(const gguf::File& file, const QuantizeOptions& options,
                                           const ImportanceMatrix* importance) {
  std::vector<gguf::KeyValue> metadata;
  for (const gguf::KeyValue& entry : file.metadata()) {
    // The output is one file.
    if (!entry.key.starts_with("split.")) metadata.push_back(entry);
  }
  using gguf::Value;
  Set("general.quantization_version", Value::Uint32(kQuantizationVersion), &metadata);
  Set("general.file_type", Value::Uint32(static_cast<uint32_t>(options.mix.type)), &metadata);
  if (importance == nullptr) return metadata;
  // The names that llama.cpp gives them.
  Set("quantize.imatrix.file", Value::String(options.importance_path), &metadata);
  if (!importance->datasets.empty()) {
    Set("quantize.imatrix.dataset", Value::String(importance->datasets.front()), &metadata);
  }
  Set("quantize.imatrix.entries_count",
      Value::Uint32(static_cast<uint32_t>(importance->columns.size())), &metadata);
  if (importance->n_chunks > 0) {
    Set("quantize.imatrix.chunks_count", Value::Int64(importance->n_chunks), &metadata);
  }
  return metadata;
}

// Size and time of change of every part: enough to notice that it is not the same input.
std::string InputIdentity(const gguf::File& file) {
  std::string identity;
  for (const std::string& path : file.paths()) {
    struct stat info{};
    if (::stat(path.c_str(), &info) != 0) continue;
    identity += Format("{}:{}.{};", info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
  }
  return identity;
}

Status CheckTypes(const quant::MixOptions& mix) {
  for (const std::optional<DType>& type : {mix.token_embedding, mix.output}) {
    if (type && !quant::CanEncode(*type)) {
      return InvalidArgument(Format("{} can be read but not written", Name(*type)));
    }
  }
  return {};
}

// The importance of the tensor's columns: null if there is none, which is worth a warning.
Result<const std::vector<float>*> FindImportance(const gguf::TensorInfo& tensor,
                                                 const ImportanceMatrix& matrix,
                                                 std::vector<std::string>* missing) {
  const auto entry = matrix.columns.find(tensor.name);
  if (entry == matrix.columns.end()) {
    missing->push_back(tensor.name);
    return nullptr;
  }
  const int64_t experts = tensor.shape.rank() >= 3 ? tensor.shape.dim(-3) : 1;
  const int64_t expected = tensor.shape.row_elements() * experts;
  if (static_cast<int64_t>(entry->second.size()) == expected) return &entry->second;
  // Matrices measured on a model with tied embeddings hold the output's columns under this name.
  if (tensor.name == "token_embd.weight" || tensor.name == "per_layer_token_embd.weight") {
    missing->push_back(tensor.name);
    return nullptr;
  }
  return FailedPrecondition(
      Format("the importance matrix has {} values for '{}', which needs {}: it was not made with "
             "this model",
             entry->second.size(), Shown(tensor.name), expected));
}

// "12 tensors (first: x): why", or nothing.
void WarnOfTensors(const std::vector<std::string>& names, const std::string& why,
                   std::vector<std::string>* warnings) {
  if (names.empty()) return;
  warnings->push_back(names.size() == 1
                          ? Format("{}: {}", Shown(names[0]), why)
                          : Format("{} tensors ({}, ...): {}", names.size(), Shown(names[0]), why));
}

// Tensors whose rows do not fit, by what they become.
using Fallbacks = std::map<std::pair<DType, DType>, std::vector<std::string>>;

void WarnOfFallbacks(const Fallbacks& fallbacks, std::vector<std::string>* warnings) {
  for (const auto& [types, names] : fallbacks) {
    WarnOfTensors(names,
                  Format("rows are no multiple of the {} weights of a {} block, so they become {}",
                         Info(types.first).block_elements, Name(types.first), Name(types.second)),
                  warnings);
  }
}

}  // namespace

std::vector<gguf::TensorSpec> QuantizePlan::Specs() const {
  std::vector<gguf::TensorSpec> specs;
  specs.reserve(tensors.size());
  for (const TensorPlan& tensor : tensors) {
    specs.push_back({tensor.source->name, tensor.dtype, tensor.source->shape});
  }
  return specs;
}

Result<QuantizePlan> PlanQuantize(const gguf::File& file, const QuantizeOptions& options,
                                  const ImportanceMatrix* importance) {
  ROCFORGE_RETURN_IF_ERROR(CheckTypes(options.mix));
  quant::MixOptions mix = options.mix;
  mix.has_importance = importance != nullptr;
  std::vector<quant::MixTensor> mix_tensors;
  for (const gguf::TensorInfo& tensor : file.tensors()) {
    mix_tensors.push_back({tensor.name, tensor.dtype, tensor.shape});
  }
  ROCFORGE_ASSIGN_OR_RETURN(const std::vector<quant::MixChoice> choices,
                            quant::ChooseTypes(DescribeModel(file), mix, mix_tensors));
  QuantizePlan plan;
  plan.metadata = OutputMetadata(file, options, importance);
  Fallbacks fallbacks;
  std::vector<std::string> unimportant;  // without importance, though there is a matrix
  std::vector<std::string> needy;        // that should have it
  for (size_t i = 0; i < choices.size(); ++i) {
    const gguf::TensorInfo& source = file.tensors()[i];
    TensorPlan tensor{&source, choices[i].dtype, nullptr, 0};
    // Integer tables are no weights, whatever their name.
    if (!quant::CanDecode(source.dtype)) tensor.dtype = source.dtype;
    const bool converts = tensor.dtype != source.dtype;
    const bool twice = converts && Info(source.dtype).quantised && Info(tensor.dtype).quantised;
    if (twice && !options.allow_requantize) {
      return FailedPrecondition(
          Format("'{}' is {} already, and quantizing again loses more than starting from the F16, "
                 "BF16 or F32 file; use that, or pass --allow-requantize",
                 Shown(source.name), Name(source.dtype)));
    }
    if (converts && choices[i].wanted != tensor.dtype) {
      fallbacks[{choices[i].wanted, tensor.dtype}].push_back(source.name);
    }
    if (converts && importance != nullptr && Info(tensor.dtype).quantised) {
      ROCFORGE_ASSIGN_OR_RETURN(tensor.importance,
                                FindImportance(source, *importance, &unimportant));
    }
    if (converts && choices[i].needs_importance && tensor.importance == nullptr) {
      needy.push_back(source.name);
    }
    ROCFORGE_ASSIGN_OR_RETURN(const int64_t row_bytes,
                              RowBytes(tensor.dtype, source.shape.row_elements()));
    tensor.bytes = static_cast<uint64_t>(row_bytes * source.shape.rows());
    plan.source_bytes += source.data.size();
    plan.bytes += tensor.bytes;
    plan.elements += source.shape.elements();
    plan.tensors.push_back(tensor);
  }
  WarnOfFallbacks(fallbacks, &plan.warnings);
  WarnOfTensors(unimportant, "not in the importance matrix, so quantized without", &plan.warnings);
  if (!needy.empty()) {
    const std::string text = Format("{} needs an importance matrix (--imatrix FILE) for '{}'",
                                    quant::Info(mix.type).name, Shown(needy[0]));
    if (!options.dry_run) return FailedPrecondition(text);
    plan.warnings.push_back(text);
  }
  plan.identity = Format("encoder {}; input {}; importance {:x}", quant::kEncoderVersion,
                         InputIdentity(file), importance != nullptr ? importance->hash : 0);
  return plan;
}

}  // namespace rocforge::apps
