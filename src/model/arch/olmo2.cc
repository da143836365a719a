// OLMo 2 and OLMo 3: norms after attention and feed-forward network instead of before, queries and
// keys normalised over all heads. OLMo 3 has three local layers, then a global one, and scales
// RoPE in global layers only.
#include "model/arch_spec.h"

namespace rocforge::model {

extern const ArchSpec kOlmo2;
constinit const ArchSpec kOlmo2 = {
    .name = "olmo2",
    .attn_pre_norm = nullptr,
    .attn_post_norm = "post_attention_norm",
    .ffn_pre_norm = nullptr,
    .ffn_post_norm = "post_ffw_norm",
    .qk_norm = QkNorm::kFullWidth,
    .window = {.key = Presence::kOptional, .period = 4},
    .local_rope = {.unscaled = true},
    .output = Presence::kRequired,
};

}  // namespace rocforge::model
