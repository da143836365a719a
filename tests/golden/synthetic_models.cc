#include "tests/golden/synthetic_models.h"

namespace rocforge::golden {
namespace {

using gguf::Value;
using testing::Recipe;
using testing::SyntheticModel;

// Mixtral's layout: experts in a llama file.
SyntheticModel Mixtral() { return SyntheticModel({.n_experts = 4, .n_experts_used = 2}); }

SyntheticModel LlamaYarn() {
  SyntheticModel m{Recipe{}};
  m.SetOwn("rope.freq_base", 5e5);
  m.SetOwn("rope.scaling.type", Value::String("yarn"));
  m.SetOwn("rope.scaling.factor", 4.0);
  m.SetOwn("rope.scaling.original_context_length", int64_t{64});
  m.SetOwn("rope.scaling.attn_factor", 0.9);
  return m;
}

// Every optional tensor of a llama file, and q, k and v in one.
SyntheticModel LlamaBiases() {
  return SyntheticModel({.qkv_bias = true, .output_bias = true, .ffn_bias = true});
}
SyntheticModel LlamaFused() {
  SyntheticModel m({.fused_qkv = true, .tied = true});
  m.EraseOwn("attention.key_length");
  m.EraseOwn("attention.value_length");
  return m;
}

// Factors for whole matrices, as NVFP4 files have.
SyntheticModel LlamaMatrixScales() {
  SyntheticModel m{Recipe{}};
  for (const char* name : {"blk.0.attn_q", "blk.0.attn_v", "blk.1.attn_output", "blk.0.ffn_gate",
                           "blk.1.ffn_up", "blk.1.ffn_down"}) {
    m.Add(std::string(name) + ".scale", {1}, 0.8f, 0.2f);
  }
  return m;
}

SyntheticModel Qwen2Linear() {
  SyntheticModel m({.arch = "qwen2", .qkv_bias = true});
  m.SetOwn("rope.scaling.type", Value::String("linear"));
  m.SetOwn("rope.scaling.factor", 2.5);
  return m;
}

// Long and short factors, and RoPE on three quarters of a head.
SyntheticModel Phi3LongRope() {
  SyntheticModel m({.arch = "phi3", .fused_qkv = true, .gate_in_up = true});
  m.SetOwn("rope.dimension_count", int64_t{24});
  m.SetOwn("context_length", int64_t{1024});
  m.SetOwn("rope.scaling.original_context_length", int64_t{256});
  m.SetOwn("rope.scaling.attn_factor", 1.19);
  m.SetOwn("attention.sliding_window", int64_t{16});
  m.Add("rope_factors_short.weight", {12}, 1.5f, 0.5f);
  m.Add("rope_factors_long.weight", {12}, 8.0f, 6.0f);
  return m;
}

const std::vector<std::string> kFourNorms = {"attn_norm", "post_attention_norm", "ffn_norm",
                                             "post_ffw_norm"};

SyntheticModel Gemma2() {
  SyntheticModel m({.arch = "gemma2", .n_layers = 4, .norms = kFourNorms, .tied = true});
  m.SetOwn("attention.sliding_window", int64_t{12});
  m.SetOwn("attn_logit_softcapping", 3.0);
  m.SetOwn("final_logit_softcapping", 4.0);
  return m;
}

// Scaling in global layers only, a window and a soft-cap, on one pattern period and a half.
SyntheticModel Gemma3Scaled() {
  SyntheticModel m(
      {.arch = "gemma3", .n_layers = 7, .norms = kFourNorms, .qk_norm = 1, .tied = true});
  m.SetOwn("attention.sliding_window", int64_t{12});
  m.SetOwn("rope.freq_base", 1e6);
  m.SetOwn("rope.scaling.type", Value::String("linear"));
  m.SetOwn("rope.scaling.factor", 8.0);
  m.SetOwn("final_logit_softcapping", 5.0);
  return m;
}

// OLMo 3: windows with a pattern in the file, YaRN in global layers only.
SyntheticModel Olmo3() {
  SyntheticModel m({.arch = "olmo2",
                    .n_layers = 4,
                    .norms = {"post_attention_norm", "post_ffw_norm"},
                    .qk_norm = 2});
  m.SetOwn("attention.sliding_window", int64_t{12});
  m.SetOwn("attention.sliding_window_pattern", Value::Bools({true, false, true, false}));
  m.SetOwn("rope.scaling.type", Value::String("yarn"));
  m.SetOwn("rope.scaling.factor", 8.0);
  m.SetOwn("rope.scaling.original_context_length", int64_t{32});
  return m;
}

SyntheticModel Granite(const char* arch, int64_t n_experts) {
  SyntheticModel m(
      {.arch = arch, .n_experts = n_experts, .n_experts_used = n_experts / 2, .tied = true});
  m.SetOwn("logit_scale", 1.5);
  m.SetOwn("residual_scale", 0.7);
  m.SetOwn("embedding_scale", 1.5);
  m.SetOwn("attention.scale", 0.11);
  return m;
}
SyntheticModel GraniteNoRope() {
  SyntheticModel m = Granite("granite", 0);
  m.SetOwn("rope.scaling.finetuned", Value::Bool(false));
  return m;
}
SyntheticModel GraniteMoe() { return Granite("granitemoe", 6); }

SyntheticModel SmolLm3() {
  return SyntheticModel({.arch = "smollm3", .n_layers = 5, .tied = true});
}

SyntheticModel Mistral3() { return SyntheticModel({.arch = "mistral3"}); }

}  // namespace

std::span<const SyntheticCase> SyntheticCases() {
  static constexpr SyntheticCase kCases[] = {
      {"mixtral", 128, Mixtral},
      {"llama_yarn", 256, LlamaYarn},
      {"llama_biases", 128, LlamaBiases},
      {"llama_fused_qkv", 128, LlamaFused},
      {"llama_matrix_scales", 128, LlamaMatrixScales},
      {"qwen2_linear", 128, Qwen2Linear},
      {"phi3_longrope_short", 256, Phi3LongRope},
      {"phi3_longrope_long", 512, Phi3LongRope},
      {"gemma2", 128, Gemma2},
      {"gemma3_scaled", 128, Gemma3Scaled},
      {"olmo3", 256, Olmo3},
      {"granite_no_rope", 128, GraniteNoRope},
      {"granitemoe", 128, GraniteMoe},
      {"smollm3", 128, SmolLm3},
      {"mistral3", 128, Mistral3},
  };
  return kCases;
}

std::vector<int32_t> SyntheticTokens() {
  std::vector<int32_t> tokens;
  for (int32_t i = 0; i < 72; ++i) tokens.push_back((i * i * 37 + i * 11 + 5) % 128);
  return tokens;
}

}  // namespace rocforge::golden
