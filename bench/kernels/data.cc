#include "bench/kernels/data.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>

#include "base/cpu_info.h"
#include "quant/quant.h"

namespace rocforge::bench {
namespace {

constexpr int64_t kDistinctBlocks = 1024;
constexpr float kLargest = 4.0f;
constexpr float kSmallestLargest = 1e-3f;
constexpr int kTries = 1000;

// A block of random bytes has a random scale: try until it is of a useful size.
void RandomBlock(const DTypeInfo& info, std::mt19937& random, std::byte* block) {
  std::vector<float> values(static_cast<size_t>(info.block_elements));
  for (int tries = 0; tries < kTries; ++tries) {
    for (int32_t i = 0; i < info.block_bytes; ++i) block[i] = static_cast<std::byte>(random());
    quant::Decoder(info.type)(block, values.data(), info.block_elements);
    float largest = 0;
    for (const float v : values)
      largest = std::isfinite(v) ? std::max(largest, std::abs(v)) : 1e30f;
    if (largest <= kLargest && largest >= kSmallestLargest) return;
  }
}

}  // namespace

std::vector<std::byte> RandomRows(const op::TensorDesc& desc) {
  const DTypeInfo& info = Info(desc.dtype);
  std::vector<std::byte> bytes(static_cast<size_t>(desc.bytes()));
  const int64_t blocks = desc.bytes() / info.block_bytes;
  const int64_t distinct = std::min(blocks, kDistinctBlocks);
  std::mt19937 random(1);
  for (int64_t b = 0; b < distinct; ++b) RandomBlock(info, random, &bytes[b * info.block_bytes]);
  const int64_t pattern = distinct * info.block_bytes;
  for (int64_t at = pattern; at < desc.bytes(); at += pattern) {
    std::memcpy(&bytes[at], bytes.data(),
                static_cast<size_t>(std::min(pattern, desc.bytes() - at)));
  }
  return bytes;
}

int64_t RotationBytes(int64_t cache_bytes) {
  return std::clamp<int64_t>(3 * cache_bytes, int64_t{64} << 20, int64_t{1} << 30);
}

int64_t LastLevelCacheBytes() {
  int level = 0;
  int64_t bytes = 0;
  for (const CacheInfo& cache : ReadCpuInfo().caches) {
    if (cache.type == "instruction" || cache.level < level) continue;
    level = cache.level;
    bytes = static_cast<int64_t>(cache.bytes) * std::max(cache.instances, 1);
  }
  return bytes;
}

int64_t CopiesOf(int64_t bytes, int64_t rotation_bytes) {
  return std::clamp<int64_t>((rotation_bytes + bytes - 1) / std::max<int64_t>(bytes, 1), 2, 1024);
}

}  // namespace rocforge::bench
