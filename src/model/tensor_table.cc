#include "model/tensor_table.h"

#include <cstring>

#include "base/format.h"
#include "base/log.h"
#include "quant/quant.h"

namespace rocforge::model {
namespace {

// GGUF writers drop trailing dimensions of 1, which are leading ones here.
Shape WithoutLeadingOnes(const Shape& shape) {
  Shape out;
  for (int i = 0; i < shape.rank(); ++i) {
    if (out.rank() > 0 || shape.dim(i) != 1 || i + 1 == shape.rank()) out.Append(shape.dim(i));
  }
  return out;
}

std::string Describe(DType dtype, const Shape& shape) {
  return Format("{} {}", Name(dtype), shape.ToString());
}

// The number N of "blk.N.<rest>", or -1.
int64_t BlockOf(std::string_view name) {
  constexpr std::string_view kPrefix = "blk.";
  if (!name.starts_with(kPrefix)) return -1;
  int64_t block = 0;
  size_t at = kPrefix.size();
  for (; at < name.size() && name[at] >= '0' && name[at] <= '9' && block < (1 << 20); ++at) {
    block = block * 10 + (name[at] - '0');
  }
  return at > kPrefix.size() && at < name.size() && name[at] == '.' ? block : -1;
}

// Tensors that some converters write and a decoder does not need.
bool IsHarmless(std::string_view name) {
  return name.ends_with(".attn_rot_embd.weight") ||  // RoPE frequencies, which follow from the base
         name.ends_with(".input_scale");             // for activations quantised to NVFP4
}

// Tensors outside the blocks whose absence from the graph would change the logits.
bool IsPartOfModel(std::string_view name) {
  for (const std::string_view prefix :
       {"output", "token_embd", "token_types", "position_embd", "rope_", "per_layer"}) {
    if (name.starts_with(prefix)) return true;
  }
  return false;
}

}  // namespace

Result<const gguf::TensorInfo*> TensorTable::Find(const std::string& name, const Shape& expected,
                                                  bool must_be_f32) {
  const gguf::TensorInfo* tensor = file_.FindTensor(name);
  if (tensor == nullptr) {
    return DataLoss(Format("tensor '{}' {} is missing", name, expected.ToString()));
  }
  if (!(WithoutLeadingOnes(tensor->shape) == WithoutLeadingOnes(expected))) {
    return DataLoss(Format("tensor '{}' is {}, expected shape {}", name,
                           Describe(tensor->dtype, tensor->shape), expected.ToString()));
  }
  if (must_be_f32 && tensor->dtype != DType::kF32) {
    return DataLoss(
        Format("tensor '{}' is {}, expected F32", name, Describe(tensor->dtype, tensor->shape)));
  }
  if (!quant::CanDecode(tensor->dtype)) {
    return DataLoss(Format("tensor '{}' is {}, which is no element type of weights", name,
                           Describe(tensor->dtype, tensor->shape)));
  }
  used_.insert(name);
  return tensor;
}

graph::ValueId TensorTable::Add(const gguf::TensorInfo& tensor, int64_t row_begin,
                                const op::TensorDesc& desc) {
  const auto [entry, is_new] = added_.try_emplace({tensor.name, row_begin}, graph::kNoValue);
  if (is_new) {
    entry->second = graph_->AddWeight(tensor.name, row_begin, desc);
    data_.push_back(tensor.data.data() + row_begin * desc.row_bytes());
  }
  return entry->second;
}

Result<graph::ValueId> TensorTable::MatrixRows(const std::string& name, int64_t total_rows,
                                               int64_t row_begin, int64_t rows, int64_t cols) {
  ROCFORGE_ASSIGN_OR_RETURN(const gguf::TensorInfo* tensor, Find(name, {total_rows, cols}, false));
  return Add(*tensor, row_begin, {tensor->dtype, 1, rows, cols});
}

Result<graph::ValueId> TensorTable::Stack(const std::string& name, int64_t experts, int64_t rows,
                                          int64_t cols) {
  ROCFORGE_ASSIGN_OR_RETURN(const gguf::TensorInfo* tensor,
                            Find(name, {experts, rows, cols}, false));
  return Add(*tensor, 0, {tensor->dtype, experts, rows, cols});
}

Result<graph::ValueId> TensorTable::Vector(const std::string& name, int64_t n) {
  ROCFORGE_ASSIGN_OR_RETURN(const gguf::TensorInfo* tensor, Find(name, {n}, true));
  return Add(*tensor, 0, {DType::kF32, 1, 1, n});
}

Result<graph::ValueId> TensorTable::Vectors(const std::string& name, int64_t rows, int64_t n) {
  ROCFORGE_ASSIGN_OR_RETURN(const gguf::TensorInfo* tensor, Find(name, {rows, n}, true));
  return Add(*tensor, 0, {DType::kF32, 1, rows, n});
}

Result<float> TensorTable::Scalar(const std::string& name) {
  ROCFORGE_ASSIGN_OR_RETURN(const gguf::TensorInfo* tensor, Find(name, {1}, true));
  float value = 0.0f;
  std::memcpy(&value, tensor->data.data(), sizeof(value));
  return value;
}

Status TensorTable::CheckUnused(const ArchSpec& spec, int64_t n_layers) const {
  constexpr size_t kMaxNamed = 8;
  std::vector<std::string> unused;
  size_t n_unused = 0;
  for (const gguf::TensorInfo& tensor : file_.tensors()) {
    if (used_.contains(tensor.name) || IsHarmless(tensor.name)) continue;
    const std::string name = EscapeForTerminal(tensor.name, 128);
    const int64_t block = BlockOf(tensor.name);
    if ((block >= 0 && block < n_layers) || IsPartOfModel(tensor.name)) {
      return Unsupported(
          Format("tensor '{}' is not part of architecture '{}' as this version knows it, and "
                 "without it the results would be wrong",
                 name, spec.name));
    }
    ++n_unused;
    if (unused.size() < kMaxNamed) unused.push_back(name);
  }
  for (const std::string& name : unused) Log(LogLevel::kWarn, "unused tensor {}", name);
  if (n_unused > unused.size()) {
    Log(LogLevel::kWarn, "and {} more unused tensors", n_unused - unused.size());
  }
  return Status::Ok();
}

std::vector<const gguf::TensorInfo*> TensorTable::UsedTensors() const {
  std::vector<const gguf::TensorInfo*> tensors;
  std::unordered_set<std::string_view> in_graph;
  for (const graph::Weight& weight : graph_->weights) in_graph.insert(weight.tensor);
  for (const gguf::TensorInfo& tensor : file_.tensors()) {
    if (in_graph.contains(tensor.name)) tensors.push_back(&tensor);
  }
  return tensors;
}

}  // namespace rocforge::model
