// The memory behind the KV pages of all layers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "graph/graph.h"
#include "kernels/op/step.h"
#include "rocforge/status.h"

namespace rocforge::engine {

// One anonymous mapping; the system hands out its memory page by page on first use, so that an
// unused part of a long context costs address space only.
class KvMemory {
 public:
  // kResourceExhausted with the bytes asked for and the machine's memory when it cannot fit.
  static Result<KvMemory> Allocate(std::span<const graph::KvSpec> layers, DType type,
                                   int32_t n_pages, int32_t page_size);

  KvMemory() = default;
  KvMemory(KvMemory&& other) noexcept;
  KvMemory& operator=(KvMemory&& other) noexcept;
  KvMemory(const KvMemory&) = delete;
  KvMemory& operator=(const KvMemory&) = delete;
  ~KvMemory();

  const std::vector<op::KvLayer>& layers() const { return layers_; }
  int64_t bytes() const { return bytes_; }

 private:
  std::byte* data_ = nullptr;
  int64_t bytes_ = 0;
  std::vector<op::KvLayer> layers_;
};

}  // namespace rocforge::engine
