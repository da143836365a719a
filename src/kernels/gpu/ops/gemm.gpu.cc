// y_i = x w_i^T for many rows of x, from f16 tiles with f32 sums, and what op.h: MatMul and
// MoeMatMul want done with them (gemm_args.h). One product, by the unit that the device has.
//   Traffic from memory: the tiles once (x and w, 2 bytes an element), the outputs once; within the
//   caches each tile of w as often as there are row tiles.
#include "kernels/gpu/ops/gemm_tile.h"
#include "kernels/gpu/ops/gemm_warpgroup.h"

namespace rocforge::port {

RF_KERNEL(gemm_tile, gpu::GemmArgs, 256) { TileGemm<false>(args); }
RF_KERNEL(gemm_tile_glu, gpu::GemmArgs, 256) { TileGemm<true>(args); }

#if RF_PORT_WARPGROUP
RF_KERNEL_RESIDENT(gemm_warpgroup, gpu::GemmArgs, 288, 2) { WarpgroupGemm<false, 128, 3, 0>(args); }
RF_KERNEL_RESIDENT(gemm_warpgroup_glu, gpu::GemmArgs, 288, 2) {
  WarpgroupGemm<true, 128, 3, 0>(args);
}
RF_KERNEL_RESIDENT(gemm_warpgroup_wide, gpu::GemmArgs, 384, 1) {
  WarpgroupGemm<false, 256, 4, 240>(args);
}
RF_KERNEL_RESIDENT(gemm_warpgroup_wide_glu, gpu::GemmArgs, 384, 1) {
  WarpgroupGemm<true, 256, 4, 240>(args);
}
#endif

}  // namespace rocforge::port
