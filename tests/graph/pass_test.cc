#include "graph/pass.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "graph/plan.h"
#include "tests/graph/graph_test_util.h"
#include "tests/testing.h"

namespace rocforge::graph {
namespace {

std::map<op::Kind, int> CountKinds(const Graph& g) {
  std::map<op::Kind, int> counts;
  for (const Node& node : g.nodes) ++counts[node.kind()];
  return counts;
}

TEST(Passes, FuseADenseDecoder) {
  for (bool bias : {false, true}) {
    Graph g = testing::MakeToyGraph({2, bias, false});
    const auto reports = RunPasses(g, {});
    ASSERT_OK(reports);
    EXPECT_OK(g.Verify());
    auto counts = CountKinds(g);
    // Per layer: QKV, attention output, gate/up, down; and one for the logits.
    EXPECT_EQ(counts[op::Kind::kMatMul], 2 * 4 + 1);
    EXPECT_EQ(counts[op::Kind::kRopeKvAppend], 2);
    EXPECT_EQ(counts[op::Kind::kRope] + counts[op::Kind::kKvAppend], 0);
    EXPECT_EQ(counts[op::Kind::kGlu], 0);
    EXPECT_EQ(counts[op::Kind::kAdd], 0);
    for (const Node& node : g.nodes) {
      if (node.name != "blk.0.out+residual") continue;
      EXPECT_EQ(std::get<op::MatMul>(node.params).out_scale, 0.5f);
    }
    for (const PassReport& r : *reports) {
      EXPECT_TRUE(r.enabled);
      EXPECT_LE(r.nodes_after, r.nodes_before);
    }
  }
}

TEST(Passes, FuseAMixtureOfExperts) {
  Graph g = testing::MakeToyGraph({1, false, true});
  ASSERT_OK(RunPasses(g, {}));
  auto counts = CountKinds(g);
  EXPECT_EQ(counts[op::Kind::kMoeMatMul], 2);  // gate/up with the GLU, down
  EXPECT_EQ(counts[op::Kind::kGlu], 0);
  EXPECT_EQ(counts[op::Kind::kAdd], 1);  // after moe_combine, which has no epilogue
}

TEST(Passes, SayWhySomethingWasLeftAlone) {
  Graph g = testing::MakeToyGraph({1, false, true});
  const auto reports = RunPasses(g, {});
  ASSERT_OK(reports);
  const auto residual = std::find_if(reports->begin(), reports->end(),
                                     [](const PassReport& r) { return r.pass == "fuse_residual"; });
  ASSERT_NE(residual, reports->end());
  ASSERT_EQ(residual->notes.size(), 1u);
  EXPECT_NE(residual->notes[0].find("moe_combine"), std::string::npos);
}

TEST(Passes, CanBeSwitchedOffOneByOne) {
  const size_t all = testing::MakeToyGraph({1, false, false}).nodes.size();
  Graph g = testing::MakeToyGraph({1, false, false});
  ASSERT_OK(RunPasses(g, {{"all"}}));
  EXPECT_EQ(g.nodes.size(), all);
  for (const Pass& pass : AllPasses()) {
    Graph one = testing::MakeToyGraph({1, false, false});
    const auto reports = RunPasses(one, {{pass.name}});
    ASSERT_OK(reports);
    for (const PassReport& r : *reports) EXPECT_EQ(r.enabled, r.pass != pass.name);
  }
  const auto unknown = RunPasses(g, {{"fuse_everything"}});
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.status().code(), StatusCode::kInvalidArgument);
  EXPECT_NE(unknown.status().message().find("merge_matmul"), std::string::npos);
}

TEST(Passes, DeadNodesGoAndCacheAppendsStay) {
  Graph g = testing::MakeToyGraph({1, false, false});
  const size_t before = g.nodes.size();
  const ValueId x = g.nodes[0].out[0];
  const ValueId scaled = g.Append1(op::Scale{2.0f}, {x}, "unused", -1);
  g.Append1(op::Scale{3.0f}, {scaled}, "unused2", -1);
  ASSERT_OK(RunPasses(g, {{"merge_matmul", "fuse_glu", "fuse_residual", "fuse_rope_kv"}}));
  EXPECT_EQ(g.nodes.size(), before);
}

TEST(Passes, AProductWithTwoReadersKeepsItsAdd) {
  Graph g = testing::MakeToyGraph({1, false, false});
  for (Node& node : g.nodes) {
    if (node.name == "blk.0.ffn_residual") node.in[0] = node.in[1];  // x + x of one product
  }
  ASSERT_OK(RunPasses(g, {}));
  EXPECT_EQ(CountKinds(g)[op::Kind::kAdd], 1);
}

// No two values that live at the same time may overlap, except where an op works in place.
void ExpectSound(const Plan& plan) {
  const Graph& g = plan.graph;
  const auto bytes = [&](ValueId id) {
    return g.values[static_cast<size_t>(id)]
        .At(plan.limits.max_tokens, plan.limits.max_outputs)
        .bytes();
  };
  std::vector<int> first(g.values.size(), -1);
  std::vector<int> last(g.values.size(), -1);
  for (size_t i = 0; i < g.nodes.size(); ++i) {
    for (ValueId id : g.nodes[i].out)
      first[static_cast<size_t>(id)] = last[static_cast<size_t>(id)] = static_cast<int>(i);
    for (ValueId id : g.nodes[i].in) last[static_cast<size_t>(id)] = static_cast<int>(i);
  }
  last[static_cast<size_t>(g.logits)] = static_cast<int>(g.nodes.size());
  for (size_t a = 0; a < g.values.size(); ++a) {
    if (g.values[a].is_weight() || first[a] < 0) continue;
    ASSERT_GE(plan.offsets[a], 0);
    ASSERT_EQ(plan.offsets[a] % 64, 0);
    ASSERT_LE(plan.offsets[a] + bytes(static_cast<ValueId>(a)), plan.arena_bytes);
    for (size_t b = a + 1; b < g.values.size(); ++b) {
      if (g.values[b].is_weight() || first[b] < 0) continue;
      const bool apart = plan.offsets[a] + bytes(static_cast<ValueId>(a)) <= plan.offsets[b] ||
                         plan.offsets[b] + bytes(static_cast<ValueId>(b)) <= plan.offsets[a];
      // Sharing is sound when one is born in the op where the other dies, at the same offset (in
      // place).
      const bool in_place =
          plan.offsets[a] == plan.offsets[b] && (first[b] == last[a] || first[a] == last[b]);
      const bool disjoint = last[a] < first[b] || last[b] < first[a];
      EXPECT_TRUE(apart || disjoint || in_place) << g.values[a].name << " and " << g.values[b].name;
    }
  }
}

TEST(Plan, PlacesEveryValueSoundlyAndSharesMemory) {
  for (bool moe : {false, true}) {
    for (bool fuse : {false, true}) {
      PassOptions options;
      if (!fuse) options.disabled = {"all"};
      const auto plan = BuildPlan(testing::MakeToyGraph({3, true, moe}), options, {33, 7});
      ASSERT_OK(plan);
      ExpectSound(*plan);
      int64_t total = 0;
      for (const Value& v : plan->graph.values) {
        if (!v.is_weight()) total += v.At(33, 7).bytes();
      }
      EXPECT_LT(plan->arena_bytes, total / 2);
    }
  }
}

TEST(Plan, RefusesAbsurdLimits) {
  EXPECT_FALSE(BuildPlan(testing::MakeToyGraph({}), {}, {0, 1}).ok());
  EXPECT_FALSE(BuildPlan(testing::MakeToyGraph({}), {}, {1, int64_t{1} << 40}).ok());
}

}  // namespace
}  // namespace rocforge::graph
