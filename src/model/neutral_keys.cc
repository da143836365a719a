#include "model/neutral_keys.h"

#include "base/format.h"
#include "model/keys.h"

namespace rocforge::model {
namespace {

// The decoder's behaviour is the one of any value in [low, high].
struct NeutralKey {
  const char* key;
  double low;
  double high;
};

constexpr NeutralKey kNeutralKeys[] = {
    {"attention.causal", 1, 1},
    {"attention.clamp_kqv", 0, 0},
    {"attention.indexer.head_count", 0, 0},
    {"attention.kv_lora_rank", 0, 0},
    {"attention.max_alibi_bias", 0, 0},
    {"attention.output_scale", 0, 1},
    {"attention.q_lora_rank", 0, 0},
    {"attention.shared_kv_layers", 0, 0},
    {"attention.temperature_scale", 0, 0},
    {"attention.value_scale", 0, 1},
    {"deepstack_mapping", -1e9, -1},
    {"embedding_length_per_layer_input", 0, 0},
    {"expert_group_count", 0, 1},
    {"expert_shared_count", 0, 0},
    {"expert_shared_feed_forward_length", 0, 0},
    {"full_attention_interval", 0, 1},
    {"hyper_connection.count", 0, 0},
    {"interleave_moe_layer_step", 0, 1},
    {"leading_dense_block_count", 0, 0},
    {"moe_every_n_layers", 0, 1},
    {"n_deepstack_layers", 0, 0},
    {"nextn_predict_layers", 0, 0},
    {"num_loops", 0, 1},
    {"rope.dimension_sections", 0, 0},
    {"rope.scaling.alpha", 0, 0},
    {"rope.scaling.yarn_log_multiplier", 0, 0},
    {"router_logit_softcapping", 0, 0},
    {"swiglu_clamp_exp", 0, 0},
    {"swiglu_clamp_shexp", 0, 0},
    {"use_parallel_residual", 0, 0},
};

// Values of expert_gating_func as files give them.
double GatingNumber(op::MoeGating gating) {
  switch (gating) {
    case op::MoeGating::kSoftmax:
      return 1;
    case op::MoeGating::kSigmoid:
      return 2;
    case op::MoeGating::kSoftmaxOfSelected:
      return 3;
  }
  return 0;
}

Status CheckKey(const Keys& keys, const ArchSpec& spec, const NeutralKey& neutral) {
  if (!keys.Has(neutral.key)) return Status::Ok();
  ROCFORGE_ASSIGN_OR_RETURN(const std::vector<double> values, keys.Numbers(neutral.key));
  for (const double value : values) {
    if (value >= neutral.low && value <= neutral.high) continue;
    return Unsupported(Format("architecture '{}' with '{}' = {} is not supported", spec.name,
                              keys.Full(neutral.key), value));
  }
  return Status::Ok();
}

}  // namespace

Status CheckNeutralKeys(const gguf::File& file, const ArchSpec& spec) {
  const Keys keys(file, spec.name);
  for (const NeutralKey& neutral : kNeutralKeys) {
    ROCFORGE_RETURN_IF_ERROR(CheckKey(keys, spec, neutral));
  }
  const double gating = GatingNumber(spec.gating);
  ROCFORGE_RETURN_IF_ERROR(CheckKey(keys, spec, {"expert_gating_func", gating, gating}));
  if (spec.ffn == Ffn::kDense || spec.gating == op::MoeGating::kSoftmaxOfSelected) {
    return Status::Ok();  // weights of a softmax over the selected are normalised by themselves
  }
  const double normalise = spec.normalise_expert_weights ? 1 : 0;
  return CheckKey(keys, spec, {"expert_weights_norm", normalise, normalise});
}

}  // namespace rocforge::model
