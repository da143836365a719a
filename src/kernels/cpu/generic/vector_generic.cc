#include "kernels/cpu/generic/vec.h"

// After the vectors that it is written in.
#include "kernels/cpu/simd/tables.h"
#include "kernels/cpu/simd/vector.h"

namespace rocforge::cpu {

constinit const VectorPrimitives kGenericVector = MakeVectorPrimitives();

}  // namespace rocforge::cpu
