// Reductions over the threads of a block.
#pragma once

#include "kernels/gpu/wave/reduce.h"

namespace rocforge::port {

inline constexpr uint32_t kMaxWavesPerBlock = 32;

// Part of a kernel's shared object.
struct BlockReduceShared {
  float partial[kMaxWavesPerBlock];
};

// The sum over all threads in two parts, between which the caller has a barrier: each wave's sum
// into `shared`, and the sum of those, in every thread.
RF_DEVICE void PutWaveSum(float v, BlockReduceShared& shared) {
  v = WaveSum(v);
  if (LaneId() == 0) shared.partial[WaveId()] = v;
}
RF_DEVICE float SumOfWaves(const BlockReduceShared& shared) {
  return WaveSum(LaneId() < BlockDim() / kWaveSize ? shared.partial[LaneId()] : 0.0f);
}

// The sum over all threads, in every thread. Ends with a barrier of shared memory, so that `shared`
// may be used again at once.
RF_DEVICE float BlockSum(float v, BlockReduceShared& shared) {
  PutWaveSum(v, shared);
  SharedBarrier();
  const uint32_t n_waves = BlockDim() / kWaveSize;
  float sum = 0.0f;
  for (uint32_t i = 0; i < n_waves; ++i) sum += shared.partial[i];
  SharedBarrier();
  return sum;
}

}  // namespace rocforge::port
