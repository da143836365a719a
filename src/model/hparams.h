// Hyper-parameters of a model, read from the usual metadata keys ("llama.block_count") and checked,
// so that everything built from them is bounded and consistent.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "gguf/reader.h"
#include "model/arch_spec.h"
#include "rocforge/status.h"

namespace rocforge::model {

struct LayerParams {
  int32_t n_heads = 0;
  int32_t n_kv_heads = 0;
  int64_t n_ff = 0;         // width of the dense network; 0 where the file has none
  int64_t n_ff_expert = 0;  // width of each expert; 0 without experts
  bool local = false;       // sees only the last `window` positions
  bool rope = true;
};

enum class RopeScalingType : uint8_t { kNone, kLinear, kYarn, kLongRope };

struct RopeScaling {
  RopeScalingType type = RopeScalingType::kNone;
  float factor = 1.0f;       // positions are divided by it
  float attn_factor = 1.0f;  // extra magnitude of cosines and sines, whatever the type
  float beta_fast = 32.0f;   // YaRN
  float beta_slow = 1.0f;    // YaRN
  int64_t n_ctx_orig = 0;    // context before scaling
};

struct HParams {
  std::string name;  // general.name
  int64_t n_layers = 0;
  int64_t d_model = 0;
  int64_t n_vocab = 0;
  int64_t n_ctx_train = 0;
  std::vector<LayerParams> layers;

  int32_t head_dim_k = 0;
  int32_t head_dim_v = 0;
  float norm_eps = 0.0f;

  int32_t rope_dim = 0;  // even, at most head_dim_k
  float rope_base = 10000.0f;
  float rope_base_local = 10000.0f;
  RopeScaling rope_scaling;

  int32_t window = 0;              // of local layers; 0: there are none
  int64_t window_not_applied = 0;  // a window that the file names and this architecture ignores

  int32_t n_experts = 0;
  int32_t n_experts_used = 0;
  float expert_weights_scale = 1.0f;

  float embedding_scale = 1.0f;
  float residual_scale = 1.0f;
  float attention_scale = 0.0f;  // of the scores
  float attn_softcap = 0.0f;     // 0: none
  float final_softcap = 0.0f;    // 0: none
  float logit_scale = 1.0f;      // logits are divided by it
};

// kDataLoss for a missing, ill-typed or absurd value (the line names key and value), kUnsupported
// for a setting that changes results and that this architecture's description does not know.
Result<HParams> ReadHParams(const gguf::File& file, const ArchSpec& spec);

}  // namespace rocforge::model
