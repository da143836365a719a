#include "kernels/cpu/avx2/vec.h"

// After the vectors that it is written in.
#include "kernels/cpu/simd/tables.h"
#include "kernels/cpu/simd/vector.h"

namespace rocforge::cpu {

constinit const VectorPrimitives kAvx2Vector = MakeVectorPrimitives();

}  // namespace rocforge::cpu
