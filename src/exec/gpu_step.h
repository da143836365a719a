// The arrays of a step in device memory: one pinned block that mirrors them, and one copy a step.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "device/gpu/device.h"
#include "exec/draw_token.h"
#include "graph/plan.h"
#include "kernels/gpu/launch/bound_op.h"
#include "kernels/op/step.h"
#include "rocforge/status.h"

namespace rocforge::exec {

// Addresses stay the same for the life of the object, so that captured graphs find each step's
// data. Movable.
class GpuStep {
 public:
  // Room for steps of `limits` with at most max_sequences sequences and draws, and page tables of
  // page_table_stride entries.
  static Result<GpuStep> Create(const std::shared_ptr<const gpu::Device>& device,
                                const graph::PlanLimits& limits, int32_t max_sequences,
                                int32_t page_table_stride);
  GpuStep() = default;

  const gpu::DeviceStep& device() const { return device_step_; }
  int64_t bytes() const { return device_.bytes(); }
  gpu::DevicePtr draws() const { return device_.ptr() + at_.draws * sizeof(int32_t); }

  // Lays the step out in the pinned block and enqueues its copy. The stream must have finished the
  // copy of the step before. kInvalidArgument if the step does not fit.
  Status Upload(const op::Step& step, std::span<const TokenDraw> draws, const gpu::Stream& stream);

  // What grids depend on. max_kv_len is rounded up, at most by a quarter, so that a growing context
  // seldom makes a new shape.
  gpu::StepShape ShapeOf(const op::Step& step, int32_t page_size) const;

 private:
  // First element of each array, in int32_t.
  struct Offsets {
    size_t token_ids = 0, positions = 0, seq_of_token = 0, kv_slots = 0, output_rows = 0,
           seq_begin = 0, kv_len = 0, draws = 0, page_table = 0, end = 0;
  };
  gpu::PinnedBuffer pinned_;
  gpu::Buffer device_;
  gpu::DeviceStep device_step_;
  graph::PlanLimits limits_;
  int32_t max_sequences_ = 0;
  Offsets at_;
};

// The row count of a plan as launchers take it.
gpu::RowCount ToRowCount(const graph::Rows& rows);

// `length` rounded up to a multiple of an eighth of the power of two below it, at least of 256, at
// most `limit`.
int32_t KvLengthBucket(int32_t length, int32_t limit);

}  // namespace rocforge::exec
