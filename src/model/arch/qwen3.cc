// Qwen 3 (dense): no biases, queries and keys are normalised per head.
#include "model/arch_spec.h"

namespace rocforge::model {

extern const ArchSpec kQwen3;
constinit const ArchSpec kQwen3 = {
    .name = "qwen3",
    .qk_norm = QkNorm::kPerHead,
};

}  // namespace rocforge::model
