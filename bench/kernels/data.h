// Operands that benchmarks run on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/op/call.h"

namespace rocforge::bench {

// desc.outer * desc.rows rows of random blocks whose values are finite and neither huge nor tiny.
// At most 1024 blocks differ, which is enough to time and quick to make. The same for the same
// description.
std::vector<std::byte> RandomRows(const op::TensorDesc& desc);

// What copies of an operand should add up to so that they do not stay in caches of `cache_bytes`.
int64_t RotationBytes(int64_t cache_bytes);
// All last-level caches of this machine together; 0 if unknown.
int64_t LastLevelCacheBytes();

// Copies of `bytes` that make a rotation: at least 2, at most 1024.
int64_t CopiesOf(int64_t bytes, int64_t rotation_bytes);

}  // namespace rocforge::bench
