// Reads memory and does as little else as can be: the ceiling that other kernels are compared with.
//   16 bytes a lane and load, kInFlight loads before the first use; the grid walks over the data.
//   Nothing is read before the launches before this one have ended, so that launches in a row show
//   what reading costs where each depends on the one before.
#include "kernels/gpu/ops/memory_read_args.h"
#include "kernels/gpu/port/port.h"

namespace rocforge::port {
namespace {

constexpr uint64_t kInFlight = 8;

}  // namespace

RF_KERNEL(memory_read, gpu::MemoryReadArgs, 256) {
  AwaitPrevious();
  LetNextStart();
  const U32x4* data = static_cast<const U32x4*>(args.data);
  const uint64_t stride = static_cast<uint64_t>(GridDim()) * BlockDim();
  uint64_t i = static_cast<uint64_t>(BlockId()) * BlockDim() + ThreadId();
  uint32_t sum = 0;
  for (; i + (kInFlight - 1) * stride < args.n_chunks; i += kInFlight * stride) {
    U32x4 v[kInFlight];
#pragma unroll
    for (uint64_t k = 0; k < kInFlight; ++k) v[k] = LoadStream(data + i + k * stride);
#pragma unroll
    for (uint64_t k = 0; k < kInFlight; ++k) sum ^= v[k].x ^ v[k].y ^ v[k].z ^ v[k].w;
  }
  for (; i < args.n_chunks; i += stride) {
    const U32x4 v = LoadStream(data + i);
    sum ^= v.x ^ v.y ^ v.z ^ v.w;
  }
  for (uint32_t mask = kWaveSize / 2; mask > 0; mask /= 2) sum ^= ShuffleXor(sum, mask);
  if (LaneId() == 0) args.out[BlockId() * (BlockDim() / kWaveSize) + WaveId()] = sum;
}

}  // namespace rocforge::port
