// Elementwise ops (op.h: Add, Scale, SoftCap, Glu) and row moves (GatherRows, MoeCombine).
//   Traffic: each input and output element once, 4 bytes.
#include "kernels/gpu/ops/activation.h"
#include "kernels/gpu/ops/elementwise_args.h"
#include "kernels/gpu/port/port.h"

namespace rocforge::port {
namespace {

RF_DEVICE uint64_t FirstElement() {
  return static_cast<uint64_t>(BlockId()) * BlockDim() + ThreadId();
}
RF_DEVICE uint64_t ElementStride() { return static_cast<uint64_t>(GridDim()) * BlockDim(); }

}  // namespace

RF_KERNEL(elementwise_add, gpu::AddArgs, 256) {
  LetNextStart();
  AwaitPrevious();
  for (uint64_t i = FirstElement(); i < args.n; i += ElementStride())
    args.y[i] = args.a[i] + args.scale_b * args.b[i];
}

RF_KERNEL(elementwise_scale, gpu::ScaleArgs, 256) {
  LetNextStart();
  AwaitPrevious();
  for (uint64_t i = FirstElement(); i < args.n; i += ElementStride())
    args.y[i] = args.scale * args.x[i];
}

// scale is the cap.
RF_KERNEL(elementwise_soft_cap, gpu::ScaleArgs, 256) {
  LetNextStart();
  AwaitPrevious();
  const float inverse = 1.0f / args.scale;
  for (uint64_t i = FirstElement(); i < args.n; i += ElementStride())
    args.y[i] = args.scale * Tanh(args.x[i] * inverse);
}

RF_KERNEL(elementwise_glu, gpu::GluArgs, 256) {
  LetNextStart();
  AwaitPrevious();
  for (uint64_t i = FirstElement(); i < args.n; i += ElementStride()) {
    args.y[i] = GatedActivation(args.kind, args.gate[i], args.up[i], args.alpha, args.limit);
  }
}

// A block per row of the output (y of the grid).
RF_KERNEL(gather_rows, gpu::GatherRowsArgs, 256) {
  LetNextStart();
  AwaitPrevious();
  const float* x = args.x + static_cast<uint64_t>(args.rows[BlockIdY()]) * args.cols;
  float* y = args.y + static_cast<uint64_t>(BlockIdY()) * args.cols;
  for (uint64_t i = FirstElement(); i < args.cols; i += ElementStride()) y[i] = x[i];
}

// A token per y of the grid.
RF_KERNEL(moe_combine, gpu::MoeCombineArgs, 256) {
  LetNextStart();
  AwaitPrevious();
  const uint64_t token = BlockIdY();
  for (uint64_t i = FirstElement(); i < args.cols; i += ElementStride()) {
    float sum = 0.0f;
    for (uint32_t e = 0; e < args.n_used; ++e) {
      sum +=
          args.weights[token * args.n_used + e] * args.x[(token * args.n_used + e) * args.cols + i];
    }
    args.y[token * args.cols + i] = sum;
  }
}

}  // namespace rocforge::port
