// Phi 3, Phi 3.5 and Phi 4 (dense): q, k, v in one tensor, gate and up in another; long contexts by
// two sets of RoPE factors. The sliding window of its files is not applied, as in llama.cpp: its
// metadata cannot tell the layers apart.
#include "model/arch_spec.h"

namespace rocforge::model {

extern const ArchSpec kPhi3;
constinit const ArchSpec kPhi3 = {
    .name = "phi3",
    .rope_factors = true,
    .gate_in_up = true,
};

}  // namespace rocforge::model
