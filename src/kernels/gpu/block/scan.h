// Prefix sums and maxima over the threads of a block.
#pragma once

#include "kernels/gpu/block/reduce.h"

namespace rocforge::port {

// The sum of v over the lanes up to and with this one; T: float or uint32_t. The order of the
// additions is always the same.
template <typename T>
RF_DEVICE T WaveScan(T v) {
  for (uint32_t distance = 1; distance < kWaveSize; distance *= 2) {
    const T other = Shuffle(v, LaneId() >= distance ? LaneId() - distance : LaneId());
    if (LaneId() >= distance) v += other;
  }
  return v;
}

RF_DEVICE uint32_t WaveMaxOfWords(uint32_t v) {
  for (uint32_t mask = kWaveSize / 2; mask > 0; mask /= 2) {
    const uint32_t other = ShuffleXor(v, mask);
    v = v > other ? v : other;
  }
  return v;
}

// The same over threads. Ends with a barrier of shared memory, as BlockSum.
template <typename T>
RF_DEVICE T BlockScan(T v, BlockReduceShared& shared) {
  v = WaveScan(v);
  if (LaneId() == kWaveSize - 1) shared.partial[WaveId()] = BitCast<float>(v);
  SharedBarrier();
  T before = 0;
  for (uint32_t i = 0; i < WaveId(); ++i) before += BitCast<T>(shared.partial[i]);
  SharedBarrier();
  return before + v;
}

// The largest v, in every thread. Ends with a barrier of shared memory.
RF_DEVICE uint32_t BlockMax(uint32_t v, BlockReduceShared& shared) {
  v = WaveMaxOfWords(v);
  if (LaneId() == 0) shared.partial[WaveId()] = BitCast<float>(v);
  SharedBarrier();
  const uint32_t n_waves = BlockDim() / kWaveSize;
  for (uint32_t i = 0; i < n_waves; ++i) {
    const uint32_t other = BitCast<uint32_t>(shared.partial[i]);
    v = v > other ? v : other;
  }
  SharedBarrier();
  return v;
}

}  // namespace rocforge::port
