#include "kernels/cpu/generic/vec.h"

// After the vectors that it is written in.
#include "kernels/cpu/simd/matmul.h"
#include "kernels/cpu/simd/tables.h"

namespace rocforge::cpu {

constinit const MatMulPrimitives kGenericMatMul = MakeMatMulPrimitives();

}  // namespace rocforge::cpu
