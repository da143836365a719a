// RMS and layer normalisation (op.h: Norm). A block per group.
//   Traffic: 4 g read, 4 g written, 4 g of weights from the cache; one pass over x in registers
//   where the group fits, so the second read hits the nearest cache.
#include "kernels/gpu/block/reduce.h"
#include "kernels/gpu/ops/norm_args.h"
#include "kernels/gpu/port/port.h"

namespace rocforge::port {
namespace {

using gpu::NormArgs;

struct NormShared {
  BlockReduceShared reduce;
};

RF_DEVICE void WriteScaled(const NormArgs& args, const float* x, float* y, float mean,
                           float scale) {
  for (uint32_t i = ThreadId(); i < args.group; i += BlockDim()) {
    float v = (x[i] - mean) * scale;
    if (args.weight != nullptr) v *= args.weight[i];
    if (args.bias != nullptr) v += args.bias[i];
    y[i] = v;
  }
}

}  // namespace

RF_KERNEL(norm_rms, gpu::NormArgs, 1024) {
  NormShared& shared = SharedBlock<NormShared>();
  const float* x = args.x + static_cast<uint64_t>(BlockId()) * args.group;
  float squares = 0.0f;
  for (uint32_t i = ThreadId(); i < args.group; i += BlockDim()) squares = Fma(x[i], x[i], squares);
  const float mean_square = BlockSum(squares, shared.reduce) / static_cast<float>(args.group);
  const float scale = 1.0f / __builtin_sqrtf(mean_square + args.eps);
  WriteScaled(args, x, args.y + static_cast<uint64_t>(BlockId()) * args.group, 0.0f, scale);
}

RF_KERNEL(norm_layer, gpu::NormArgs, 1024) {
  NormShared& shared = SharedBlock<NormShared>();
  const float* x = args.x + static_cast<uint64_t>(BlockId()) * args.group;
  float sum = 0.0f;
  for (uint32_t i = ThreadId(); i < args.group; i += BlockDim()) sum += x[i];
  const float mean = BlockSum(sum, shared.reduce) / static_cast<float>(args.group);
  float squares = 0.0f;
  for (uint32_t i = ThreadId(); i < args.group; i += BlockDim())
    squares = Fma(x[i] - mean, x[i] - mean, squares);
  const float variance = BlockSum(squares, shared.reduce) / static_cast<float>(args.group);
  const float scale = 1.0f / __builtin_sqrtf(variance + args.eps);
  WriteScaled(args, x, args.y + static_cast<uint64_t>(BlockId()) * args.group, mean, scale);
}

}  // namespace rocforge::port
