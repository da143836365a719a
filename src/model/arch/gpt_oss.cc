// gpt-oss (20B, 120B): local and global layers in turn, attention sinks, biases everywhere, YaRN,
// experts with a clamped SwiGLU whose weights are a softmax over the chosen experts' logits. The
// norm before the feed-forward network is called post_attention_norm in its files.
#include "model/arch_spec.h"

namespace rocforge::model {

extern const ArchSpec kGptOss;
constinit const ArchSpec kGptOss = {
    .name = "gpt-oss",
    .ffn_pre_norm = "post_attention_norm",
    .qkv_bias = Presence::kRequired,
    .attn_output_bias = Presence::kRequired,
    .attn_sinks = true,
    .window = {.key = Presence::kRequired, .period = 2},
    .ffn = Ffn::kExperts,
    .glu = {.kind = op::GluKind::kSwigluOai, .alpha = 1.702f, .limit = 7.0f},
    .gating = op::MoeGating::kSoftmaxOfSelected,
    .normalise_expert_weights = false,
    .expert_bias = Presence::kRequired,
    .output = Presence::kRequired,
};

}  // namespace rocforge::model
