// merge_matmul: products that read the same activation become one op with several weights (queries,
// keys and values; gate and up), so that the activation is read once and a launch or barrier is
// saved. Exact: each product is computed as before. The merged op runs where the first one ran;
// weights are constants, so the later ones may move up.
#include <map>

#include "base/format.h"
#include "graph/passes/passes.h"

namespace rocforge::graph {
namespace {

struct Parts {
  std::vector<ValueId> weights;
  std::vector<ValueId> biases;  // kNoValue where there is none
};

template <typename P>
Parts Split(const Node& node, const P& p, size_t first_weight) {
  Parts parts;
  size_t at = first_weight;
  for (int i = 0; i < p.n_weights; ++i) parts.weights.push_back(node.in[at++]);
  for (int i = 0; i < p.n_weights; ++i)
    parts.biases.push_back(p.has_bias[i] ? node.in[at++] : kNoValue);
  return parts;
}

// Puts the weights of `from` behind those of `into`.
template <typename P>
void Merge(Node& into, const Node& from, size_t first_weight) {
  P& p = std::get<P>(into.params);
  const P& q = std::get<P>(from.params);
  Parts parts = Split(into, p, first_weight);
  const Parts more = Split(from, q, first_weight);
  parts.weights.insert(parts.weights.end(), more.weights.begin(), more.weights.end());
  parts.biases.insert(parts.biases.end(), more.biases.begin(), more.biases.end());
  p.n_weights += q.n_weights;
  into.in.resize(first_weight);
  into.in.insert(into.in.end(), parts.weights.begin(), parts.weights.end());
  for (size_t i = 0; i < parts.biases.size(); ++i) {
    p.has_bias[i] = parts.biases[i] != kNoValue;
    if (p.has_bias[i]) into.in.push_back(parts.biases[i]);
  }
  into.out.insert(into.out.end(), from.out.begin(), from.out.end());
  into.name += "+" + from.name.substr(from.name.rfind('.') + 1);
}

bool Plain(const op::MatMul& p) { return !p.has_residual && p.glu.kind == op::GluKind::kNone; }
bool Plain(const op::MoeMatMul& p) { return p.glu.kind == op::GluKind::kNone; }
bool SameOtherwise(const op::MatMul&, const op::MatMul&) { return true; }
bool SameOtherwise(const op::MoeMatMul& a, const op::MoeMatMul& b) {
  return a.n_used == b.n_used && a.x_per_expert == b.x_per_expert;
}

// One kind of product; `first_weight` inputs (x, or x and ids) must be equal to merge.
template <typename P>
int MergeKind(Graph& graph, PassReport& report, size_t first_weight) {
  std::vector<bool> erase(graph.nodes.size());
  std::map<std::vector<ValueId>, size_t> open;  // shared inputs -> node that may still take weights
  int rewrites = 0;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    Node& node = graph.nodes[i];
    const P* p = std::get_if<P>(&node.params);
    if (p == nullptr || !Plain(*p)) continue;
    const std::vector<ValueId> key(node.in.begin(),
                                   node.in.begin() + static_cast<std::ptrdiff_t>(first_weight));
    const auto [found, is_new] = open.emplace(key, i);
    if (is_new) continue;
    Node& into = graph.nodes[found->second];
    const P& q = std::get<P>(into.params);
    if (q.n_weights + p->n_weights > P::kMaxWeights || !SameOtherwise(q, *p)) {
      AddNote(report, Format("{}: an op takes at most {} weights", op::KindName(node.kind()),
                             P::kMaxWeights));
      found->second = i;
      continue;
    }
    Merge<P>(into, node, first_weight);
    erase[i] = true;
    ++rewrites;
  }
  EraseNodes(graph, erase);
  return rewrites;
}

}  // namespace

int MergeMatMul(Graph& graph, PassReport& report) {
  return MergeKind<op::MatMul>(graph, report, 1) + MergeKind<op::MoeMatMul>(graph, report, 2);
}

}  // namespace rocforge::graph
