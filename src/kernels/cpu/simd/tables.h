// The tables that the folders generic/, avx2/ and avx512/ export. Those of x86 exist in x86-64
// builds only.
#pragma once

#include "kernels/cpu/simd/primitives.h"

namespace rocforge::cpu {

extern const MatMulPrimitives kGenericMatMul;
extern const AttentionPrimitives kGenericAttention;
extern const VectorPrimitives kGenericVector;

extern const MatMulPrimitives kAvx2MatMul;
extern const AttentionPrimitives kAvx2Attention;
extern const VectorPrimitives kAvx2Vector;

extern const MatMulPrimitives kAvx512MatMul;
extern const AttentionPrimitives kAvx512Attention;
extern const VectorPrimitives kAvx512Vector;

}  // namespace rocforge::cpu
