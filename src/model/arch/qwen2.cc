// Qwen 1.5, 2 and 2.5 (dense), DeepSeek-R1-Distill-Qwen: Llama's block with biases on q, k and v.
#include "model/arch_spec.h"

namespace rocforge::model {

extern const ArchSpec kQwen2;
constinit const ArchSpec kQwen2 = {
    .name = "qwen2",
    .qkv_bias = Presence::kRequired,
    .output_bias = Presence::kOptional,
};

}  // namespace rocforge::model
