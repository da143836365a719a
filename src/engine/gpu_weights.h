// The weights of a model in GPU memory: where each lies, and how it gets there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "device/gpu/device.h"
#include "graph/graph.h"
#include "kernels/op/call.h"
#include "rocforge/status.h"

namespace rocforge::engine {

// One allocation for all weights that the graph uses, packed as kernels/gpu/layout/weights.h says.
// Weights that two values share are stored once. A GPU that shares the host's memory reads them
// where the host packed them: pinned memory, nothing staged and nothing copied.
class GpuWeights {
 public:
  // Decides the layout; allocates nothing. `sources`, by Graph::weights index, must outlive the
  // object. kUnsupported names the first tensor whose type the GPU kernels cannot read.
  static Result<GpuWeights> Plan(const graph::Graph& graph,
                                 std::span<const std::byte* const> sources);

  int64_t bytes() const { return bytes_; }

  // Whether they should lie in host memory: the GPU is integrated, and this machine has as much
  // to give. Where an APU was assigned most of the memory at boot, the host may not. Free memory
  // changes: ask once.
  bool WantsHostMemory(const gpu::Device& device) const;

  // In host memory where asked for, in device memory else and where the driver refuses that.
  // kResourceExhausted with the bytes.
  Status Allocate(const std::shared_ptr<const gpu::Device>& device, bool in_host_memory);

  // Valid after Allocate: the weights lie in the host's memory.
  bool in_host_memory() const { return mapped_.device_ptr() != 0; }

  // By Graph::weights index, valid after Allocate; 0 for weights that no node reads.
  std::vector<gpu::DevicePtr> Addresses() const;

  // Packs (and copies) the vectors (norms, biases, RoPE factors), which binding may read.
  Status UploadVectors(ThreadPool& pool);
  // The rest. While the device fetches one stretch, the pool packs the next and the system reads
  // the file behind it. `progress` gets the share done, in (0, 1].
  Status UploadMatrices(ThreadPool& pool, const std::function<void(double)>& progress);

 private:
  struct Slot {
    op::TensorDesc desc;
    const std::byte* source = nullptr;
    int64_t offset = 0;
    int64_t packed_bytes = 0;
    int64_t rows() const { return desc.outer * desc.rows; }
  };
  gpu::DevicePtr base() const { return in_host_memory() ? mapped_.device_ptr() : memory_.ptr(); }
  Status Upload(bool vectors, ThreadPool& pool, const std::function<void(double)>& progress);

  std::vector<Slot> slots_;
  std::vector<int32_t> slot_of_weight_;  // -1: unused
  int64_t bytes_ = 0;
  std::shared_ptr<const gpu::Device> device_;
  gpu::Buffer memory_;  // or
  gpu::PinnedBuffer mapped_;
};

}  // namespace rocforge::engine
