// The memory behind the KV pages of all layers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "device/gpu/device.h"
#include "graph/graph.h"
#include "kernels/op/step.h"
#include "rocforge/status.h"

namespace rocforge::engine {

// Bytes that the pages of all layers take.
int64_t KvBytes(std::span<const graph::KvSpec> layers, DType type, int32_t n_pages,
                int32_t page_size);

class KvMemory {
 public:
  // In the host's memory: one anonymous mapping; the system hands out its memory page by page on
  // first use, so that an unused part of a long context costs address space only.
  // kResourceExhausted with the bytes asked for and the machine's memory when it cannot fit.
  static Result<KvMemory> Allocate(std::span<const graph::KvSpec> layers, DType type,
                                   int32_t n_pages, int32_t page_size);
  // In GPU memory, all of it at once, filled with zeros. kResourceExhausted with the bytes.
  static Result<KvMemory> AllocateOnGpu(const std::shared_ptr<const gpu::Device>& device,
                                        std::span<const graph::KvSpec> layers, DType type,
                                        int32_t n_pages, int32_t page_size);

  KvMemory() = default;
  KvMemory(KvMemory&& other) noexcept;
  KvMemory& operator=(KvMemory&& other) noexcept;
  KvMemory(const KvMemory&) = delete;
  KvMemory& operator=(const KvMemory&) = delete;
  ~KvMemory();

  // Addresses of the host or of the device, as it was allocated.
  const std::vector<op::KvLayer>& layers() const { return layers_; }
  int64_t bytes() const { return bytes_; }

 private:
  void Place(std::span<const graph::KvSpec> layers, DType type, int32_t n_pages, int32_t page_size,
             std::byte* at);

  std::byte* data_ = nullptr;  // the mapping, if it is on the host
  int64_t bytes_ = 0;
  gpu::Buffer device_;  // if it is on a GPU
  std::vector<op::KvLayer> layers_;
};

}  // namespace rocforge::engine
