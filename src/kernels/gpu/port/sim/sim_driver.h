// The sim port as a GPU driver: the same table of functions, host memory for device memory, fibers
// for threads. What runs on a card runs on it unchanged, so that launchers and executors are tested
// without one.
#pragma once

#include <cstdint>
#include <memory>

#include "device/gpu/driver.h"

namespace rocforge::port::sim {

// One device with waves of `wave_size` (32 or 64) lanes and architecture "sim32" or "sim64"; the
// one with waves of 32 is an integrated device, so that both ways of loading are tested. Memory
// starts as 0xA5 bytes; work runs when it is enqueued. Modules ignore their image: kernels are
// those that were linked into the program.
std::shared_ptr<const gpu::Driver> SimDriver(uint32_t wave_size);

// What a block's SharedLarge may take from now on, on every device; all that SharedLarge can give
// at first.
void SetSharedLimit(uint32_t bytes);
inline constexpr uint32_t kMostSharedBytes = 224 << 10;

// Why the last launch in this thread failed; its error code is all that the table can carry.
const Status& LastLaunchError();

}  // namespace rocforge::port::sim
