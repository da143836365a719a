// What `rocforge quantize` will do to a file, decided before a byte is written.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "apps/quantize_importance.h"
#include "gguf/reader.h"
#include "gguf/writer.h"
#include "quant/mix.h"
#include "rocforge/status.h"

namespace rocforge::apps {

struct QuantizeOptions {
  quant::MixOptions mix;
  bool allow_requantize = false;
  // Says what would be missing instead of failing.
  bool dry_run = false;
  std::string importance_path;  // for the metadata; empty without
};

// One tensor of the output, in the order of the input.
struct TensorPlan {
  const gguf::TensorInfo* source = nullptr;  // of the File, which must outlive the plan
  DType dtype = DType::kF32;
  const std::vector<float>* importance = nullptr;  // of the ImportanceMatrix, likewise
  uint64_t bytes = 0;                              // of the output's data
};

struct QuantizePlan {
  std::vector<gguf::KeyValue> metadata;
  std::vector<TensorPlan> tensors;
  uint64_t source_bytes = 0;  // of tensor data
  uint64_t bytes = 0;
  int64_t elements = 0;
  std::vector<std::string> warnings;  // a line each
  // Everything else that decides the output's bytes, for resuming.
  std::string identity;

  double bits_per_weight() const {
    return elements > 0 ? 8.0 * static_cast<double>(bytes) / static_cast<double>(elements) : 0.0;
  }
  std::vector<gguf::TensorSpec> Specs() const;
};

// `importance` may be null. kInvalidArgument for a type that cannot be written; kFailedPrecondition
// for a quantised source without allow_requantize, a missing importance matrix where the type needs
// one, or one that does not fit the model.
Result<QuantizePlan> PlanQuantize(const gguf::File& file, const QuantizeOptions& options,
                                  const ImportanceMatrix* importance);

}  // namespace rocforge::apps
