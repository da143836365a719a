// Granite 3 mixture of experts (1B-A400M, 3B-A800M): Granite's scales, experts in every layer.
#include "model/arch_spec.h"

namespace rocforge::model {

extern const ArchSpec kGraniteMoe;
constinit const ArchSpec kGraniteMoe = {
    .name = "granitemoe",
    .qkv_bias = Presence::kOptional,
    .attn_output_bias = Presence::kOptional,
    .attention_scale = {.presence = Presence::kOptional},
    .rope = op::RopeKind::kNormal,
    .rope_factors = true,
    .ffn = Ffn::kExperts,
    .embedding_scale = {.presence = Presence::kOptional},
    .residual_scale = {.presence = Presence::kOptional},
    .logit_scale = {.presence = Presence::kRequired},
};

}  // namespace rocforge::model
