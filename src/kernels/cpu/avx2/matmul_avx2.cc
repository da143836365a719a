#include "kernels/cpu/avx2/vec.h"

// After the vectors that it is written in.
#include "kernels/cpu/simd/matmul.h"
#include "kernels/cpu/simd/tables.h"

namespace rocforge::cpu {

constinit const MatMulPrimitives kAvx2MatMul = MakeMatMulPrimitives();

}  // namespace rocforge::cpu
