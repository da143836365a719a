// Arguments of the kernel that measures how fast memory can be read.
#pragma once

#include <stdint.h>

namespace rocforge::gpu {

struct MemoryReadArgs {
  const void* data;   // 16-byte aligned
  uint64_t n_chunks;  // of 16 bytes
  uint32_t* out;      // one word a wave of the grid: the exclusive-or of the words that it read
};

}  // namespace rocforge::gpu
