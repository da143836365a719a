#include "graph/graph.h"

#include <cstdio>
#include <utility>

#include "base/check.h"
#include "base/format.h"
#include "base/log.h"

namespace rocforge::graph {

ValueId Graph::AddWeight(std::string tensor, int64_t row_begin, const op::TensorDesc& desc) {
  Value value;
  value.name = row_begin == 0 ? tensor : Format("{}[{}:]", tensor, row_begin);
  value.dtype = desc.dtype;
  value.outer = desc.outer;
  value.rows = {RowUnit::kConstant, desc.rows};
  value.cols = desc.cols;
  value.weight = static_cast<int32_t>(weights.size());
  weights.push_back({std::move(tensor), row_begin});
  values.push_back(std::move(value));
  return static_cast<ValueId>(values.size()) - 1;
}

ValueId Graph::AddVector(std::string tensor, int64_t n) {
  return AddWeight(std::move(tensor), 0, {DType::kF32, 1, 1, n});
}

std::vector<ValueId> Graph::Append(op::Params params, std::vector<ValueId> in, std::string name,
                                   int32_t layer) {
  std::vector<const Value*> inputs;
  for (ValueId id : in) inputs.push_back(&values.at(static_cast<size_t>(id)));
  const Result<std::vector<OutputShape>> shapes = InferOutputs(params, inputs);
  if (!shapes.ok()) Log(LogLevel::kError, "{}: {}", name, shapes.status().message());
  ROCFORGE_CHECK(shapes.ok());
  std::vector<ValueId> out;
  for (const OutputShape& shape : *shapes) {
    Value value;
    value.name = shapes->size() == 1 ? name : Format("{}.{}", name, out.size());
    value.dtype = shape.dtype;
    value.rows = shape.rows;
    value.cols = shape.cols;
    values.push_back(std::move(value));
    out.push_back(static_cast<ValueId>(values.size()) - 1);
  }
  nodes.push_back({params, std::move(in), out, std::move(name), layer});
  return out;
}

ValueId Graph::Append1(op::Params params, std::vector<ValueId> in, std::string name,
                       int32_t layer) {
  const std::vector<ValueId> out = Append(params, std::move(in), std::move(name), layer);
  ROCFORGE_CHECK(out.size() == 1);
  return out[0];
}

namespace {

Status Broken(const Node& node, std::string_view what) {
  return Internal(Format("graph node {}: {}", node.name, what));
}

// Outputs agree with inference and have no other producer; marks them as produced.
Status VerifyOutputs(const Graph& graph, const Node& node, std::vector<bool>& produced) {
  std::vector<const Value*> inputs;
  for (ValueId id : node.in) inputs.push_back(&graph.values[static_cast<size_t>(id)]);
  ROCFORGE_ASSIGN_OR_RETURN(const std::vector<OutputShape> shapes,
                            InferOutputs(node.params, inputs));
  if (shapes.size() != node.out.size()) return Broken(node, "has a wrong number of outputs");
  for (size_t i = 0; i < shapes.size(); ++i) {
    if (node.out[i] < 0 || static_cast<size_t>(node.out[i]) >= graph.values.size()) {
      return Broken(node, "writes a value that does not exist");
    }
    const auto id = static_cast<size_t>(node.out[i]);
    const Value& value = graph.values[id];
    if (value.is_weight()) return Broken(node, "writes to a weight");
    if (produced[id]) return Broken(node, "writes a value that another node produces");
    produced[id] = true;
    if (value.dtype != shapes[i].dtype || !(value.rows == shapes[i].rows) ||
        value.cols != shapes[i].cols) {
      return Broken(node, "has an output of the wrong shape");
    }
  }
  return {};
}

}  // namespace

Status Graph::Verify() const {
  std::vector<bool> produced(values.size());
  for (const Node& node : nodes) {
    for (ValueId id : node.in) {
      if (id < 0 || static_cast<size_t>(id) >= values.size())
        return Broken(node, "reads a value that does not exist");
      const Value& value = values[static_cast<size_t>(id)];
      if (!value.is_weight() && !produced[static_cast<size_t>(id)]) {
        return Broken(node, Format("reads {} before it is produced", value.name));
      }
    }
    ROCFORGE_RETURN_IF_ERROR(VerifyOutputs(*this, node, produced));
  }
  if (logits < 0 || static_cast<size_t>(logits) >= values.size() ||
      !produced[static_cast<size_t>(logits)]) {
    return Internal("the graph has no result");
  }
  return {};
}

std::vector<int32_t> Graph::UseCounts() const {
  std::vector<int32_t> uses(values.size());
  for (const Node& node : nodes) {
    for (ValueId id : node.in) ++uses[static_cast<size_t>(id)];
  }
  if (logits != kNoValue) ++uses[static_cast<size_t>(logits)];
  return uses;
}

}  // namespace rocforge::graph
