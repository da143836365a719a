#include "kernels/cpu/avx512/vec.h"

// After the vectors that it is written in.
#include "kernels/cpu/simd/attention.h"
#include "kernels/cpu/simd/tables.h"

namespace rocforge::cpu {

constinit const AttentionPrimitives kAvx512Attention = MakeAttentionPrimitives();

}  // namespace rocforge::cpu
