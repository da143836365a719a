// SmolLM 3: Llama's block, every fourth layer without RoPE.
#include "model/arch_spec.h"

namespace rocforge::model {

extern const ArchSpec kSmolLm3;
constinit const ArchSpec kSmolLm3 = {
    .name = "smollm3",
    .qkv_bias = Presence::kOptional,
    .rope = op::RopeKind::kNormal,
    .no_rope_period = 4,
};

}  // namespace rocforge::model
