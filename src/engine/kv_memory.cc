#include "engine/kv_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <utility>

#include "base/format.h"
#include "base/round_up.h"
#include "kernels/op/kv_page.h"

namespace rocforge::engine {
namespace {

constexpr int64_t kPlaneAlignment = 64;

int64_t PhysicalMemoryBytes() {
  return int64_t{::sysconf(_SC_PHYS_PAGES)} * ::sysconf(_SC_PAGE_SIZE);
}

struct LayerBytes {
  int64_t k;
  int64_t v;
};

LayerBytes BytesOf(const graph::KvSpec& spec, DType type, int64_t n_pages, int64_t page_size) {
  const int64_t planes = n_pages * spec.n_kv_heads;
  return {RoundUp(planes * op::KvPlaneBytes(type, page_size, spec.head_dim_k), kPlaneAlignment),
          RoundUp(planes * op::KvPlaneBytes(type, page_size, spec.head_dim_v), kPlaneAlignment)};
}

}  // namespace

int64_t KvBytes(std::span<const graph::KvSpec> layers, DType type, int32_t n_pages,
                int32_t page_size) {
  int64_t total = 0;
  for (const graph::KvSpec& spec : layers) {
    const LayerBytes bytes = BytesOf(spec, type, n_pages, page_size);
    total += bytes.k + bytes.v;
  }
  return total;
}

void KvMemory::Place(std::span<const graph::KvSpec> layers, DType type, int32_t n_pages,
                     int32_t page_size, std::byte* at) {
  for (const graph::KvSpec& spec : layers) {
    const LayerBytes bytes = BytesOf(spec, type, n_pages, page_size);
    layers_.push_back(
        {at, at + bytes.k, type, page_size, spec.n_kv_heads, spec.head_dim_k, spec.head_dim_v});
    at += bytes.k + bytes.v;
  }
}

Result<KvMemory> KvMemory::Allocate(std::span<const graph::KvSpec> layers, DType type,
                                    int32_t n_pages, int32_t page_size) {
  const int64_t positions = int64_t{n_pages} * page_size;
  const int64_t total = KvBytes(layers, type, n_pages, page_size);
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
  kv.Place(layers, type, n_pages, page_size, kv.data_);
  return kv;
}

Result<KvMemory> KvMemory::AllocateOnGpu(const std::shared_ptr<const gpu::Device>& device,
                                         std::span<const graph::KvSpec> layers, DType type,
                                         int32_t n_pages, int32_t page_size) {
  KvMemory kv;
  kv.bytes_ = KvBytes(layers, type, n_pages, page_size);
  if (kv.bytes_ == 0) return kv;
  Result<gpu::Buffer> memory = gpu::Buffer::Allocate(device, kv.bytes_);
  if (!memory.ok()) return memory.status().WithContext("KV cache (a smaller --ctx needs less)");
  kv.device_ = std::move(*memory);
  // No kernel reads positions that were not written, but a NaN left there by somebody else would
  // survive a multiplication by zero.
  ROCFORGE_ASSIGN_OR_RETURN(const gpu::Stream stream, gpu::Stream::Create(device));
  ROCFORGE_RETURN_IF_ERROR(stream.Fill(kv.device_.ptr(), 0, kv.bytes_));
  ROCFORGE_RETURN_IF_ERROR(stream.Synchronize());
  kv.Place(layers, type, n_pages, page_size,
           reinterpret_cast<std::byte*>(static_cast<uintptr_t>(kv.device_.ptr())));
  return kv;
}

KvMemory::KvMemory(KvMemory&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      bytes_(std::exchange(other.bytes_, 0)),
      device_(std::move(other.device_)),
      layers_(std::move(other.layers_)) {}

KvMemory& KvMemory::operator=(KvMemory&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  std::swap(device_, other.device_);
  std::swap(layers_, other.layers_);
  return *this;
}

KvMemory::~KvMemory() {
  if (data_ != nullptr) ::munmap(data_, static_cast<size_t>(bytes_));
}

}  // namespace rocforge::engine
