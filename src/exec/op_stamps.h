// Times of a GPU's ops by the device's own clock: a kernel of one wave between ops notes it in a
// ring, inside of a captured graph as well.
//
// Driver events around each op measure the way of each launch too, and cannot lie between the
// kernels of a graph at all. A stamp between two kernels costs a node of the graph (what that is,
// the object measures when it is made, and takes it off), changes neither the kernels nor their
// registers, and where launches overlap lets the next op's prefetches start as before. What it
// cannot see is what an op did before the stamp in front of it: prefetches count for nobody.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "device/gpu/device.h"
#include "kernels/gpu/launch/modules.h"
#include "rocforge/status.h"

namespace rocforge::exec {

class OpStamps {
 public:
  struct Stamp {
    int64_t time_ns = 0;  // since some moment of the device
    uint32_t id = 0;
  };

  // Room for `capacity` stamps between two calls of Read. Measures clock and cost of a stamp, which
  // takes some 30 ms.
  static Result<OpStamps> Create(const std::shared_ptr<const gpu::Device>& device,
                                 const gpu::Modules& modules, uint32_t capacity);
  OpStamps() = default;

  // Enqueues a stamp; may be captured.
  Status Enqueue(const gpu::Stream& stream, uint32_t id) const;
  // The stamps since the last call, oldest first; waits for the stream. At most `capacity`, the
  // newest ones.
  Status Read(const gpu::Stream& stream, std::vector<Stamp>* stamps);

  // From one stamp to the next with nothing between.
  int64_t cost_ns() const { return cost_ns_; }

 private:
  Status Calibrate(const gpu::Stream& stream);
  Status MeasureCost(const gpu::Stream& stream);

  std::shared_ptr<const gpu::Device> device_;
  gpu::Kernel kernel_;
  gpu::Buffer ring_;
  gpu::Buffer count_;
  gpu::PinnedBuffer host_;
  uint32_t capacity_ = 0;
  bool overlap_ = false;
  uint64_t n_read_ = 0;
  double ns_per_tick_ = 1;
  int64_t cost_ns_ = 0;
};

}  // namespace rocforge::exec
