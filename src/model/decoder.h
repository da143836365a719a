// The one decoder: builds the graph of every architecture from its description, the file's
// hyper-parameters and the file's tensors.
#pragma once

#include <cstdint>

#include "gguf/reader.h"
#include "graph/graph.h"
#include "model/arch_spec.h"
#include "model/hparams.h"
#include "model/tensor_table.h"
#include "rocforge/status.h"

namespace rocforge::model {

// Emits plain ops, one product each; fusing them is the passes' job. `graph` is empty and the one
// that `tensors` adds to. n_ctx is the context that a sequence may hold (it chooses among RoPE
// factors). Errors are those of TensorTable, and kUnsupported for a per-expert NVFP4 scale.
Status BuildDecoder(const ArchSpec& spec, const HParams& hp, int64_t n_ctx, TensorTable& tensors,
                    graph::Graph& graph);

}  // namespace rocforge::model
