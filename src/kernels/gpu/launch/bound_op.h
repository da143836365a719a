// From an op to launches: the GPU side of kernels/op. An op is bound once (kernels found,
// configuration chosen, constant arguments filled in) and then enqueued for every step without
// allocation. Launchers live in launch/<op>.cc, one per op.
#pragma once

#include <cstdint>
#include <memory>

#include "device/gpu/device.h"
#include "kernels/gpu/launch/modules.h"
#include "kernels/gpu/tune/tuning.h"
#include "kernels/op/call.h"
#include "rocforge/status.h"

namespace rocforge::gpu {

// The arrays of op::Step in device memory, at addresses that never change, so that a captured graph
// finds each step's data there. Sizes are for the largest step. Same meaning as in
// kernels/op/step.h.
struct DeviceStep {
  DevicePtr token_ids = 0;
  DevicePtr positions = 0;
  DevicePtr seq_of_token = 0;  // [n_tokens] the sequence that each token belongs to
  DevicePtr seq_begin = 0;
  DevicePtr kv_len = 0;
  DevicePtr page_table = 0;
  int32_t page_table_stride = 0;
  DevicePtr kv_slots = 0;
  DevicePtr output_rows = 0;
};

// What the host knows of a step and grids depend on. A captured graph serves every step of the same
// shape.
struct StepShape {
  int32_t n_tokens = 0;
  int32_t n_seqs = 0;
  int32_t n_outputs = 0;
  int32_t max_kv_len =
      0;  // upper bound of kv_len over the sequences; kernels read the real ones on the device
  // Ops that took a norm over (BoundOp::TakeNorm) normalise their input themselves, where they can
  // for this shape; the norm is then not enqueued.
  bool take_norms = false;

  bool operator==(const StepShape&) const = default;
};

// What launchers may use. Everything outlives the bound ops.
struct BindContext {
  std::shared_ptr<const Device> device;
  const Modules* modules = nullptr;
  DeviceStep step;
  // ScratchBytes(call) bytes that an op may use for the length of its launches: ops run in order on
  // one stream, so all share them. Aligned to 256.
  DevicePtr scratch = 0;
  int64_t scratch_bytes = 0;
  // Read while binding only; null: the launchers' own choices.
  const Tuning* tuning = nullptr;
};

// How many rows an op has in a step: count, count per token, or count per row of logits.
struct RowCount {
  enum class Unit : uint8_t { kConstant, kToken, kOutput };
  Unit unit = Unit::kConstant;
  int64_t count = 0;

  int64_t At(const StepShape& shape) const {
    return unit == Unit::kToken    ? count * shape.n_tokens
           : unit == Unit::kOutput ? count * shape.n_outputs
                                   : count;
  }
};

class BoundOp {
 public:
  virtual ~BoundOp() = default;
  // Once, when the weights are in place and before the first Enqueue, not while `stream` captures:
  // enqueues what the op wants to know of them.
  virtual Status WeightsReady(const Stream&) { return {}; }
  // Offers the norm whose output is this op's input 0 and which nobody else reads, once, before the
  // first Enqueue: its operands live as this op's. True if the op takes it over for some shapes.
  virtual bool TakeNorm(const op::Call& /*norm*/) { return false; }
  // Whether Enqueue for this shape reads the norm's input and normalises it.
  virtual bool TakesNorm(const StepShape& /*shape*/) const { return false; }
  // Enqueues the op's launches for a step of this shape. No allocation, no synchronisation.
  virtual Status Enqueue(const Stream& stream, const StepShape& shape) const = 0;
};

// Operands of `call` hold device addresses and the types and shapes of the largest step; weights
// are in the packed layout of layout/weights.h; `call.step` is not read; `call.kv`, where set,
// holds device addresses. `rows` are those of the first output, or of the first input of an op
// without outputs. kUnsupported names what is missing.
Result<std::unique_ptr<BoundOp>> Bind(const op::Call& call, const RowCount& rows,
                                      const BindContext& context);

// Device memory that the op wants as BindContext::scratch, for a call with the rows of the largest
// step; operands' addresses are not read.
int64_t ScratchBytes(const op::Call& call, const Device& device);

}  // namespace rocforge::gpu
