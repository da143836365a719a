// RMS and layer normalisation (op.h: Norm). A block per group.
//   Traffic: 4 g read, 4 g written, 4 g of weights from the cache. Where the group is a multiple of
//   4 and at most kChunks * 4 * 1024, x stays in registers from its one read to the end, and the
//   weights are under way before the launch before has ended: one row is then two trips to memory
//   and one reduction. Other groups read x again, from the nearest cache.
#include "kernels/gpu/ops/norm.h"
#include "kernels/gpu/block/reduce.h"
#include "kernels/gpu/ops/norm_args.h"
#include "kernels/gpu/port/port.h"

namespace rocforge::port {
namespace {

using gpu::NormArgs;

struct NormShared {
  BlockReduceShared reduce;
};

struct Quad {
  float v[4] = {};
};

RF_DEVICE Quad LoadQuad(const float* p, uint32_t quad) {
  const U32x4 raw = reinterpret_cast<const U32x4*>(p)[quad];
  return {
      {BitCast<float>(raw.x), BitCast<float>(raw.y), BitCast<float>(raw.z), BitCast<float>(raw.w)}};
}

// Thread t has the groups of four t, t + BlockDim(), ...
template <bool kLayer, uint32_t kChunks>
RF_DEVICE void NormInRegisters(const NormArgs& args) {
  constexpr bool kEarlyWeights = kChunks <= 2;  // registers allow no more
  NormShared& shared = SharedBlock<NormShared>();
  const float* x = args.x + static_cast<uint64_t>(BlockId()) * args.group;
  float* y = args.y + static_cast<uint64_t>(BlockId()) * args.group;
  const uint32_t n_quads = args.group / 4;
  Quad value[kChunks] = {};
  Quad weight[kChunks] = {};
  LetNextStart();
#pragma unroll
  for (uint32_t c = 0; c < kChunks; ++c) {
    const uint32_t quad = ThreadId() + c * BlockDim();
    if (kEarlyWeights && quad < n_quads && args.weight != nullptr)
      weight[c] = LoadQuad(args.weight, quad);
  }
  AwaitPrevious();  // weights are no one's output
#pragma unroll
  for (uint32_t c = 0; c < kChunks; ++c) {
    const uint32_t quad = ThreadId() + c * BlockDim();
    if (quad < n_quads) value[c] = LoadQuad(x, quad);
  }
  float mean = 0.0f;
  if constexpr (kLayer) {
    float sum = 0.0f;
#pragma unroll
    for (uint32_t c = 0; c < kChunks; ++c)
      sum += (value[c].v[0] + value[c].v[1]) + (value[c].v[2] + value[c].v[3]);
    mean = BlockSum(sum, shared.reduce) / static_cast<float>(args.group);
  }
  float squares = 0.0f;
#pragma unroll
  for (uint32_t c = 0; c < kChunks; ++c) {
    const bool inside = ThreadId() + c * BlockDim() < n_quads;
#pragma unroll
    for (uint32_t i = 0; i < 4; ++i) {
      value[c].v[i] = inside ? value[c].v[i] - mean : 0.0f;
      squares = Fma(value[c].v[i], value[c].v[i], squares);
    }
  }
  const float scale = InverseDeviation(BlockSum(squares, shared.reduce), args.group, args.eps);
#pragma unroll
  for (uint32_t c = 0; c < kChunks; ++c) {
    const uint32_t quad = ThreadId() + c * BlockDim();
    if (quad >= n_quads) continue;
    if (!kEarlyWeights && args.weight != nullptr) weight[c] = LoadQuad(args.weight, quad);
    Quad bias;
    if (args.bias != nullptr) bias = LoadQuad(args.bias, quad);
    uint32_t out[4];
#pragma unroll
    for (uint32_t i = 0; i < 4; ++i) {
      float v = value[c].v[i] * scale;
      if (args.weight != nullptr) v *= weight[c].v[i];
      out[i] = BitCast<uint32_t>(v + bias.v[i]);
    }
    reinterpret_cast<U32x4*>(y)[quad] = {out[0], out[1], out[2], out[3]};
  }
}

template <bool kLayer>
RF_DEVICE void NormAnySize(const NormArgs& args) {
  LetNextStart();
  AwaitPrevious();
  NormShared& shared = SharedBlock<NormShared>();
  const float* x = args.x + static_cast<uint64_t>(BlockId()) * args.group;
  float* y = args.y + static_cast<uint64_t>(BlockId()) * args.group;
  float mean = 0.0f;
  if constexpr (kLayer) {
    float sum = 0.0f;
    for (uint32_t i = ThreadId(); i < args.group; i += BlockDim()) sum += x[i];
    mean = BlockSum(sum, shared.reduce) / static_cast<float>(args.group);
  }
  float squares = 0.0f;
  for (uint32_t i = ThreadId(); i < args.group; i += BlockDim())
    squares = Fma(x[i] - mean, x[i] - mean, squares);
  const float scale = InverseDeviation(BlockSum(squares, shared.reduce), args.group, args.eps);
  for (uint32_t i = ThreadId(); i < args.group; i += BlockDim()) {
    float v = (x[i] - mean) * scale;
    if (args.weight != nullptr) v *= args.weight[i];
    if (args.bias != nullptr) v += args.bias[i];
    y[i] = v;
  }
}

}  // namespace

RF_KERNEL(norm_rms, gpu::NormArgs, 1024) { NormAnySize<false>(args); }
RF_KERNEL(norm_rms_1, gpu::NormArgs, 1024) { NormInRegisters<false, 1>(args); }
RF_KERNEL(norm_rms_2, gpu::NormArgs, 1024) { NormInRegisters<false, 2>(args); }
RF_KERNEL(norm_rms_4, gpu::NormArgs, 1024) { NormInRegisters<false, 4>(args); }

RF_KERNEL(norm_layer, gpu::NormArgs, 1024) { NormAnySize<true>(args); }
RF_KERNEL(norm_layer_1, gpu::NormArgs, 1024) { NormInRegisters<true, 1>(args); }
RF_KERNEL(norm_layer_2, gpu::NormArgs, 1024) { NormInRegisters<true, 2>(args); }
RF_KERNEL(norm_layer_4, gpu::NormArgs, 1024) { NormInRegisters<true, 4>(args); }

}  // namespace rocforge::port
