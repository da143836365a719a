// Gemma 2 (2B to 27B): local and global layers in turn, soft-capped scores and logits.
#include "model/arch_spec.h"

namespace rocforge::model {

extern const ArchSpec kGemma2;
constinit const ArchSpec kGemma2 = {
    .name = "gemma2",
    .attn_post_norm = "post_attention_norm",
    .ffn_post_norm = "post_ffw_norm",
    .window = {.key = Presence::kOptional, .fallback = 4096, .period = 2},
    .attn_softcap = {.presence = Presence::kOptional, .fallback = 50.0f},
    .attention_scale_by_width_layers = 46,  // 27B
    .glu = {.kind = op::GluKind::kGeluTanh},
    .embedding_scale_sqrt_width = true,
    .final_softcap = {.presence = Presence::kOptional, .fallback = 30.0f},
};

}  // namespace rocforge::model
