// A layer's cache as the kernels' arguments name it.
#pragma once

#include "kernels/gpu/ops/kv_cache_args.h"
#include "kernels/op/kv_page.h"

namespace rocforge::gpu {

static_assert(kCacheBlock == op::kKvBlock);

inline uint32_t CacheType(DType type) {
  return type == DType::kQ8_0 ? kCacheQ8 : type == DType::kF16 ? kCacheF16 : kCacheF32;
}

inline CachePlane PlaneOf(const op::KvLayer& kv, int32_t head_dim) {
  return {static_cast<uint32_t>(op::KvPlaneBytes(kv.dtype, kv.page_size, head_dim)),
          static_cast<uint32_t>(op::KvScalesOffset(kv.page_size, head_dim))};
}

}  // namespace rocforge::gpu
