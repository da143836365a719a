// What a device does at best when nothing else is asked of it: writes, copies, empty launches,
// 8-bit dot products, matrix tiles. Reads: memory_read.gpu.cc.
//   Arithmetic runs on registers (the warpgroup unit: on shared memory) in independent chains, so
//   that neither memory nor latency is waited for. All operands of the tiles are 1, so that every
//   result is the number of products and the tests can say what it must be.
#include "kernels/gpu/ops/ceilings_args.h"
#include "kernels/gpu/port/warpgroup.h"

namespace rocforge::port {
namespace {

constexpr uint64_t kInFlight = 4;
constexpr uint32_t kHalfOnes = 0x3C003C00u;  // two f16 of 1

struct CeilingTileShared {
  U32x4 rows[16 * kTileRowChunks];
};

#if RF_PORT_WARPGROUP
struct alignas(1024) CeilingWarpgroupShared {
  U32x4 a[64 * kTileRowChunks];
  U32x4 b[gpu::kCeilingWarpgroupColumns * kTileRowChunks];
};
static_assert(sizeof(CeilingWarpgroupShared) == gpu::kCeilingWarpgroupShared);
#endif

}  // namespace

RF_KERNEL(ceiling_write, gpu::CeilingWriteArgs, 256) {
  U32x4* data = static_cast<U32x4*>(args.data);
  const uint64_t stride = static_cast<uint64_t>(GridDim()) * BlockDim();
  const U32x4 value = {args.word, args.word, args.word, args.word};
  for (uint64_t i = static_cast<uint64_t>(BlockId()) * BlockDim() + ThreadId(); i < args.n_chunks;
       i += stride) {
    data[i] = value;
  }
}

RF_KERNEL(ceiling_copy, gpu::CeilingCopyArgs, 256) {
  U32x4* to = static_cast<U32x4*>(args.to);
  const U32x4* from = static_cast<const U32x4*>(args.from);
  const uint64_t stride = static_cast<uint64_t>(GridDim()) * BlockDim();
  uint64_t i = static_cast<uint64_t>(BlockId()) * BlockDim() + ThreadId();
  for (; i + (kInFlight - 1) * stride < args.n_chunks; i += kInFlight * stride) {
    U32x4 v[kInFlight];
    RF_UNROLL
    for (uint64_t k = 0; k < kInFlight; ++k) v[k] = LoadStream(from + i + k * stride);
    RF_UNROLL
    for (uint64_t k = 0; k < kInFlight; ++k) to[i + k * stride] = v[k];
  }
  for (; i < args.n_chunks; i += stride) to[i] = LoadStream(from + i);
}

RF_KERNEL(ceiling_empty, gpu::CeilingEmptyArgs, 256) { static_cast<void>(args.unused); }

RF_KERNEL(ceiling_dot4, gpu::CeilingDotArgs, 256) {
  int32_t sums[gpu::kCeilingDots];
  RF_UNROLL
  for (uint32_t k = 0; k < gpu::kCeilingDots; ++k) sums[k] = 0;
  int32_t a = args.a;
  for (uint32_t i = 0; i < args.iterations; ++i) {
    a = InRegister(a);
    RF_UNROLL
    for (uint32_t k = 0; k < gpu::kCeilingDots; ++k) sums[k] = InRegister(Dot4(a, args.b, sums[k]));
  }
  int32_t sum = 0;
  RF_UNROLL
  for (uint32_t k = 0; k < gpu::kCeilingDots; ++k) sum += sums[k];
  args.out[BlockId() * BlockDim() + ThreadId()] = sum;
}

RF_KERNEL(ceiling_tile, gpu::CeilingTileArgs, gpu::kCeilingTileBlock) {
  auto& shared = SharedBlock<CeilingTileShared>();
  for (uint32_t i = ThreadId(); i < 16 * kTileRowChunks; i += BlockDim())
    shared.rows[i] = {kHalfOnes, kHalfOnes, kHalfOnes, kHalfOnes};
  BlockBarrier();
  TileA a;
  TileB b;
  LoadTile(a, shared.rows, 0, 0);
  LoadTile(b, shared.rows, 0, 2);
  TileSum sums[gpu::kCeilingTiles];
  RF_UNROLL
  for (uint32_t k = 0; k < gpu::kCeilingTiles; ++k) {
    RF_UNROLL
    for (uint32_t v = 0; v < kTileValues; ++v) sums[k].v[v] = 0.0f;
  }
  for (uint32_t i = 0; i < args.iterations; ++i) {
    RF_UNROLL
    for (uint32_t k = 0; k < gpu::kCeilingTiles; ++k) MultiplyTile(sums[k], a, b);
  }
  float sum = 0.0f;
  RF_UNROLL
  for (uint32_t k = 0; k < gpu::kCeilingTiles; ++k) {
    RF_UNROLL
    for (uint32_t v = 0; v < kTileValues; ++v) sum += sums[k].v[v];
  }
  args.out[BlockId() * BlockDim() + ThreadId()] = sum;
}

#if RF_PORT_WARPGROUP
RF_KERNEL_RESIDENT(ceiling_warpgroup, gpu::CeilingTileArgs,
                   gpu::kCeilingWarpgroups* kWarpgroupThreads, 1) {
  auto& shared = SharedLarge<CeilingWarpgroupShared>();
  const U32x4 ones = {kHalfOnes, kHalfOnes, kHalfOnes, kHalfOnes};
  for (uint32_t i = ThreadId(); i < 64 * kTileRowChunks; i += BlockDim()) shared.a[i] = ones;
  for (uint32_t i = ThreadId(); i < gpu::kCeilingWarpgroupColumns * kTileRowChunks; i += BlockDim())
    shared.b[i] = ones;
  PhasesReady();  // the unit reads shared memory by another way than the threads wrote it
  BlockBarrier();
  WarpgroupSum<gpu::kCeilingWarpgroupColumns> sum;
  RF_UNROLL
  for (uint32_t v = 0; v < gpu::kCeilingWarpgroupColumns / 2; ++v) sum.v[v] = 0.0f;
  for (uint32_t i = 0; i < args.iterations; ++i) {
    WarpgroupMultiply(sum, shared.a, shared.b);
    WarpgroupWait<1>(sum);
  }
  WarpgroupWait<0>(sum);
  float total = 0.0f;
  RF_UNROLL
  for (uint32_t v = 0; v < gpu::kCeilingWarpgroupColumns / 2; ++v) total += sum.v[v];
  args.out[BlockId() * BlockDim() + ThreadId()] = total;
}
#endif

}  // namespace rocforge::port
