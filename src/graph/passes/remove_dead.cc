// remove_dead: drops nodes none of whose outputs is read. Appends to the cache have an effect and
// stay. Exact.
#include "graph/passes/passes.h"

namespace rocforge::graph {

int RemoveDead(Graph& graph, PassReport&) {
  std::vector<bool> live(graph.values.size());
  if (graph.logits != kNoValue) live[static_cast<size_t>(graph.logits)] = true;
  std::vector<bool> erase(graph.nodes.size());
  int rewrites = 0;
  for (size_t i = graph.nodes.size(); i-- > 0;) {
    const Node& node = graph.nodes[i];
    bool needed = node.kind() == op::Kind::kKvAppend || node.kind() == op::Kind::kRopeKvAppend;
    for (ValueId id : node.out) needed = needed || live[static_cast<size_t>(id)];
    if (!needed) {
      erase[i] = true;
      ++rewrites;
      continue;
    }
    for (ValueId id : node.in) live[static_cast<size_t>(id)] = true;
  }
  EraseNodes(graph, erase);
  return rewrites;
}

}  // namespace rocforge::graph
