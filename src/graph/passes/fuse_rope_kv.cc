// fuse_rope_kv: the rotation of queries and keys and the append to the cache become one op: the
// rotated keys go straight into their pages. Exact: the same rotation, rounded to the cache's type
// once as before.
#include "base/format.h"
#include "graph/passes/passes.h"

namespace rocforge::graph {
namespace {

bool SameRotation(const Node& a, const Node& b) {
  const op::Rope& p = std::get<op::Rope>(a.params);
  const op::Rope& q = std::get<op::Rope>(b.params);
  return a.in[1] == b.in[1] && p.kind == q.kind && p.head_dim == q.head_dim &&
         p.rope_dim == q.rope_dim;
}

// The rotation of the queries that belongs to `key_rope`: the nearest other Rope of the layer
// before the append.
int32_t QueryRope(const Graph& graph, size_t append, int32_t key_rope) {
  for (size_t i = append; i-- > 0;) {
    const Node& node = graph.nodes[i];
    if (node.layer != graph.nodes[append].layer) break;
    if (node.kind() == op::Kind::kRope && static_cast<int32_t>(i) != key_rope)
      return static_cast<int32_t>(i);
  }
  return -1;
}

// True if a node in [begin, end) reads the value.
bool ReadBetween(const Graph& graph, ValueId value, size_t begin, size_t end) {
  for (size_t i = begin; i < end; ++i) {
    for (ValueId id : graph.nodes[i].in) {
      if (id == value) return true;
    }
  }
  return false;
}

}  // namespace

int FuseRopeKv(Graph& graph, PassReport& report) {
  const std::vector<int32_t> uses = graph.UseCounts();
  const std::vector<int32_t> producers = Producers(graph);
  std::vector<bool> erase(graph.nodes.size());
  int rewrites = 0;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    Node& append = graph.nodes[i];
    if (append.kind() != op::Kind::kKvAppend) continue;
    const int32_t key_rope = producers[static_cast<size_t>(append.in[0])];
    if (key_rope < 0 || graph.nodes[static_cast<size_t>(key_rope)].kind() != op::Kind::kRope ||
        uses[static_cast<size_t>(append.in[0])] != 1) {
      AddNote(report, Format("{}: its keys are not rotated, or are read elsewhere", append.name));
      continue;
    }
    const int32_t query_rope = QueryRope(graph, i, key_rope);
    const Node& keys = graph.nodes[static_cast<size_t>(key_rope)];
    if (query_rope < 0 || !SameRotation(graph.nodes[static_cast<size_t>(query_rope)], keys)) {
      AddNote(report, Format("{}: queries are not rotated like the keys", append.name));
      continue;
    }
    const Node& queries = graph.nodes[static_cast<size_t>(query_rope)];
    if (ReadBetween(graph, queries.out[0], static_cast<size_t>(query_rope) + 1, i)) {
      AddNote(report, Format("{}: rotated queries are read before the append", append.name));
      continue;
    }
    const op::RopeKvAppend fused{std::get<op::Rope>(keys.params),
                                 std::get<op::KvAppend>(append.params)};
    append = {fused,
              {queries.in[0], keys.in[0], append.in[1], queries.in[1]},
              queries.out,
              queries.name + "+kv",
              append.layer};
    erase[static_cast<size_t>(query_rope)] = true;
    erase[static_cast<size_t>(key_rope)] = true;
    ++rewrites;
  }
  EraseNodes(graph, erase);
  return rewrites;
}

}  // namespace rocforge::graph
