// Matrix-vector products of the types of plain blocks. See matvec.h.
#include "kernels/gpu/ops/matvec.h"

namespace rocforge::port {

RF_MATVEC(q4_0, Q4_0)
RF_MATVEC(q4_1, Q4_1)
RF_MATVEC(q5_0, Q5_0)
RF_MATVEC(q5_1, Q5_1)
RF_MATVEC(q8_0, Q8_0)
RF_MATVEC(q2_0, Q2_0)
RF_MATVEC(q1_0, Q1_0)

}  // namespace rocforge::port
