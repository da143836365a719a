// A GPU as benchmarks use it: device memory with data in it, and launches timed by the driver's
// events.
//
// What is measured: launches each on their own copy of the data, captured in one graph, each
// dependent on the one before it as in a model's step; or several such chains side by side.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "device/gpu/device.h"
#include "kernels/gpu/launch/bound_op.h"
#include "kernels/gpu/launch/modules.h"
#include "kernels/op/call.h"
#include "rocforge/status.h"

namespace rocforge::bench {

using Enqueue = std::function<Status(const gpu::Stream&, size_t i)>;

// A graph of `count` launches, ready to be replayed.
class TimedGraph {
 public:
  // Runs the first launch by itself, so that its error is a readable one, then captures all: launch
  // i in chain i % chains, each chain a branch of the graph.
  static Result<TimedGraph> Capture(const std::shared_ptr<const gpu::Device>& device,
                                    const gpu::Stream& stream, size_t count, const Enqueue& enqueue,
                                    size_t chains = 1);
  // Seconds of one replay of the whole graph.
  Result<double> Replay(const gpu::Stream& stream) const;
  size_t count() const { return count_; }

 private:
  gpu::Graph graph_;
  gpu::Event begin_;
  gpu::Event end_;
  size_t count_ = 0;
};

class GpuTarget {
 public:
  // rotation_bytes: what the copies of a case add up to; 0: three times the L2, at least 64 MiB.
  static Result<GpuTarget> Create(std::shared_ptr<const gpu::Device> device,
                                  std::shared_ptr<const gpu::Modules> modules,
                                  int64_t rotation_bytes = 0);

  const std::shared_ptr<const gpu::Device>& device() const { return device_; }
  const gpu::Modules& modules() const { return *modules_; }
  const gpu::Stream& stream() const { return stream_; }
  int64_t rotation_bytes() const { return rotation_bytes_; }
  bool simulated() const;
  size_t CopiesOf(int64_t bytes) const;

  // Device memory of floats about 1 in size; of zeroes; of packed weights with valid scales.
  Result<gpu::Buffer> Floats(int64_t n) const;
  Result<gpu::Buffer> Zeroes(int64_t bytes) const;
  Result<gpu::Buffer> Weights(const op::TensorDesc& desc) const;
  Result<gpu::Buffer> Integers(std::span<const int32_t> values) const;
  // `total` bytes that repeat the given ones.
  Result<gpu::Buffer> Repeat(const void* data, int64_t bytes, int64_t total) const;
  // A context with `scratch`, which the caller keeps.
  gpu::BindContext Context(const gpu::Buffer& scratch) const;

 private:
  std::shared_ptr<const gpu::Device> device_;
  std::shared_ptr<const gpu::Modules> modules_;
  gpu::Stream stream_;
  int64_t rotation_bytes_ = 0;
};

inline void* Pointer(const gpu::Buffer& buffer) {
  return reinterpret_cast<void*>(static_cast<uintptr_t>(buffer.ptr()));
}

}  // namespace rocforge::bench
