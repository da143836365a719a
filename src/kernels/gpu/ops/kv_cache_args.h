// The KV cache as kernels see it; kernels/op/kv_page.h says how its planes lie in memory.
#pragma once

#include <stdint.h>

namespace rocforge::gpu {

// Types of the cache, as the kernels number them.
inline constexpr uint32_t kCacheF32 = 0;
inline constexpr uint32_t kCacheF16 = 1;
inline constexpr uint32_t kCacheQ8 = 2;

inline constexpr uint32_t kCacheBlock = 32;  // columns that share a scale of kCacheQ8

// The positions of one head in one page, for the keys or the values of a layer.
struct CachePlane {
  uint32_t bytes;   // from one plane to the next
  uint32_t scales;  // kCacheQ8: where its scales begin
};

}  // namespace rocforge::gpu
