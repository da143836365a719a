// Rows of x to signed bytes (quantize_rows.h), for products that cannot do it themselves: those of
// several rows, and of rows too long for shared memory. Eight elements a thread, a row per y of the
// grid. Traffic: 4 bytes read and 1.25 written an element.
#include "kernels/gpu/ops/quantize_rows.h"
#include "kernels/gpu/ops/quantize_rows_args.h"

namespace rocforge::port {

RF_KERNEL(quantize_rows, gpu::QuantizeRowsArgs, 256) {
  LetNextStart();
  AwaitPrevious();
  const uint64_t r = BlockIdY();
  const uint32_t n_units = args.cols / gpu::kUnit;
  const uint32_t n_octs = args.cols / kOct;
  uint8_t* out = args.out + r * gpu::QuantisedRowBytes(args.cols);
  const QuantisedRow row = {reinterpret_cast<U32x4*>(out),
                            reinterpret_cast<U32x4*>(out + 16 * n_units),
                            reinterpret_cast<U32x2*>(out + 32 * n_units)};
  const uint32_t oct = BlockId() * BlockDim() + ThreadId();
  const Oct x = LoadOct(args.x + r * static_cast<uint64_t>(args.cols), oct, n_octs);
  const QuantisedOct q =
      QuantiseOct(x.low, x.high, args.half_sums != 0 ? UnitSums::kHalves : UnitSums::kWhole);
  if (oct < n_octs) StoreOct(row, oct, q);
}

}  // namespace rocforge::port
