// The arrays of a step in device memory: one pinned block that mirrors them, and one copy a step.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "device/gpu/device.h"
#include "exec/executor.h"
#include "graph/plan.h"
#include "kernels/gpu/launch/bound_op.h"
#include "kernels/op/step.h"
#include "rocforge/status.h"

namespace rocforge::exec {

// Where the device finds a step's Choice.
struct DeviceChoice {
  gpu::DevicePtr draws = 0;       // [rows] TokenDraw
  gpu::DevicePtr edits = 0;       // LogitEdit, those of the first row first
  gpu::DevicePtr edit_begin = 0;  // [rows * 3 + 1] uint32_t: where in them each list begins
};

// Addresses stay the same for the life of the object, so that captured graphs find each step's
// data. Movable.
class GpuStep {
 public:
  // Room for steps of `limits` with at most max_sequences sequences, draws and rows with edits, and
  // page tables of page_table_stride entries.
  static Result<GpuStep> Create(const std::shared_ptr<const gpu::Device>& device,
                                const graph::PlanLimits& limits, int32_t max_sequences,
                                int32_t page_table_stride);
  GpuStep() = default;
  // Device memory that it takes.
  static int64_t DeviceBytes(const graph::PlanLimits& limits, int32_t max_sequences,
                             int32_t page_table_stride);

  const gpu::DeviceStep& device() const { return device_step_; }
  int64_t bytes() const { return device_.bytes(); }
  DeviceChoice choice() const {
    return {AddressOf(at_.draws), AddressOf(at_.edits), AddressOf(at_.edit_begin)};
  }

  // Lays the step out in the pinned block and enqueues its copy. The stream must have finished the
  // copy of the step before. kInvalidArgument if the step does not fit.
  // Edits are copied where there are any; they come last.
  Status Upload(const op::Step& step, const Choice& choice, const gpu::Stream& stream);

  // What grids depend on. max_kv_len is rounded up, at most by a quarter, so that a growing context
  // seldom makes a new shape.
  gpu::StepShape ShapeOf(const op::Step& step, int32_t page_size) const;

 private:
  // First element of each array, in int32_t.
  struct Offsets {
    size_t token_ids = 0, positions = 0, seq_of_token = 0, kv_slots = 0, output_rows = 0,
           seq_begin = 0, kv_len = 0, draws = 0, page_table = 0, edit_begin = 0, edits = 0, end = 0;
  };
  static Offsets OffsetsOf(const graph::PlanLimits& limits, int32_t max_sequences,
                           int32_t page_table_stride);
  gpu::DevicePtr AddressOf(size_t at) const { return device_.ptr() + at * sizeof(int32_t); }
  // Lays them out; the end of what they use.
  size_t PlaceEdits(std::span<const EditLists> rows);
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
