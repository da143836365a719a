#include "apps/plan_cost.h"

#include "gguf/reader.h"
#include "graph/plan.h"
#include "model/model.h"
#include "tests/testing.h"
#include "tests/toy_model.h"

namespace rocforge::apps {
namespace {

OpRow Row(const char* name, int32_t layer, double bytes = 1) {
  OpRow row;
  row.name = name;
  row.op = "op";
  row.layer = layer;
  row.cost.bytes_read = bytes;
  row.cost.ops = 2 * bytes;
  return row;
}

TEST(GroupRowsTest, FoldsLayersWithEqualRows) {
  // Layers 0, 1 and 3 are alike; a table for all of them is made within layer 0.
  const std::vector<OpRow> rows = {Row("embed", -1), Row("q", 0), Row("table", -1), Row("o", 0),
                                   Row("q", 1),      Row("o", 1), Row("q", 2, 5),   Row("o", 2),
                                   Row("q", 3),      Row("o", 3), Row("head", -1)};
  const std::vector<OpGroup> groups = GroupRows(rows, true);
  ASSERT_EQ(groups.size(), 4u);
  EXPECT_EQ(GroupTitle(groups[0], true), "before the layers");
  EXPECT_EQ(groups[0].rows.size(), 2u);
  EXPECT_EQ(GroupTitle(groups[1], false), "layers 0-1, 3 (3 times)");
  EXPECT_EQ(GroupTitle(groups[2], false), "layer 2");
  EXPECT_EQ(GroupTitle(groups[3], false), "after the layers");
  size_t n = 0;
  double ops = 0;
  for (const OpGroup& group : GroupRows(rows, false)) {
    n += group.rows.size();
    ops += SumOf(group.rows).ops;
  }
  EXPECT_EQ(n, rows.size());
  EXPECT_EQ(ops, SumOf(rows).ops);
}

TEST(GroupRowsTest, WithoutLayers) {
  EXPECT_TRUE(GroupRows({}, true).empty());
  EXPECT_EQ(GroupRows({Row("a", -1)}, true).size(), 1u);
}

TEST(CostTableTest, ToyModel) {
  const testing::TempDir dir;
  testing::ToyModelOptions toy;
  ASSERT_OK(testing::WriteToyModel(dir.File("toy.gguf"), toy));
  const Result<gguf::File> file = gguf::File::Open(dir.File("toy.gguf"));
  ASSERT_OK(file);
  const Result<model::Model> model = model::BuildModel(*file);
  ASSERT_OK(model);
  const Result<graph::Plan> plan = graph::BuildPlan(model->graph, {}, {512, 1});
  ASSERT_OK(plan);
  const StepShape one = {1, 0, DType::kF16};
  const std::vector<OpRow> rows = CostTable(plan->graph, one);
  ASSERT_EQ(rows.size(), plan->graph.nodes.size());
  // Multiply-adds of a decode step: all matrices but the embedding (which is the output too) once.
  const double head_dim = 8;
  const double matrices = 2 * (32 * 32 * 2 + 2 * 32 * 2 * head_dim + 3 * 32 * 48) +
                          double{testing::kToyModelVocab} * 32;
  double matmul_ops = 0;
  for (const OpRow& row : rows) {
    EXPECT_FALSE(row.name.starts_with("blk.")) << row.name;
    if (row.op == "matmul") matmul_ops += row.cost.ops;
  }
  EXPECT_GE(matmul_ops, 2 * matrices);
  EXPECT_LT(matmul_ops, 2.2 * matrices) << "fused GLU and residual add a little";

  // The cache is read by attention alone: 100 more positions cost 100 * its bytes per token.
  const StepShape later = {1, 100, DType::kF16};
  EXPECT_EQ(KvBytesPerToken(plan->graph, DType::kF16), 2 * 2 * 2 * (8 + 8));
  EXPECT_EQ(SumOf(CostTable(plan->graph, later)).bytes_read - SumOf(rows).bytes_read,
            100.0 * static_cast<double>(KvBytesPerToken(plan->graph, DType::kF16)));
}

}  // namespace
}  // namespace rocforge::apps
