// Reductions over the lanes of a wave by butterflies: every lane gets the result, and the order of
// the additions is the same on every device with the same wave size.
#pragma once

#include "kernels/gpu/port/port.h"

namespace rocforge::port {

RF_DEVICE float WaveSum(float v) {
  for (uint32_t mask = kWaveSize / 2; mask > 0; mask /= 2) v += ShuffleXor(v, mask);
  return v;
}

RF_DEVICE float WaveMax(float v) {
  for (uint32_t mask = kWaveSize / 2; mask > 0; mask /= 2) {
    const float other = ShuffleXor(v, mask);
    v = v > other ? v : other;
  }
  return v;
}

}  // namespace rocforge::port
