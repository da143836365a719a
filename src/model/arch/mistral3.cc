// Mistral Small 3.1 and later where the file names this architecture: Llama's block. Files that
// scale attention with the position (Ministral 3) are refused by their metadata.
#include "model/arch_spec.h"

namespace rocforge::model {

extern const ArchSpec kMistral3;
constinit const ArchSpec kMistral3 = {
    .name = "mistral3",
    .qkv_bias = Presence::kOptional,
    .attn_output_bias = Presence::kOptional,
    .rope = op::RopeKind::kNormal,
    .rope_factors = true,
    .ffn = Ffn::kByExpertCount,
    .ffn_bias = Presence::kOptional,
};

}  // namespace rocforge::model
