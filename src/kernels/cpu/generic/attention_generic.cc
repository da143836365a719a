#include "kernels/cpu/generic/vec.h"

// After the vectors that it is written in.
#include "kernels/cpu/simd/attention.h"
#include "kernels/cpu/simd/tables.h"

namespace rocforge::cpu {

constinit const AttentionPrimitives kGenericAttention = MakeAttentionPrimitives();

}  // namespace rocforge::cpu
