#include "apps/plan_cost.h"

#include <algorithm>
#include <utility>

#include "base/format.h"
#include "kernels/op/kv_page.h"

namespace rocforge::apps {
namespace {

// "blk.12.attn_qkv" without its layer.
std::string WithoutLayer(const graph::Node& node) {
  const std::string prefix = Format("blk.{}.", node.layer);
  return node.layer >= 0 && node.name.starts_with(prefix) ? node.name.substr(prefix.size())
                                                          : node.name;
}

std::string ShapeText(const op::TensorDesc& d) {
  return d.outer > 1 ? Format("[{}, {}, {}]", d.outer, d.rows, d.cols)
                     : Format("[{}, {}]", d.rows, d.cols);
}

// The matrices among the inputs: rows added up ("576+192+192 x 576"), a stack's depth in front ("8
// x 512 x 256"). Vectors (norm weights, biases) only where there is no matrix.
void DescribeWeights(const graph::Graph& graph, const graph::Node& node, OpRow* row) {
  std::string rows;
  std::string tail;
  std::string vectors;
  std::vector<std::string> types;
  std::vector<std::string> vector_types;
  for (const graph::ValueId id : node.in) {
    const graph::Value& value = graph.values[static_cast<size_t>(id)];
    if (!value.is_weight()) continue;
    const op::TensorDesc d = value.At(1, 1);
    const bool vector = d.rows == 1 && d.outer == 1;
    auto& list = vector ? vector_types : types;
    if (std::find(list.begin(), list.end(), Name(d.dtype)) == list.end()) {
      list.emplace_back(Name(d.dtype));
    }
    if (vector) {
      if (vectors.empty()) vectors = Format("{}", d.cols);
      continue;
    }
    rows += Format("{}{}", rows.empty() ? "" : "+", d.rows);
    tail = d.outer > 1 ? Format(" x {} ({} experts)", d.cols, d.outer) : Format(" x {}", d.cols);
  }
  if (types.empty()) types = vector_types;
  row->weights = rows.empty() ? vectors : rows + tail;
  for (const std::string& type : types) row->types += (row->types.empty() ? "" : "+") + type;
}

OpRow MakeRow(const graph::Graph& graph, const graph::Node& node, const StepShape& step,
              const op::Step& op_step) {
  const auto operands = [&](const std::vector<graph::ValueId>& ids) {
    std::vector<op::Operand> list;
    for (const graph::ValueId id : ids) {
      list.push_back({graph.values[static_cast<size_t>(id)].At(step.n_tokens, 1), nullptr});
    }
    return list;
  };
  const std::vector<op::Operand> in = operands(node.in);
  const std::vector<op::Operand> out = operands(node.out);
  // Only the element type counts for the cost.
  const op::KvLayer kv = {.dtype = step.kv_type};
  const op::Call call = {&node.params, in, out, &op_step, &kv};
  OpRow row;
  row.name = WithoutLayer(node);
  row.op = op::KindName(node.kind());
  row.layer = node.layer;
  if (!out.empty()) row.output = ShapeText(out.front().desc);
  DescribeWeights(graph, node, &row);
  if (row.types.empty() && !out.empty()) row.types = Name(out.front().desc.dtype);
  row.cost = op::CostOf(call);
  return row;
}

bool SameRows(const std::vector<OpRow>& a, const std::vector<OpRow>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const OpRow& x, const OpRow& y) { return x.Same(y); });
}

}  // namespace

bool OpRow::Same(const OpRow& other) const {
  return name == other.name && op == other.op && output == other.output &&
         weights == other.weights && types == other.types &&
         cost.bytes_read == other.cost.bytes_read &&
         cost.bytes_written == other.cost.bytes_written && cost.ops == other.cost.ops;
}

std::vector<OpRow> CostTable(const graph::Graph& graph, const StepShape& step) {
  const int32_t seq_begin[2] = {0, static_cast<int32_t>(step.n_tokens)};
  const int32_t kv_len[1] = {static_cast<int32_t>(step.n_context + step.n_tokens)};
  op::Step op_step;
  op_step.n_tokens = static_cast<int32_t>(step.n_tokens);
  op_step.n_seqs = 1;
  op_step.n_outputs = 1;
  op_step.seq_begin = seq_begin;
  op_step.kv_len = kv_len;
  std::vector<OpRow> rows;
  rows.reserve(graph.nodes.size());
  for (const graph::Node& node : graph.nodes) rows.push_back(MakeRow(graph, node, step, op_step));
  return rows;
}

std::vector<OpGroup> GroupRows(const std::vector<OpRow>& rows, bool fold) {
  const auto in_layer = [](const OpRow& row) { return row.layer >= 0; };
  const auto layers_end = std::find_if(rows.rbegin(), rows.rend(), in_layer).base();
  OpGroup before;
  std::vector<OpGroup> layers;
  for (auto row = rows.begin(); row != layers_end; ++row) {
    if (!in_layer(*row)) {
      before.rows.push_back(*row);
      continue;
    }
    if (layers.empty() || layers.back().layers.front() != row->layer) {
      layers.push_back({{row->layer}, {}});
    }
    layers.back().rows.push_back(*row);
  }
  std::vector<OpGroup> groups;
  if (!before.rows.empty()) groups.push_back(std::move(before));
  for (OpGroup& layer : layers) {
    const auto same = std::find_if(groups.begin(), groups.end(), [&](const OpGroup& g) {
      return fold && !g.layers.empty() && SameRows(g.rows, layer.rows);
    });
    if (same == groups.end()) {
      groups.push_back(std::move(layer));
    } else {
      same->layers.push_back(layer.layers.front());
    }
  }
  if (layers_end != rows.end()) groups.push_back({{}, {layers_end, rows.end()}});
  return groups;
}

std::string GroupTitle(const OpGroup& group, bool first) {
  if (group.layers.empty()) return first ? "before the layers" : "after the layers";
  std::string list;
  for (size_t i = 0; i < group.layers.size();) {
    size_t j = i;
    while (j + 1 < group.layers.size() && group.layers[j + 1] == group.layers[j] + 1) ++j;
    if (!list.empty()) list += ", ";
    list +=
        i == j ? Format("{}", group.layers[i]) : Format("{}-{}", group.layers[i], group.layers[j]);
    i = j + 1;
  }
  const size_t n = group.layers.size();
  return n == 1 ? "layer " + list : Format("layers {} ({} times)", list, n);
}

op::Cost SumOf(const std::vector<OpRow>& rows) {
  op::Cost sum;
  for (const OpRow& row : rows) {
    sum.bytes_read += row.cost.bytes_read;
    sum.bytes_written += row.cost.bytes_written;
    sum.ops += row.cost.ops;
  }
  return sum;
}

int64_t KvBytesPerToken(const graph::Graph& graph, DType kv_type) {
  int64_t bytes = 0;
  for (const graph::KvSpec& kv : graph.kv_layers) {
    bytes += kv.n_kv_heads *
             (op::KvRowBytes(kv_type, kv.head_dim_k) + op::KvRowBytes(kv_type, kv.head_dim_v));
  }
  return bytes;
}

}  // namespace rocforge::apps
