// Gemma 3 (270M to 27B, text). The converter adds the 1 of Gemma's (1 + weight) norms to the file's
// weights. Five local layers with a base of 10000, then a global one with the file's base and
// scaling.
#include "model/arch_spec.h"

namespace rocforge::model {

extern const ArchSpec kGemma3;
constinit const ArchSpec kGemma3 = {
    .name = "gemma3",
    .attn_post_norm = "post_attention_norm",
    .ffn_post_norm = "post_ffw_norm",
    .qk_norm = QkNorm::kPerHead,
    .window = {.key = Presence::kOptional, .period = 6},
    .attention_scale_by_width_layers = 62,  // 27B
    .local_rope = {.freq_base = 10000.0f, .unscaled = true},
    .glu = {.kind = op::GluKind::kGeluTanh},
    .embedding_scale_sqrt_width = true,
    .final_softcap = {.presence = Presence::kOptional},
};

}  // namespace rocforge::model
