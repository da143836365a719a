#include "engine/kv_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <utility>

#include "base/format.h"

namespace rocforge::engine {
namespace {

int64_t AlignUp(int64_t bytes) { return (bytes + 63) / 64 * 64; }

int64_t PhysicalMemoryBytes() {
  return int64_t{::sysconf(_SC_PHYS_PAGES)} * ::sysconf(_SC_PAGE_SIZE);
}

}  // namespace

Result<KvMemory> KvMemory::Allocate(std::span<const graph::KvSpec> layers, DType type,
                                    int32_t n_pages, int32_t page_size) {
  const int64_t element_bytes = Info(type).block_bytes;
  const int64_t positions = int64_t{n_pages} * page_size;
  std::vector<std::pair<int64_t, int64_t>> sizes;
  int64_t total = 0;
  for (const graph::KvSpec& spec : layers) {
    const int64_t k = AlignUp(positions * spec.n_kv_heads * spec.head_dim_k * element_bytes);
    const int64_t v = AlignUp(positions * spec.n_kv_heads * spec.head_dim_v * element_bytes);
    sizes.emplace_back(k, v);
    total += k + v;
  }
  const int64_t memory = PhysicalMemoryBytes();
  if (total > memory) {
    return ResourceExhausted(
        Format("the KV cache of {} tokens takes {}, and this machine has {}; use a smaller --ctx",
               positions, FormatBytes(static_cast<uint64_t>(total)),
               FormatBytes(static_cast<uint64_t>(memory))));
  }
  KvMemory kv;
  if (total == 0) return kv;
  void* data = ::mmap(nullptr, static_cast<size_t>(total), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (data == MAP_FAILED) {
    return ResourceExhausted(
        Format("the system refuses {} for the KV cache of {} tokens; use a smaller --ctx",
               FormatBytes(static_cast<uint64_t>(total)), positions));
  }
  kv.data_ = static_cast<std::byte*>(data);
  kv.bytes_ = total;
  std::byte* at = kv.data_;
  for (size_t i = 0; i < layers.size(); ++i) {
    const graph::KvSpec& spec = layers[i];
    kv.layers_.push_back({at, at + sizes[i].first, type, page_size, spec.n_kv_heads,
                          spec.head_dim_k, spec.head_dim_v});
    at += sizes[i].first + sizes[i].second;
  }
  return kv;
}

KvMemory::KvMemory(KvMemory&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      bytes_(std::exchange(other.bytes_, 0)),
      layers_(std::move(other.layers_)) {}

KvMemory& KvMemory::operator=(KvMemory&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  std::swap(layers_, other.layers_);
  return *this;
}

KvMemory::~KvMemory() {
  if (data_ != nullptr) ::munmap(data_, static_cast<size_t>(bytes_));
}

}  // namespace rocforge::engine
