// From a GGUF file to the graph of its model. An architecture is data (model/arch/); one generic
// decoder builds them all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "gguf/reader.h"
#include "graph/graph.h"
#include "rocforge/status.h"

namespace rocforge::model {

// What people and schedulers ask of a model; everything else is in the graph.
struct ModelInfo {
  std::string architecture;  // "llama"
  std::string name;          // general.name, may be empty
  int64_t n_layers = 0;
  int64_t d_model = 0;
  int64_t n_vocab = 0;
  int64_t n_ctx_train = 0;
  int64_t n_parameters = 0;
  int64_t weight_bytes = 0;  // of all tensors that the graph uses, each once
  std::string main_type;     // element type that holds most of the bytes, "Q4_1"
};

// Context of a sequence where the user names none: the model's own, at most this.
inline constexpr int64_t kDefaultContext = 4096;

struct Model {
  ModelInfo info;
  graph::Graph graph;
  std::vector<const std::byte*> weights;  // by Graph::weights index: first byte of
                                          // the part, in the gguf::File's memory
};

// Builds the model of `file`, which must outlive it. n_ctx is the context that a sequence will hold
// (0: min(n_ctx_train, kDefaultContext)); models with long and short RoPE factors choose between
// them by it. kUnsupported for an architecture or feature that we lack (the line lists the
// supported ones), kDataLoss for a missing key, a missing tensor or one of the wrong shape, named.
Result<Model> BuildModel(const gguf::File& file, int64_t n_ctx = 0);

// Names as in general.architecture, sorted.
std::vector<std::string> SupportedArchitectures();

}  // namespace rocforge::model
