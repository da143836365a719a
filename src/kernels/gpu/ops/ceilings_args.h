// Arguments of the kernels that measure what a device can do at best (launch/ceilings.h).
#pragma once

#include <stdint.h>

namespace rocforge::gpu {

struct CeilingWriteArgs {
  void* data;         // 16-byte aligned
  uint64_t n_chunks;  // of 16 bytes
  uint32_t word;      // what every word becomes
};

struct CeilingCopyArgs {
  void* to;  // both 16-byte aligned
  const void* from;
  uint64_t n_chunks;  // of 16 bytes
};

struct CeilingEmptyArgs {
  uint32_t unused;
};

// Independent chains of dot products that a thread carries.
inline constexpr uint32_t kCeilingDots = 8;
struct CeilingDotArgs {
  int32_t* out;  // one word a thread of the grid: the sum of its chains
  uint32_t iterations;
  int32_t a, b;  // four bytes each; every step adds their dot product to each chain
};

// Independent products that a wave carries.
inline constexpr uint32_t kCeilingTiles = 4;
struct CeilingTileArgs {
  float* out;  // one number a thread of the grid: the sum of its values
  uint32_t iterations;
};
inline constexpr uint32_t kCeilingTileBlock = 256;

// By warpgroups: products of [64, 64] by [256, 64] from shared memory.
inline constexpr uint32_t kCeilingWarpgroupColumns = 256;
inline constexpr uint32_t kCeilingWarpgroups = 2;
// Bytes of shared memory of the launch.
inline constexpr uint32_t kCeilingWarpgroupShared = (64 + 256) * 64 * 2;

}  // namespace rocforge::gpu
