// Matrix-vector products of the K-quants. See matvec.h.
#include "kernels/gpu/ops/matvec.h"

namespace rocforge::port {

RF_MATVEC(q2_k, Q2_K)
RF_MATVEC(q3_k, Q3_K)
RF_MATVEC(q4_k, Q4_K)
RF_MATVEC(q5_k, Q5_K)
RF_MATVEC(q6_k, Q6_K)

}  // namespace rocforge::port
