#include "model/model.h"

#include <algorithm>

#include "model/arch_spec.h"
#include "tests/model/built_model.h"

namespace rocforge::model {
namespace {

using testing::BuiltModel;
using testing::ExpectRefused;
using testing::Recipe;
using testing::SyntheticModel;

TEST(ModelTest, ArchitecturesAreSortedAndUnique) {
  const std::vector<std::string> names = SupportedArchitectures();
  EXPECT_GE(names.size(), 9u);
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
  for (const char* required :
       {"llama", "qwen2", "qwen3", "qwen3moe", "gemma3", "phi3", "olmo2", "granite", "gpt-oss"}) {
    EXPECT_TRUE(std::binary_search(names.begin(), names.end(), required)) << required;
  }
  EXPECT_EQ(FindArchitecture("Llama"), nullptr);
}

TEST(ModelTest, UnknownArchitectureListsTheKnownOnes) {
  SyntheticModel model{Recipe{}};
  model.Set("general.architecture", gguf::Value::String("foo"));
  ExpectRefused(model, StatusCode::kUnsupported,
                "architecture 'foo' is not supported; supported: gemma2, gemma3, gpt-oss, granite");
  model.Set("general.architecture", gguf::Value::String("ll\x1b[31mama"));
  ExpectRefused(model, StatusCode::kUnsupported, "'ll\\x1b[31mama'");
  model.Set("general.architecture", gguf::Value::Uint32(7));
  ExpectRefused(model, StatusCode::kDataLoss, "general.architecture");
}

TEST(ModelTest, FilesThatAreNoModels) {
  SyntheticModel model{Recipe{}};
  model.Set("general.type", gguf::Value::String("model"));
  EXPECT_OK(BuiltModel(model).status());
  model.Set("general.type", gguf::Value::String("adapter"));
  ExpectRefused(model, StatusCode::kUnsupported, "of type 'adapter', not a model");
}

TEST(ModelTest, InfoAndWeights) {
  SyntheticModel source({.tied = true});
  source.Set("general.name", gguf::Value::String("Tiny"));
  source.Retype("blk.0.ffn_up.weight", DType::kQ8_0, {96, 64});
  const BuiltModel built(source);
  ASSERT_OK(built.status());
  const ModelInfo& info = built.model().info;
  EXPECT_EQ(info.architecture, "llama");
  EXPECT_EQ(info.name, "Tiny");
  EXPECT_EQ(info.n_layers, 2);
  EXPECT_EQ(info.d_model, 64);
  EXPECT_EQ(info.n_vocab, 128);
  EXPECT_EQ(info.n_ctx_train, 256);
  EXPECT_EQ(info.main_type, "F32");
  int64_t parameters = 0;
  int64_t bytes = 0;
  for (const gguf::TensorInfo& tensor : built.file().tensors()) {
    parameters += tensor.shape.elements();
    bytes += static_cast<int64_t>(tensor.data.size());
  }
  // Tied embeddings are used twice and counted once.
  EXPECT_EQ(info.n_parameters, parameters);
  EXPECT_EQ(info.weight_bytes, bytes);

  const graph::Graph& graph = built.graph();
  ASSERT_EQ(built.model().weights.size(), graph.weights.size());
  for (size_t i = 0; i < graph.weights.size(); ++i) {
    const gguf::TensorInfo* tensor = built.file().FindTensor(graph.weights[i].tensor);
    ASSERT_NE(tensor, nullptr);
    EXPECT_EQ(built.model().weights[i], tensor->data.data());
  }
}

TEST(ModelTest, SlicesPointIntoTheirTensor) {
  const BuiltModel built(SyntheticModel({.arch = "phi3", .fused_qkv = true, .gate_in_up = true}));
  ASSERT_OK(built.status());
  const graph::Node& v = built.Find("blk.1.attn_v");
  const graph::Value& weight = built.Input(v, 1);
  const gguf::TensorInfo* tensor = built.file().FindTensor("blk.1.attn_qkv.weight");
  ASSERT_NE(tensor, nullptr);
  const int64_t row_begin = 64 + 32;  // after the rows of q and k
  EXPECT_EQ(built.graph().weights[static_cast<size_t>(weight.weight)].row_begin, row_begin);
  EXPECT_EQ(weight.rows, (graph::Rows{graph::RowUnit::kConstant, 32}));
  EXPECT_EQ(built.model().weights[static_cast<size_t>(weight.weight)],
            tensor->data.data() + row_begin * 64 * 4);
  EXPECT_EQ(built.Input(built.Find("blk.0.ffn_gate"), 1).rows.count, 96);
  EXPECT_EQ(built.graph()
                .weights[static_cast<size_t>(built.Input(built.Find("blk.0.ffn_up"), 1).weight)]
                .row_begin,
            96);
}

TEST(ModelTest, MainTypeIsTheOneOfMostBytes) {
  SyntheticModel source({.n_ff = 512});
  for (const char* block : {"blk.0.", "blk.1."}) {
    const std::string prefix = block;
    source.Retype(prefix + "ffn_up.weight", DType::kBF16, {512, 64});
    source.Retype(prefix + "ffn_gate.weight", DType::kBF16, {512, 64});
    source.Retype(prefix + "ffn_down.weight", DType::kBF16, {64, 512});
  }
  const BuiltModel built(source);
  ASSERT_OK(built.status());
  EXPECT_EQ(built.model().info.main_type, "BF16");
}

}  // namespace
}  // namespace rocforge::model
