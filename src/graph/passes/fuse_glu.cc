// fuse_glu: the activation of a gated feed-forward network runs in the epilogue of the merged
// gate/up product, so that the two halves are never written. Exact: the same products, then the
// same function of them.
#include "base/format.h"
#include "graph/passes/passes.h"

namespace rocforge::graph {
namespace {

// Folds `glu` into the two-weight product that makes both of its inputs; false, with a note, where
// it does not fit.
template <typename P>
bool Fold(Graph& graph, const Node& glu, Node& product, const std::vector<int32_t>& uses,
          PassReport& report) {
  P& p = std::get<P>(product.params);
  if (p.n_weights != 2 || p.glu.kind != op::GluKind::kNone || product.out.size() != 2) {
    AddNote(report, Format("{}: gate and up are not the two weights of one product", glu.name));
    return false;
  }
  if (product.out[0] != glu.in[0] || product.out[1] != glu.in[1]) {
    AddNote(report, Format("{}: gate and up are in the other order", glu.name));
    return false;
  }
  for (ValueId id : product.out) {
    if (uses[static_cast<size_t>(id)] != 1) {
      AddNote(report, Format("{}: {} is read elsewhere too", glu.name,
                             graph.values[static_cast<size_t>(id)].name));
      return false;
    }
  }
  p.glu = std::get<op::Glu>(glu.params);
  product.out = glu.out;
  product.name += "+" + glu.name.substr(glu.name.rfind('.') + 1);
  return true;
}

}  // namespace

int FuseGlu(Graph& graph, PassReport& report) {
  const std::vector<int32_t> uses = graph.UseCounts();
  const std::vector<int32_t> producers = Producers(graph);
  std::vector<bool> erase(graph.nodes.size());
  int rewrites = 0;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& glu = graph.nodes[i];
    if (glu.kind() != op::Kind::kGlu) continue;
    const int32_t made_by = producers[static_cast<size_t>(glu.in[0])];
    if (made_by < 0) continue;
    Node& product = graph.nodes[static_cast<size_t>(made_by)];
    bool folded = false;
    if (product.kind() == op::Kind::kMatMul) {
      folded = Fold<op::MatMul>(graph, glu, product, uses, report);
    } else if (product.kind() == op::Kind::kMoeMatMul) {
      folded = Fold<op::MoeMatMul>(graph, glu, product, uses, report);
    }
    if (!folded) continue;
    erase[i] = true;
    ++rewrites;
  }
  EraseNodes(graph, erase);
  return rewrites;
}

}  // namespace rocforge::graph
