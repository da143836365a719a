// Qwen 3 mixture of experts (30B-A3B, 235B-A22B): Qwen 3's attention, experts in every layer; the
// weights of a token's experts are softmax probabilities divided by their sum.
#include "model/arch_spec.h"

namespace rocforge::model {

extern const ArchSpec kQwen3Moe;
constinit const ArchSpec kQwen3Moe = {
    .name = "qwen3moe",
    .qk_norm = QkNorm::kPerHead,
    .ffn = Ffn::kExperts,
};

}  // namespace rocforge::model
