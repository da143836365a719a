#include "model/model.h"

#include <algorithm>
#include <array>

#include "base/format.h"
#include "base/log.h"
#include "model/arch_spec.h"
#include "model/decoder.h"
#include "model/hparams.h"
#include "model/tensor_table.h"

namespace rocforge::model {
namespace {

Result<const ArchSpec*> ArchitectureOf(const gguf::File& file) {
  if (file.Find("general.architecture") == nullptr) {
    return DataLoss("metadata key 'general.architecture' is missing: this is no language model");
  }
  ROCFORGE_ASSIGN_OR_RETURN(const std::string name, file.GetString("general.architecture"));
  const ArchSpec* spec = FindArchitecture(name);
  if (spec != nullptr) return spec;
  std::string supported;
  for (const std::string& known : SupportedArchitectures()) {
    if (!supported.empty()) supported += ", ";
    supported += known;
  }
  return Unsupported(Format("architecture '{}' is not supported; supported: {}",
                            EscapeForTerminal(name, 64), supported));
}

// Adapters and projectors carry the architecture of the model that they belong to.
Status CheckType(const gguf::File& file) {
  if (file.Find("general.type") == nullptr) return Status::Ok();
  ROCFORGE_ASSIGN_OR_RETURN(const std::string type, file.GetString("general.type"));
  if (type == "model") return Status::Ok();
  return Unsupported(Format("the file is of type '{}', not a model", EscapeForTerminal(type, 64)));
}

ModelInfo Describe(const ArchSpec& spec, const HParams& hp, const TensorTable& tensors) {
  ModelInfo info;
  info.architecture = spec.name;
  info.name = hp.name;
  info.n_layers = hp.n_layers;
  info.d_model = hp.d_model;
  info.n_vocab = hp.n_vocab;
  info.n_ctx_train = hp.n_ctx_train;
  std::array<int64_t, 256> bytes_of_type = {};
  for (const gguf::TensorInfo* tensor : tensors.UsedTensors()) {
    const auto bytes = static_cast<int64_t>(tensor->data.size());
    info.n_parameters += tensor->shape.elements();
    info.weight_bytes += bytes;
    bytes_of_type[static_cast<size_t>(tensor->dtype)] += bytes;
  }
  const auto largest = std::max_element(bytes_of_type.begin(), bytes_of_type.end());
  info.main_type = Name(static_cast<DType>(largest - bytes_of_type.begin()));
  return info;
}

}  // namespace

Result<Model> BuildModel(const gguf::File& file, int64_t n_ctx) {
  ROCFORGE_ASSIGN_OR_RETURN(const ArchSpec* spec, ArchitectureOf(file));
  ROCFORGE_RETURN_IF_ERROR(CheckType(file));
  ROCFORGE_ASSIGN_OR_RETURN(const HParams hp, ReadHParams(file, *spec));
  if (n_ctx <= 0) n_ctx = std::min(hp.n_ctx_train, kDefaultContext);
  if (hp.window_not_applied > 0 && n_ctx > hp.window_not_applied) {
    Log(LogLevel::kWarn,
        "the file names a sliding window of {} positions, which is not applied for architecture "
        "'{}': attention sees all positions",
        hp.window_not_applied, spec->name);
  }
  Model model;
  TensorTable tensors(file, &model.graph);
  ROCFORGE_RETURN_IF_ERROR(BuildDecoder(*spec, hp, n_ctx, tensors, model.graph));
  ROCFORGE_RETURN_IF_ERROR(tensors.CheckUnused(*spec, hp.n_layers));
  ROCFORGE_RETURN_IF_ERROR(model.graph.Verify());
  model.info = Describe(*spec, hp, tensors);
  model.weights = tensors.data();
  return model;
}

std::vector<std::string> SupportedArchitectures() {
  std::vector<std::string> names;
  for (const ArchSpec* spec : AllArchitectures()) names.emplace_back(spec->name);
  return names;
}

}  // namespace rocforge::model
