#include "graph/graph.h"

#include <gtest/gtest.h>

#include "tests/graph/graph_test_util.h"
#include "tests/testing.h"

namespace rocforge::graph {
namespace {

TEST(Graph, ToyGraphsAreConsistent) {
  for (bool moe : {false, true}) {
    for (bool bias : {false, true}) EXPECT_OK(testing::MakeToyGraph({2, bias, moe}).Verify());
  }
}

TEST(Graph, RowsFollowTheStep) {
  const Graph g = testing::MakeToyGraph({1, false, true});
  const auto find = [&](const std::string& name) {
    for (const Value& v : g.values) {
      if (v.name == name && !v.is_weight()) return v.At(5, 2);
    }
    ADD_FAILURE() << name;
    return op::TensorDesc{};
  };
  EXPECT_EQ(find("embed").rows, 5);
  EXPECT_EQ(find("blk.0.route.0").dtype, DType::kI32);
  EXPECT_EQ(find("blk.0.gate").rows, 10);
  EXPECT_EQ(find("logits").rows, 2);
  EXPECT_EQ(find("logits").cols, testing::kToyVocab);
}

TEST(Graph, VerifyFindsBreaches) {
  const auto broken = [](auto&& change) {
    Graph g = testing::MakeToyGraph({1, false, false});
    change(g);
    const Status status = g.Verify();
    EXPECT_FALSE(status.ok());
    return status.message();
  };
  EXPECT_NE(
      broken([](Graph& g) { std::swap(g.nodes[2], g.nodes[3]); }).find("before it is produced"),
      std::string::npos);
  broken([](Graph& g) { g.nodes[2].in[0] = 9999; });
  broken([](Graph& g) { g.nodes[3].out = g.nodes[2].out; });
  broken([](Graph& g) { g.values[static_cast<size_t>(g.logits)].cols += 1; });
  broken([](Graph& g) { g.logits = kNoValue; });
  broken([](Graph& g) { g.nodes.back().in.push_back(g.nodes.back().in[1]); });
}

TEST(InferOutputs, NamesTheOffendingInput) {
  Value x{"x", DType::kF32, 1, {RowUnit::kToken, 1}, 8, -1};
  Value w{"w", DType::kF32, 1, {RowUnit::kConstant, 4}, 9, 0};
  const Value* in[] = {&x, &w};
  const auto result = InferOutputs(op::MatMul{}, in);
  ASSERT_FALSE(result.ok());
  EXPECT_NE(result.status().message().find("matmul: input 2 (w)"), std::string::npos)
      << result.status().message();
  w.cols = 8;
  const auto good = InferOutputs(op::MatMul{}, in);
  ASSERT_OK(good);
  EXPECT_EQ(good->at(0).cols, 4);
  op::Norm norm;
  norm.group = 3;
  EXPECT_FALSE(InferOutputs(norm, in).ok());
  const Value* lone[] = {&x};
  EXPECT_FALSE(InferOutputs(op::MatMul{}, lone).ok());
}

}  // namespace
}  // namespace rocforge::graph
