// The model as a list of ops in program order: values, weights and nodes, by index. Plain data that
// passes rewrite. It knows neither architectures nor kernels.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/op/call.h"
#include "kernels/op/op.h"
#include "rocforge/status.h"

namespace rocforge::graph {

using ValueId = int32_t;
inline constexpr ValueId kNoValue = -1;

// A row count that is known only when a step runs: count, count * T (tokens) or count * O
// (outputs).
enum class RowUnit : uint8_t { kConstant, kToken, kOutput };
struct Rows {
  RowUnit unit = RowUnit::kConstant;
  int64_t count = 0;

  int64_t At(int64_t n_tokens, int64_t n_outputs) const {
    return unit == RowUnit::kToken    ? count * n_tokens
           : unit == RowUnit::kOutput ? count * n_outputs
                                      : count;
  }
  bool operator==(const Rows&) const = default;
};

// Part of a tensor of the file: rows [row_begin, row_begin + rows) of a matrix, or a whole stack of
// experts.
struct Weight {
  std::string tensor;  // name in the file
  int64_t row_begin = 0;
};

struct Value {
  std::string name;  // "blk.0.attn_q", for people
  DType dtype = DType::kF32;
  int64_t outer = 1;  // experts; 1 for everything else
  Rows rows;
  int64_t cols = 0;
  int32_t weight = -1;  // index in Graph::weights, or -1 for an activation

  bool is_weight() const { return weight >= 0; }
  op::TensorDesc At(int64_t n_tokens, int64_t n_outputs) const {
    return {dtype, outer, rows.At(n_tokens, n_outputs), cols};
  }
};

struct Node {
  op::Params params;
  std::vector<ValueId> in;   // order as op.h lists
  std::vector<ValueId> out;  // each value has exactly one producer
  std::string name;          // "blk.0.attn_qkv"
  int32_t layer = -1;        // -1: before the first or after the last block

  op::Kind kind() const { return op::KindOf(params); }
};

// What attention needs from the cache in one layer.
struct KvSpec {
  int32_t n_kv_heads = 0;
  int32_t head_dim_k = 0;
  int32_t head_dim_v = 0;
  int32_t window = 0;  // 0: keeps all positions
};

class Graph {
 public:
  std::vector<Value> values;
  std::vector<Weight> weights;
  std::vector<Node> nodes;        // program order
  std::vector<KvSpec> kv_layers;  // by layer
  ValueId logits = kNoValue;      // [O, n_vocab], the graph's result

  const Value& value(ValueId id) const { return values[static_cast<size_t>(id)]; }

  // A weight matrix [rows, cols] (outer 1) or stack [outer, rows, cols], as a value.
  ValueId AddWeight(std::string tensor, int64_t row_begin, const op::TensorDesc& desc);
  // The same for a vector of n f32 values: desc is [1, n].
  ValueId AddVector(std::string tensor, int64_t n);

  // Appends a node; its outputs are new activations whose shapes follow from op.h. Operands that
  // break the contract are a bug of the caller and end the program: the model checks a file's
  // shapes before it builds. Output names are `name`, or `name`.0, .1, ... where there are several.
  std::vector<ValueId> Append(op::Params params, std::vector<ValueId> in, std::string name,
                              int32_t layer);
  // Append for ops with one output.
  ValueId Append1(op::Params params, std::vector<ValueId> in, std::string name, int32_t layer);

  // Full consistency check: indices, single producers, producers before consumers, shapes as
  // inference gives. kInternal.
  Status Verify() const;

  // How many inputs refer to each value (the graph's result counts as one use).
  std::vector<int32_t> UseCounts() const;
};

// Shapes of the outputs that an op gives for these inputs. kInternal names the op and the operand
// that breaks op.h.
struct OutputShape {
  DType dtype = DType::kF32;
  Rows rows;
  int64_t cols = 0;
};
Result<std::vector<OutputShape>> InferOutputs(const op::Params& params,
                                              std::span<const Value* const> in);

}  // namespace rocforge::graph
