// Arguments of the kernel that notes a device's clock between ops, and the ring that it writes.
#pragma once

#include <stdint.h>

namespace rocforge::gpu {

struct OpStamp {
  uint64_t clock;  // port Clock()
  uint64_t id;     // of OpStampArgs
};

struct OpStampArgs {
  OpStamp* ring;    // [capacity]
  uint64_t* count;  // stamps written since it was 0; the next goes to ring[count % capacity]
  uint32_t capacity;
  uint32_t id;
};

}  // namespace rocforge::gpu
