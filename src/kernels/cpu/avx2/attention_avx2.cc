#include "kernels/cpu/avx2/vec.h"

// After the vectors that it is written in.
#include "kernels/cpu/simd/attention.h"
#include "kernels/cpu/simd/tables.h"

namespace rocforge::cpu {

constinit const AttentionPrimitives kAvx2Attention = MakeAttentionPrimitives();

}  // namespace rocforge::cpu
