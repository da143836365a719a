// Llama 1 to 3 and everything that is converted as such: Mistral, Mixtral (experts), SmolLM,
// TinyLlama, Yi, Falcon 3, DeepSeek-R1-Distill-Llama, ...
#include "model/arch_spec.h"

namespace rocforge::model {

extern const ArchSpec kLlama;
constinit const ArchSpec kLlama = {
    .name = "llama",
    .qkv_bias = Presence::kOptional,
    .attn_output_bias = Presence::kOptional,
    .rope = op::RopeKind::kNormal,  // the converter permutes the rows of W_q and W_k for it
    .rope_factors = true,           // Llama 3.1 scaling is stored as one factor per frequency
    .ffn = Ffn::kByExpertCount,
    .ffn_bias = Presence::kOptional,
};

}  // namespace rocforge::model
