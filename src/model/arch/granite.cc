// Granite 3 and 4 (dense): Llama's block with four scale factors from the file.
#include "model/arch_spec.h"

namespace rocforge::model {

extern const ArchSpec kGranite;
constinit const ArchSpec kGranite = {
    .name = "granite",
    .qkv_bias = Presence::kOptional,
    .attn_output_bias = Presence::kOptional,
    .attention_scale = {.presence = Presence::kOptional},
    .rope = op::RopeKind::kNormal,
    .rope_factors = true,
    .finetuned_is_rope_switch = true,
    .ffn_bias = Presence::kOptional,
    .embedding_scale = {.presence = Presence::kOptional},
    .residual_scale = {.presence = Presence::kOptional},
    .logit_scale = {.presence = Presence::kRequired},
};

}  // namespace rocforge::model
