// Matrix-vector products of the code-book types. See matvec.h.
#include "kernels/gpu/ops/matvec.h"

namespace rocforge::port {

RF_MATVEC(iq1_s, IQ1_S)
RF_MATVEC(iq1_m, IQ1_M)
RF_MATVEC(iq2_xxs, IQ2_XXS)
RF_MATVEC(iq2_xs, IQ2_XS)
RF_MATVEC(iq2_s, IQ2_S)
RF_MATVEC(iq3_xxs, IQ3_XXS)
RF_MATVEC(iq3_s, IQ3_S)

}  // namespace rocforge::port
