// Matrix-vector products of a vector that its blocks normalise themselves, which spares the launch
// of the norm, for the types that most models have. See matvec.h.
#include "kernels/gpu/ops/matvec.h"

namespace rocforge::port {

#define RF_MATVEC_NORM(name, TYPE)                                          \
  RF_KERNEL(matvec_##name##_norm, gpu::MatvecArgs, 1024) {                  \
    MatvecOne<gpu::kWeight##TYPE, false, true>(args, BlockId(), GridDim()); \
  }                                                                         \
  RF_KERNEL(matvec_##name##_glu_norm, gpu::MatvecArgs, 1024) {              \
    MatvecOne<gpu::kWeight##TYPE, true, true>(args, BlockId(), GridDim());  \
  }
RF_MATVEC_NORM(q4_0, Q4_0)
RF_MATVEC_NORM(q8_0, Q8_0)
RF_MATVEC_NORM(q4_k, Q4_K)
RF_MATVEC_NORM(q5_k, Q5_K)
RF_MATVEC_NORM(q6_k, Q6_K)

RF_KERNEL(matvec_q4_k_q6_k_norm, gpu::MatvecPairArgs, 1024) { MatvecPair<true>(args); }

}  // namespace rocforge::port
