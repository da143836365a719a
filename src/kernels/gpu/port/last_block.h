// IsLastBlock (port.h) of ports whose fences order only what the fencing thread itself wrote: every
// thread fences.
#pragma once

namespace rocforge::port {

RF_DEVICE bool IsLastBlock(uint32_t* counter, uint32_t n_blocks, uint32_t& shared) {
  DeviceFence();
  BlockBarrier();
  if (ThreadId() == 0) {
    shared = AtomicAdd(counter, 1u) == n_blocks - 1 ? 1 : 0;
    if (shared != 0) StoreRelease(counter, 0);
  }
  BlockBarrier();
  const bool last = shared != 0;
  if (last) DeviceFence();
  return last;
}

}  // namespace rocforge::port
