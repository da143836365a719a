// fuse_residual: the addition to the residual stream runs in the epilogue of the product before it
// (attention output, feed-forward down projection), which saves a pass over the activation. Exact:
// the same sum, in the same order. The fused op runs where the addition ran, so the residual is
// complete there.
#include "base/format.h"
#include "graph/passes/passes.h"

namespace rocforge::graph {

int FuseResidual(Graph& graph, PassReport& report) {
  const std::vector<int32_t> uses = graph.UseCounts();
  const std::vector<int32_t> producers = Producers(graph);
  std::vector<bool> erase(graph.nodes.size());
  int rewrites = 0;
  for (Node& add : graph.nodes) {
    if (add.kind() != op::Kind::kAdd) continue;
    const ValueId y = add.in[1];
    const int32_t made_by = producers[static_cast<size_t>(y)];
    if (made_by < 0) continue;
    const Node& product = graph.nodes[static_cast<size_t>(made_by)];
    if (product.kind() != op::Kind::kMatMul) {
      AddNote(report, Format("the addend of an add comes from {}, not from a matmul",
                             op::KindName(product.kind())));
      continue;
    }
    op::MatMul fused = std::get<op::MatMul>(product.params);
    if (fused.n_weights != 1 || fused.has_residual || fused.glu.kind != op::GluKind::kNone ||
        uses[static_cast<size_t>(y)] != 1) {
      AddNote(report, Format("{}: the product has another epilogue or another reader", add.name));
      continue;
    }
    fused.has_residual = true;
    fused.out_scale = std::get<op::Add>(add.params).scale_b;
    std::vector<ValueId> in = product.in;
    in.push_back(add.in[0]);
    add = {fused, std::move(in), add.out, product.name + "+residual", add.layer};
    erase[static_cast<size_t>(made_by)] = true;
    ++rewrites;
  }
  EraseNodes(graph, erase);
  return rewrites;
}

}  // namespace rocforge::graph
