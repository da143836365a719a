// Matrix-vector products of the types with tables of 16 levels, and of the ternary ones. See
// matvec.h.
#include "kernels/gpu/ops/matvec.h"

namespace rocforge::port {

RF_MATVEC(iq4_nl, IQ4_NL)
RF_MATVEC(iq4_xs, IQ4_XS)
RF_MATVEC(mxfp4, MXFP4)
RF_MATVEC(nvfp4, NVFP4)
RF_MATVEC(tq2_0, TQ2_0)

}  // namespace rocforge::port
