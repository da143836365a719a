// Rows of the embedding table as floats (op.h: EmbedRows). A unit a thread, a token per y of the
// grid. Traffic: the packed row once, 4 bytes written a column; a step's few rows are not worth
// more than one kernel for all types.
#include "kernels/gpu/ops/embed_rows_args.h"
#include "kernels/gpu/ops/unit.h"
#include "kernels/gpu/port/tile.h"

namespace rocforge::port {

RF_KERNEL(embed_rows, gpu::EmbedRowsArgs, 64) {
  LetNextStart();
  AwaitPrevious();
  const uint32_t unit = BlockId() * BlockDim() + ThreadId();
  if (unit >= args.table.n_units) return;
  const uint64_t token = BlockIdY();
  const uint8_t* row =
      args.table.data + static_cast<uint64_t>(args.ids[token]) * args.table.row_bytes;
  float* y = args.y + token * args.cols + unit * gpu::kUnit;
  const uint32_t left = args.cols - unit * gpu::kUnit;
  DispatchType(args.table.type, [&]<uint32_t kType>() {
    float w[gpu::kUnit];
    LoadFloats<kType>(args.table, row, unit, w);
    if (left >= gpu::kUnit && args.cols % 4 == 0) {
      // Lanes are 128 bytes apart: the fewer stores, the fewer visits to each line.
#pragma unroll
      for (uint32_t i = 0; i < gpu::kUnit; i += 4) {
        StoreChunk(reinterpret_cast<U32x4*>(y + i),
                   TileChunk{BitCast<uint32_t>(args.scale * w[i]),
                             BitCast<uint32_t>(args.scale * w[i + 1]),
                             BitCast<uint32_t>(args.scale * w[i + 2]),
                             BitCast<uint32_t>(args.scale * w[i + 3])});
      }
      return;
    }
#pragma unroll
    for (uint32_t i = 0; i < gpu::kUnit; ++i) {
      if (i < left) y[i] = args.scale * w[i];
    }
  });
}

}  // namespace rocforge::port
