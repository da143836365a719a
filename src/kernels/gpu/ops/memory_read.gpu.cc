// Reads memory and does as little else as can be: the ceiling that other kernels are compared with.
//   16 bytes a lane and load, kInFlight loads before the first use; the grid walks over the data.
//   Launches that overlap read ahead as products do: a thread's first loads are on their way before
//   the launch before this one has ended.
#include "kernels/gpu/ops/memory_read_args.h"
#include "kernels/gpu/port/port.h"

namespace rocforge::port {
namespace {

constexpr uint64_t kInFlight = 8;

}  // namespace

RF_KERNEL(memory_read, gpu::MemoryReadArgs, 256) {
  const U32x4* data = static_cast<const U32x4*>(args.data);
  const uint64_t stride = static_cast<uint64_t>(GridDim()) * BlockDim();
  uint64_t i = static_cast<uint64_t>(BlockId()) * BlockDim() + ThreadId();
  uint32_t sum = 0;
  bool first = true;
  for (; i + (kInFlight - 1) * stride < args.n_chunks; i += kInFlight * stride) {
    U32x4 v[kInFlight];
#pragma unroll
    for (uint64_t k = 0; k < kInFlight; ++k) v[k] = LoadStream(data + i + k * stride);
    if (first) {
      AwaitPrevious();
      LetNextStart();
      first = false;
    }
#pragma unroll
    for (uint64_t k = 0; k < kInFlight; ++k) sum ^= v[k].x ^ v[k].y ^ v[k].z ^ v[k].w;
  }
  if (i < args.n_chunks) {
    U32x4 v[kInFlight];
#pragma unroll
    for (uint64_t k = 0; k < kInFlight; ++k) {
      v[k] = {0, 0, 0, 0};
      if (i + k * stride < args.n_chunks) v[k] = LoadStream(data + i + k * stride);
    }
    if (first) {
      AwaitPrevious();
      LetNextStart();
      first = false;
    }
#pragma unroll
    for (uint64_t k = 0; k < kInFlight; ++k) sum ^= v[k].x ^ v[k].y ^ v[k].z ^ v[k].w;
  }
  if (first) {
    AwaitPrevious();
    LetNextStart();
  }
  for (uint32_t mask = kWaveSize / 2; mask > 0; mask /= 2) sum ^= ShuffleXor(sum, mask);
  if (LaneId() == 0) args.out[BlockId() * (BlockDim() / kWaveSize) + WaveId()] = sum;
}

}  // namespace rocforge::port
