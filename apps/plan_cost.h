// What each op of a graph costs in a step of given size: the table of `rocforge plan`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "kernels/op/cost.h"

namespace rocforge::apps {

// One sequence with `n_context` tokens in the cache gets `n_tokens` more; the logits of the last
// are wanted.
struct StepShape {
  int64_t n_tokens = 1;
  int64_t n_context = 0;
  DType kv_type = DType::kF16;
};

struct OpRow {
  std::string name;  // without the layer: "attn_qkv"
  std::string op;    // "matmul"
  int32_t layer = -1;
  std::string output;   // "[1, 960]"
  std::string weights;  // "576+192+192 x 576", "" if the op has none
  std::string types;    // of the weights: "Q4_1"; of the output where there are none
  op::Cost cost;

  // The same op in another layer.
  bool Same(const OpRow& other) const;
};

// In program order.
std::vector<OpRow> CostTable(const graph::Graph& graph, const StepShape& step);

// Rows that belong together: what is outside the layers and runs before the last of them ends, each
// kind of layer once, what comes after.
struct OpGroup {
  std::vector<int32_t> layers;  // empty: outside the layers
  std::vector<OpRow> rows;
};
// Layers with the same rows share a group when `fold`; otherwise each layer has its own.
std::vector<OpGroup> GroupRows(const std::vector<OpRow>& rows, bool fold);

// "layers 0-4, 6-10 (10 times)", "layer 5", "before the layers", "after the layers".
std::string GroupTitle(const OpGroup& group, bool first);

op::Cost SumOf(const std::vector<OpRow>& rows);

// Bytes that one token takes in the KV cache of all layers.
int64_t KvBytesPerToken(const graph::Graph& graph, DType kv_type);

}  // namespace rocforge::apps
