// Two types of weights that read the same x, in one launch: queries and keys of Q4_K beside values
// of Q6_K, as half of the layers of a Q4_K_M model have them. See matvec.h.
#include "kernels/gpu/ops/matvec.h"

namespace rocforge::port {

RF_KERNEL(matvec_q4_k_q6_k, gpu::MatvecPairArgs, 1024) { MatvecPair<false>(args); }

}  // namespace rocforge::port
