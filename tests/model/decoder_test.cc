// The graph that the decoder builds: which ops, in which order, with which parameters. That the
// numbers are right is shown by tests/golden.
#include "model/decoder.h"

#include <cmath>

#include "tests/model/built_model.h"

namespace rocforge::model {
namespace {

using op::Kind;
using testing::BuiltModel;
using testing::ExpectRefused;
using testing::Recipe;
using testing::SyntheticModel;

const std::vector<std::string> kFourNorms = {"attn_norm", "post_attention_norm", "ffn_norm",
                                             "post_ffw_norm"};

TEST(DecoderTest, PlainBlockInOrder) {
  const BuiltModel built(SyntheticModel({.n_layers = 1}));
  ASSERT_OK(built.status());
  EXPECT_EQ(built.NodeNames(), (std::vector<std::string>{"token_embd",        "blk.0.attn_norm",
                                                         "blk.0.attn_q",      "blk.0.attn_k",
                                                         "blk.0.attn_v",      "rope_table",
                                                         "blk.0.attn_q_rope", "blk.0.attn_k_rope",
                                                         "blk.0.kv_append",   "blk.0.attention",
                                                         "gather_attention",  "gather_residual",
                                                         "blk.0.attn_output", "blk.0.attn_residual",
                                                         "blk.0.ffn_norm",    "blk.0.ffn_gate",
                                                         "blk.0.ffn_up",      "blk.0.ffn_glu",
                                                         "blk.0.ffn_down",    "blk.0.ffn_residual",
                                                         "output_norm",       "output"}));
  for (const graph::Node& node : built.graph().nodes) {
    EXPECT_EQ(node.layer >= 0, node.name.starts_with("blk.") || node.name.starts_with("gather_"));
  }
}

TEST(DecoderTest, ShapesOfThePlainGraph) {
  const BuiltModel built(SyntheticModel{Recipe{}});
  ASSERT_OK(built.status());
  EXPECT_OK(built.graph().Verify());
  EXPECT_EQ(built.graph().nodes.size(), 2u + 2 * 16 + 2 + 2);
  const auto rows = [&](const std::string& name) {
    const graph::Node& node = built.Find(name);
    return built.graph().values[static_cast<size_t>(node.out.at(0))].rows;
  };
  EXPECT_EQ(rows("blk.0.ffn_down"), (graph::Rows{graph::RowUnit::kToken, 1}));
  // After the last attention only wanted rows are computed.
  EXPECT_EQ(rows("blk.1.attention"), (graph::Rows{graph::RowUnit::kToken, 1}));
  EXPECT_EQ(rows("blk.1.attn_output"), (graph::Rows{graph::RowUnit::kOutput, 1}));
  EXPECT_EQ(rows("blk.1.ffn_gate"), (graph::Rows{graph::RowUnit::kOutput, 1}));
  const graph::Value& logits = built.graph().values[static_cast<size_t>(built.graph().logits)];
  EXPECT_EQ(logits.rows, (graph::Rows{graph::RowUnit::kOutput, 1}));
  EXPECT_EQ(logits.cols, 128);
  ASSERT_EQ(built.graph().kv_layers.size(), 2u);
  EXPECT_EQ(built.graph().kv_layers[1].n_kv_heads, 1);
  EXPECT_EQ(built.graph().kv_layers[1].head_dim_k, 32);
  EXPECT_EQ(built.graph().kv_layers[1].head_dim_v, 32);
  EXPECT_EQ(built.graph().kv_layers[1].window, 0);
  EXPECT_FLOAT_EQ(built.Params<op::Attention>("blk.0.attention").scale, 1 / std::sqrt(32.0f));
}

TEST(DecoderTest, EveryWeightIsAddedOnce) {
  const BuiltModel built(SyntheticModel({.tied = true}));
  ASSERT_OK(built.status());
  EXPECT_EQ(built.Find("output").in.at(1), built.Find("token_embd").in.at(0));
  EXPECT_EQ(built.graph().weights.size(), 2u + 2 * 9);
}

TEST(DecoderTest, Biases) {
  const BuiltModel with(SyntheticModel({.qkv_bias = true, .output_bias = true, .ffn_bias = true}));
  ASSERT_OK(with.status());
  for (const char* name :
       {"attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"}) {
    const std::string node = std::string("blk.1.") + name;
    EXPECT_TRUE(with.Params<op::MatMul>(node).has_bias[0]) << name;
    EXPECT_EQ(with.Input(with.Find(node), 2).name, node + ".bias");
  }
  EXPECT_FALSE(with.Params<op::MatMul>("output").has_bias[0]);

  SyntheticModel qwen2({.arch = "qwen2", .qkv_bias = true});
  qwen2.Add("output.bias", {128}, 0, 1);
  const BuiltModel with_output(qwen2);
  ASSERT_OK(with_output.status());
  EXPECT_TRUE(with_output.Params<op::MatMul>("output").has_bias[0]);
  qwen2.Drop("blk.1.attn_k.bias");
  ExpectRefused(qwen2, StatusCode::kDataLoss, "tensor 'blk.1.attn_k.bias' [32] is missing");
}

TEST(DecoderTest, NormsBeforeAndAfter) {
  const BuiltModel gemma(
      SyntheticModel({.arch = "gemma3", .norms = kFourNorms, .qk_norm = 1, .tied = true}));
  ASSERT_OK(gemma.status());
  EXPECT_EQ(gemma.Count(Kind::kNorm), 2 * (4 + 2) + 1);
  EXPECT_EQ(gemma.Params<op::Norm>("blk.0.attn_q_norm").group, 32);
  EXPECT_EQ(gemma.Find("blk.0.attn_residual").in.at(1),
            gemma.Find("blk.0.post_attention_norm").out.at(0));
  EXPECT_FLOAT_EQ(gemma.Params<op::EmbedRows>("token_embd").scale, 8.0f);
  EXPECT_EQ(gemma.Params<op::Glu>("blk.0.ffn_glu").kind, op::GluKind::kGeluTanh);

  const BuiltModel olmo(SyntheticModel(
      {.arch = "olmo2", .norms = {"post_attention_norm", "post_ffw_norm"}, .qk_norm = 2}));
  ASSERT_OK(olmo.status());
  EXPECT_EQ(olmo.Count(Kind::kNorm), 2 * (2 + 2) + 1);
  EXPECT_EQ(olmo.Params<op::Norm>("blk.0.attn_k_norm").group, 0);
  EXPECT_EQ(olmo.Find("blk.0.attn_q").in.at(0), olmo.Find("token_embd").out.at(0));
}

TEST(DecoderTest, RopeTablesAreShared) {
  SyntheticModel gemma(
      {.arch = "gemma3", .n_layers = 12, .norms = kFourNorms, .qk_norm = 1, .tied = true});
  gemma.SetOwn("rope.freq_base", 1e6);
  EXPECT_EQ(BuiltModel(gemma).Count(Kind::kRopeTable), 1);  // no window: all layers are global
  gemma.SetOwn("attention.sliding_window", int64_t{16});
  const BuiltModel built(gemma);
  ASSERT_OK(built.status());
  EXPECT_EQ(built.Count(Kind::kRopeTable), 2);
  EXPECT_EQ(built.Params<op::RopeTable>("rope_table").freq_base, 1e4f);
  EXPECT_EQ(built.Params<op::RopeTable>("rope_table_1").freq_base, 1e6f);
  for (int i = 0; i < 12; ++i) {
    const std::string block = "blk." + std::to_string(i) + ".";
    const bool global = i % 6 == 5;
    EXPECT_EQ(built.Params<op::Attention>(block + "attention").window, global ? 0 : 16) << i;
    EXPECT_EQ(built.graph().kv_layers[static_cast<size_t>(i)].window, global ? 0 : 16) << i;
    EXPECT_EQ(built.Find(block + "attn_k_rope").in.at(1),
              built.Find(global ? "rope_table_1" : "rope_table").out.at(0))
        << i;
  }
}

TEST(DecoderTest, RopeFactors) {
  SyntheticModel llama{Recipe{}};
  llama.Add("rope_freqs.weight", {16}, 2, 1);
  const BuiltModel built(llama);
  ASSERT_OK(built.status());
  EXPECT_TRUE(built.Params<op::RopeTable>("rope_table").has_factors);
  EXPECT_EQ(built.Input(built.Find("rope_table"), 0).name, "rope_freqs.weight");
  llama.Add("rope_freqs.weight", {15}, 2, 1);
  ExpectRefused(llama, StatusCode::kDataLoss,
                "'rope_freqs.weight' is F32 [15], expected shape [16]");

  // An architecture that has no factors must not ignore them.
  SyntheticModel qwen3({.arch = "qwen3", .qk_norm = 1});
  qwen3.Add("rope_freqs.weight", {16}, 2, 1);
  ExpectRefused(qwen3, StatusCode::kUnsupported, "'rope_freqs.weight' is not part of");
}

TEST(DecoderTest, LongRopeChoosesFactorsByContext) {
  SyntheticModel phi({.arch = "phi3", .fused_qkv = true, .gate_in_up = true});
  phi.SetOwn("rope.scaling.type", gguf::Value::String("longrope"));
  phi.SetOwn("rope.scaling.original_context_length", int64_t{64});
  phi.SetOwn("rope.scaling.attn_factor", 1.19);
  ExpectRefused(phi, StatusCode::kDataLoss, "'rope_factors_long.weight' [16] is missing");
  phi.Add("rope_factors_long.weight", {16}, 4, 1);
  phi.Add("rope_factors_short.weight", {16}, 2, 1);
  for (const auto& [n_ctx, name] :
       {std::pair{64, "rope_factors_short.weight"}, std::pair{65, "rope_factors_long.weight"},
        std::pair{0, "rope_factors_long.weight"}}) {
    const BuiltModel built(phi, n_ctx);
    ASSERT_OK(built.status());
    EXPECT_EQ(built.Input(built.Find("rope_table"), 0).name, name) << n_ctx;
    EXPECT_FLOAT_EQ(built.Params<op::RopeTable>("rope_table").attn_factor, 1.19f);
  }
}

TEST(DecoderTest, LayersWithoutRope) {
  const BuiltModel smollm(SyntheticModel({.arch = "smollm3", .n_layers = 8, .tied = true}));
  ASSERT_OK(smollm.status());
  EXPECT_EQ(smollm.Count(Kind::kRope), 2 * 6);

  SyntheticModel granite({.arch = "granite", .tied = true});
  granite.SetOwn("logit_scale", 4.0);
  granite.SetOwn("rope.scaling.finetuned", gguf::Value::Bool(false));
  const BuiltModel no_rope(granite);
  ASSERT_OK(no_rope.status());
  EXPECT_EQ(no_rope.Count(Kind::kRope), 0);
  EXPECT_EQ(no_rope.Count(Kind::kRopeTable), 0);
}

TEST(DecoderTest, GraniteScales) {
  SyntheticModel granite({.arch = "granite", .tied = true});
  ExpectRefused(granite, StatusCode::kDataLoss, "'granite.logit_scale' is missing");
  granite.SetOwn("logit_scale", 8.0);
  granite.SetOwn("residual_scale", 0.5);
  granite.SetOwn("embedding_scale", 12.0);
  granite.SetOwn("attention.scale", 0.25);
  const BuiltModel built(granite);
  ASSERT_OK(built.status());
  EXPECT_EQ(built.Params<op::EmbedRows>("token_embd").scale, 12.0f);
  EXPECT_EQ(built.Params<op::Add>("blk.0.attn_residual").scale_b, 0.5f);
  EXPECT_EQ(built.Params<op::Add>("blk.1.ffn_residual").scale_b, 0.5f);
  EXPECT_EQ(built.Params<op::Attention>("blk.0.attention").scale, 0.25f);
  EXPECT_EQ(built.Params<op::Scale>("output_scale").scale, 0.125f);
  EXPECT_EQ(built.graph().logits, built.Find("output_scale").out.at(0));
}

TEST(DecoderTest, SoftCaps) {
  const BuiltModel gemma2(SyntheticModel({.arch = "gemma2", .norms = kFourNorms, .tied = true}));
  ASSERT_OK(gemma2.status());
  EXPECT_EQ(gemma2.Params<op::Attention>("blk.0.attention").softcap, 50.0f);
  EXPECT_EQ(gemma2.Params<op::Attention>("blk.0.attention").window, 4096);
  EXPECT_EQ(gemma2.Params<op::Attention>("blk.1.attention").window, 0);
  EXPECT_EQ(gemma2.Params<op::SoftCap>("output_softcap").cap, 30.0f);
}

TEST(DecoderTest, GemmaOf27BillionScalesByWidth) {
  SyntheticModel gemma({.arch = "gemma3",
                        .n_layers = 62,
                        .d_model = 96,
                        .n_vocab = 32,
                        .norms = kFourNorms,
                        .qk_norm = 1,
                        .tied = true});
  const BuiltModel built(gemma);
  ASSERT_OK(built.status());
  EXPECT_FLOAT_EQ(built.Params<op::Attention>("blk.3.attention").scale, 1 / std::sqrt(48.0f));
}

TEST(DecoderTest, Experts) {
  const BuiltModel built(
      SyntheticModel({.arch = "qwen3moe", .n_experts = 6, .n_experts_used = 3, .qk_norm = 1}));
  ASSERT_OK(built.status());
  const op::MoeRoute& route = built.Params<op::MoeRoute>("blk.0.ffn_route");
  EXPECT_EQ(route.n_experts, 6);
  EXPECT_EQ(route.n_used, 3);
  EXPECT_EQ(route.gating, op::MoeGating::kSoftmax);
  EXPECT_TRUE(route.normalise);
  EXPECT_EQ(route.scale, 1.0f);
  EXPECT_EQ(built.Count(Kind::kMoeMatMul), 2 * 3);
  EXPECT_FALSE(built.Params<op::MoeMatMul>("blk.0.ffn_up_exps").x_per_expert);
  EXPECT_TRUE(built.Params<op::MoeMatMul>("blk.0.ffn_down_exps").x_per_expert);
  const graph::Node& down = built.Find("blk.1.ffn_down_exps");
  EXPECT_EQ(built.graph().values[static_cast<size_t>(down.out.at(0))].rows,
            (graph::Rows{graph::RowUnit::kOutput, 3}));
  EXPECT_EQ(built.Input(down, 2).outer, 6);
}

TEST(DecoderTest, GptOss) {
  SyntheticModel source({.arch = "gpt-oss",
                         .n_experts = 4,
                         .n_experts_used = 2,
                         .norms = {"attn_norm", "post_attention_norm"},
                         .qkv_bias = true,
                         .output_bias = true,
                         .expert_bias = true,
                         .sinks = true});
  ExpectRefused(source, StatusCode::kDataLoss, "'gpt-oss.attention.sliding_window' is missing");
  source.SetOwn("attention.sliding_window", int64_t{128});
  const BuiltModel built(source);
  ASSERT_OK(built.status());
  const op::Attention& local = built.Params<op::Attention>("blk.0.attention");
  EXPECT_TRUE(local.has_sinks);
  EXPECT_EQ(local.window, 128);
  EXPECT_EQ(built.Params<op::Attention>("blk.1.attention").window, 0);
  EXPECT_EQ(built.Params<op::MoeRoute>("blk.0.ffn_route").gating,
            op::MoeGating::kSoftmaxOfSelected);
  EXPECT_TRUE(built.Params<op::MatMul>("blk.0.ffn_gate_inp").has_bias[0]);
  const op::MoeMatMul& gate = built.Params<op::MoeMatMul>("blk.0.ffn_gate_exps");
  EXPECT_TRUE(gate.has_bias[0]);
  const op::Glu& glu = built.Params<op::Glu>("blk.0.ffn_glu");
  EXPECT_EQ(glu.kind, op::GluKind::kSwigluOai);
  EXPECT_EQ(glu.alpha, 1.702f);
  EXPECT_EQ(glu.limit, 7.0f);
  // Attention's output goes straight into the residual stream: the second norm is the network's.
  EXPECT_EQ(built.Find("blk.0.attn_residual").in.at(1), built.Find("blk.0.attn_output").out.at(0));
}

TEST(DecoderTest, MatrixScales) {
  SyntheticModel source{Recipe{}};
  source.Add("blk.0.ffn_up.scale", {1}, 0.25f, 0);
  source.Add("blk.0.ffn_up.input_scale", {1}, 3, 0);  // for quantised activations: not needed
  const BuiltModel built(source);
  ASSERT_OK(built.status());
  EXPECT_EQ(built.Params<op::Scale>("blk.0.ffn_up_scale").scale, 0.25f);
  EXPECT_EQ(built.Find("blk.0.ffn_glu").in.at(1), built.Find("blk.0.ffn_up_scale").out.at(0));
  source.Add("blk.0.ffn_up.bias", {96}, 0, 1);
  ExpectRefused(source, StatusCode::kUnsupported, "'blk.0.ffn_up.scale' and '.bias' together");

  SyntheticModel experts({.n_experts = 4, .n_experts_used = 2});
  experts.Add("blk.1.ffn_up_exps.scale", {4}, 1, 0.5f);
  ExpectRefused(experts, StatusCode::kUnsupported, "'blk.1.ffn_up_exps.scale' (one factor per");
}

}  // namespace
}  // namespace rocforge::model
