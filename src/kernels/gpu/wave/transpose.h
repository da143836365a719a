// Sums of many values over a group of lanes at once: each lane ends with the sums of some of them.
#pragma once

#include "kernels/gpu/port/port.h"

namespace rocforge::port {

// How kCount values of each lane are spread over groups of kLanes consecutive lanes once they are
// summed. kCount and kLanes are powers of two.
template <uint32_t kCount, uint32_t kLanes>
struct Spread {
  // Sums that a lane holds, in values[0 .. kHeld).
  static constexpr uint32_t kHeld = kCount > kLanes ? kCount / kLanes : 1;
  // With fewer values than lanes, so many neighbouring lanes hold the same sum.
  static constexpr uint32_t kCopies = kCount < kLanes ? kLanes / kCount : 1;

  // The value whose sum is in values[j] of a lane of the group.
  static constexpr uint32_t ValueOf(uint32_t lane_in_group, uint32_t j) {
    return lane_in_group / kCopies * kHeld + j;
  }
  // Where the sum of a value is.
  static constexpr uint32_t LaneOf(uint32_t value) { return value / kHeld * kCopies; }
  static constexpr uint32_t SlotOf(uint32_t value) { return value % kHeld; }
};

// One exchange with the lanes that differ in kMask; kHeld values of each lane are still sums of
// fewer lanes than a group. A template and no loop, so that every index is a constant and the
// values stay in registers.
template <uint32_t kHeld, uint32_t kMask, uint32_t kCount>
RF_DEVICE void SumSpreadStep(float (&values)[kCount]) {
  if constexpr (kMask == 0) {
    return;
  } else if constexpr (kHeld == 1) {
    values[0] += ShuffleXor(values[0], kMask);
    SumSpreadStep<1, kMask / 2>(values);
  } else {
    const bool upper = (LaneId() & kMask) != 0;
#pragma unroll
    for (uint32_t i = 0; i < kHeld / 2; ++i) {
      // Values first, then the choice: a choice between two elements would become an address.
      const float low = values[i];
      const float high = values[i + kHeld / 2];
      values[i] = (upper ? high : low) + ShuffleXor(upper ? low : high, kMask);
    }
    SumSpreadStep<kHeld / 2, kMask / 2>(values);
  }
}

// Sums values[i] over the lanes of each group; the results lie as Spread says, the rest of
// `values` is undefined. A butterfly that halves the values with every exchange: kCount - 1
// exchanges where kCount == kLanes, instead of kCount * log2(kLanes).
template <uint32_t kLanes, uint32_t kCount>
RF_DEVICE void SumSpread(float (&values)[kCount]) {
  static_assert((kCount & (kCount - 1)) == 0 && (kLanes & (kLanes - 1)) == 0);
  static_assert(kLanes <= kWaveSize);
  SumSpreadStep<kCount, kLanes / 2>(values);
}

}  // namespace rocforge::port
