#include "model/hparams.h"

#include <cmath>
#include <limits>

#include "tests/model/built_model.h"

namespace rocforge::model {
namespace {

using gguf::Value;
using testing::BuiltModel;
using testing::ExpectRefused;
using testing::Recipe;
using testing::SyntheticModel;

Result<HParams> Read(const SyntheticModel& source) {
  const std::string bytes = source.BytesOrFail();
  ROCFORGE_ASSIGN_OR_RETURN(const gguf::File file,
                            gguf::File::Parse(std::as_bytes(std::span(bytes)), "model.gguf"));
  return ReadHParams(file, *FindArchitecture(source.recipe().arch));
}

TEST(HParamsTest, RequiredKeys) {
  for (const char* key :
       {"block_count", "embedding_length", "context_length", "attention.head_count",
        "feed_forward_length", "attention.layer_norm_rms_epsilon", "vocab_size"}) {
    SyntheticModel source{Recipe{}};
    source.EraseOwn(key);
    ExpectRefused(source, StatusCode::kDataLoss,
                  std::string("metadata key 'llama.") + key + "' is missing");
    source.SetOwn(key, Value::String("many"));
    ExpectRefused(source, StatusCode::kDataLoss, key);
  }
}

TEST(HParamsTest, AbsurdValuesAreRefused) {
  const std::pair<const char*, Value> cases[] = {
      {"block_count", Value::Uint64(uint64_t{1} << 40)},
      {"block_count", Value::Uint32(0)},
      {"block_count", Value::Int32(-3)},
      {"embedding_length", Value::Uint32(0xFFFFFFFF)},
      {"context_length", Value::Uint32(0)},
      {"attention.head_count", Value::Uint32(0)},
      {"attention.head_count", Value::Uint32(1000000)},
      {"attention.head_count_kv", Value::Uint32(0)},
      {"attention.key_length", Value::Uint32(0)},
      {"attention.key_length", Value::Uint32(1u << 30)},
      {"feed_forward_length", Value::Uint64(uint64_t{1} << 60)},
      {"rope.dimension_count", Value::Uint32(0)},
      {"rope.dimension_count", Value::Uint32(33)},
      {"rope.dimension_count", Value::Uint32(64)},
      {"rope.freq_base", Value::Float32(0.0f)},
      {"rope.freq_base", Value::Float32(std::numeric_limits<float>::quiet_NaN())},
      {"rope.freq_base", Value::Float32(std::numeric_limits<float>::infinity())},
      {"rope.scaling.factor", Value::Float32(-2.0f)},
      {"rope.scaling.attn_factor", Value::Float32(0.0f)},
      {"attention.layer_norm_rms_epsilon", Value::Float32(-1e-5f)},
      {"attention.layer_norm_rms_epsilon", Value::Float32(2.0f)},
  };
  for (const auto& [key, value] : cases) {
    SyntheticModel source{Recipe{}};
    source.SetOwn(key, value);
    ExpectRefused(source, StatusCode::kDataLoss, std::string("llama.") + key);
  }
}

TEST(HParamsTest, HeadsMustDivide) {
  SyntheticModel source({.n_heads = 4, .n_kv_heads = 3});
  ExpectRefused(source, StatusCode::kDataLoss, "no multiple of its 3 key and value heads");
  SyntheticModel width({.n_heads = 3, .n_kv_heads = 1});
  EXPECT_OK(BuiltModel(width).status());  // the file gives the heads' width
  width.EraseOwn("attention.key_length");
  ExpectRefused(width, StatusCode::kDataLoss,
                "'llama.embedding_length' is 64, which is no multiple");
}

TEST(HParamsTest, Defaults) {
  SyntheticModel source({.n_kv_heads = 2});
  for (const char* key :
       {"attention.head_count_kv", "attention.key_length", "attention.value_length"}) {
    source.EraseOwn(key);
  }
  const Result<HParams> hp = Read(source);
  ASSERT_OK(hp);
  EXPECT_EQ(hp->layers[0].n_kv_heads, 2);
  EXPECT_EQ(hp->head_dim_k, 32);
  EXPECT_EQ(hp->head_dim_v, 32);
  EXPECT_EQ(hp->rope_dim, 32);
  EXPECT_EQ(hp->rope_base, 10000.0f);
  EXPECT_EQ(hp->rope_scaling.factor, 1.0f);
  EXPECT_EQ(hp->rope_scaling.n_ctx_orig, 256);
  EXPECT_EQ(hp->n_experts, 0);
  EXPECT_EQ(hp->window, 0);
}

TEST(HParamsTest, TheTokenizersListIsTheVocabulary) {
  SyntheticModel source{Recipe{}};
  source.EraseOwn("vocab_size");
  source.Set("tokenizer.ggml.tokens", Value::Strings(std::vector<std::string>(128, "x")));
  EXPECT_OK(BuiltModel(source).status());
  source.Set("tokenizer.ggml.tokens", Value::Strings(std::vector<std::string>(127, "x")));
  ExpectRefused(source, StatusCode::kDataLoss,
                "'token_embd.weight' is F32 [128, 64], expected shape [127, 64]");
}

TEST(HParamsTest, ValuesPerLayer) {
  SyntheticModel source({.n_layers = 3});
  source.SetOwn("feed_forward_length", Value::Int32s({96, 96, 96}));
  source.SetOwn("attention.head_count", Value::Uint32s({2, 2, 2}));
  EXPECT_OK(BuiltModel(source).status());
  source.SetOwn("attention.head_count_kv", Value::Int32s({1, 2, 1}));
  const Result<HParams> hp = Read(source);
  ASSERT_OK(hp);
  EXPECT_EQ(hp->layers[1].n_kv_heads, 2);
  ExpectRefused(source, StatusCode::kDataLoss,
                "'blk.1.attn_k.weight' is F32 [32, 64], expected shape [64, 64]");
  source.Add("blk.1.attn_k.weight", {64, 64}, 0, 1);
  source.Add("blk.1.attn_v.weight", {64, 64}, 0, 1);
  const BuiltModel built(source);
  ASSERT_OK(built.status());
  EXPECT_EQ(built.graph().kv_layers[1].n_kv_heads, 2);
  EXPECT_EQ(built.graph().kv_layers[2].n_kv_heads, 1);
  source.SetOwn("attention.head_count_kv", Value::Int32s({1, 2}));
  ExpectRefused(source, StatusCode::kDataLoss, "has 2 values for 3 layers");
  source.SetOwn("attention.head_count_kv", Value::Int32s({1, 0, 1}));
  ExpectRefused(source, StatusCode::kDataLoss, "'llama.attention.head_count_kv' is 0");
}

std::vector<bool> LocalLayers(const SyntheticModel& source) {
  const Result<HParams> hp = Read(source);
  EXPECT_OK(hp);
  std::vector<bool> local;
  if (hp.ok()) {
    for (const LayerParams& layer : hp->layers) local.push_back(layer.local);
  }
  return local;
}

TEST(HParamsTest, WindowPatterns) {
  SyntheticModel source({.arch = "gemma3", .n_layers = 7});
  EXPECT_EQ(LocalLayers(source), std::vector<bool>(7, false));
  source.SetOwn("attention.sliding_window", int64_t{512});
  EXPECT_EQ(LocalLayers(source), (std::vector<bool>{1, 1, 1, 1, 1, 0, 1}));
  source.SetOwn("attention.sliding_window_pattern", int64_t{2});
  EXPECT_EQ(LocalLayers(source), (std::vector<bool>{1, 0, 1, 0, 1, 0, 1}));
  source.SetOwn("attention.sliding_window_pattern", int64_t{0});
  EXPECT_EQ(LocalLayers(source), std::vector<bool>(7, true));
  source.SetOwn("attention.sliding_window_pattern", Value::Bools({0, 0, 1, 1, 0, 1, 1}));
  EXPECT_EQ(LocalLayers(source), (std::vector<bool>{0, 0, 1, 1, 0, 1, 1}));
  source.SetOwn("attention.sliding_window_pattern", Value::Int32s({1, 0}));
  EXPECT_FALSE(Read(source).ok());
}

TEST(HParamsTest, WindowsThatAreNotAppliedAreReported) {
  SyntheticModel source{Recipe{}};
  source.SetOwn("attention.sliding_window", int64_t{64});
  ::testing::internal::CaptureStderr();
  const BuiltModel large(source, 65);
  EXPECT_NE(::testing::internal::GetCapturedStderr().find("sliding window of 64 positions"),
            std::string::npos);
  ::testing::internal::CaptureStderr();
  const BuiltModel small(source, 64);
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
  ASSERT_OK(large.status());
  EXPECT_EQ(large.Params<op::Attention>("blk.0.attention").window, 0);
}

TEST(HParamsTest, RopeScalingTypes) {
  SyntheticModel source{Recipe{}};
  source.SetOwn("rope.scaling.factor", 4.0);
  EXPECT_EQ(Read(source)->rope_scaling.factor, 4.0f);  // no type: linear
  source.SetOwn("rope.scaling.type", Value::String("none"));
  EXPECT_EQ(Read(source)->rope_scaling.factor, 1.0f);
  source.SetOwn("rope.scaling.type", Value::String("yarn"));
  EXPECT_EQ(Read(source)->rope_scaling.type, RopeScalingType::kYarn);
  source.SetOwn("rope.scaling.type", Value::String("dynamic"));
  ExpectRefused(source, StatusCode::kUnsupported, "RoPE scaling 'dynamic' is not supported");
  source.EraseOwn("rope.scaling.type");
  source.EraseOwn("rope.scaling.factor");
  source.SetOwn("rope.scale_linear", 3.0);
  EXPECT_EQ(Read(source)->rope_scaling.factor, 3.0f);
}

TEST(HParamsTest, SettingsThatChangeResultsAreNotIgnored) {
  const std::pair<const char*, Value> cases[] = {
      {"attention.causal", Value::Bool(false)},
      {"attention.max_alibi_bias", Value::Float32(8.0f)},
      {"attention.scale", Value::Float32(0.5f)},
      {"attn_logit_softcapping", Value::Float32(50.0f)},
      {"expert_shared_count", Value::Uint32(1)},
      {"final_logit_softcapping", Value::Float32(30.0f)},
      {"logit_scale", Value::Float32(0.5f)},
      {"residual_scale", Value::Float32(0.5f)},
      {"rope.dimension_sections", Value::Int32s({16, 24, 24, 0})},
      {"swiglu_clamp_exp", Value::Float32s({0.0, 7.0})},
      {"use_parallel_residual", Value::Bool(true)},
      {"attention.key_length_swa", Value::Uint32(16)},
  };
  for (const auto& [key, value] : cases) {
    SyntheticModel source{Recipe{}};
    source.SetOwn(key, value);
    ExpectRefused(source, StatusCode::kUnsupported, std::string("'llama.") + key + "'");
  }
  SyntheticModel neutral{Recipe{}};
  neutral.SetOwn("attention.causal", Value::Bool(true));
  neutral.SetOwn("attention.scale", Value::Float32(1 / std::sqrt(32.0f)));
  neutral.SetOwn("residual_scale", Value::Float32(1.0f));
  neutral.SetOwn("final_logit_softcapping", Value::Float32(0.0f));
  neutral.SetOwn("swiglu_clamp_exp", Value::Float32s({0.0, 0.0}));
  neutral.SetOwn("expert_count", int64_t{0});
  EXPECT_OK(BuiltModel(neutral).status());
}

TEST(HParamsTest, Experts) {
  SyntheticModel dense({.arch = "qwen3", .qk_norm = 1});
  dense.SetOwn("expert_count", int64_t{8});
  ExpectRefused(dense, StatusCode::kUnsupported, "'qwen3' with experts");
  ExpectRefused(SyntheticModel({.arch = "qwen3moe", .qk_norm = 1}), StatusCode::kDataLoss,
                "'qwen3moe.expert_count' is missing or 0");

  SyntheticModel source({.n_experts = 4, .n_experts_used = 2});
  source.SetOwn("expert_used_count", int64_t{5});
  ExpectRefused(source, StatusCode::kDataLoss, "'llama.expert_used_count' is 5");
  source.SetOwn("expert_used_count", int64_t{4});
  source.SetOwn("feed_forward_length", int64_t{1000});
  source.SetOwn("expert_feed_forward_length", int64_t{96});
  source.SetOwn("expert_weights_scale", 2.5);
  const BuiltModel built(source);
  ASSERT_OK(built.status());
  EXPECT_EQ(built.Params<op::MoeRoute>("blk.0.ffn_route").scale, 2.5f);
  source.SetOwn("expert_gating_func", int64_t{2});
  ExpectRefused(source, StatusCode::kUnsupported, "'llama.expert_gating_func' = 2");
}

}  // namespace
}  // namespace rocforge::model
