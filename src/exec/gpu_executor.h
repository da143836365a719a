// Runs a plan on a GPU: ops launched one by one, or a captured graph a step.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "device/gpu/device.h"
#include "exec/executor.h"
#include "graph/plan.h"
#include "kernels/gpu/launch/bound_op.h"
#include "kernels/gpu/launch/modules.h"
#include "kernels/gpu/tune/tuning.h"
#include "rocforge/status.h"

namespace rocforge::exec {

enum class GpuMode : uint8_t {
  kAuto,   // kGraph where capture works, else kEager and a line in the log
  kEager,  // every op is launched by the host
  kGraph,  // steps of a shape seen before run as one captured graph; capture that fails is an error
};
// "auto", "eager", "graph"; anything else is kInvalidArgument.
Result<GpuMode> ParseGpuMode(std::string_view name);

// What the plan runs on. Everything outlives the executor.
struct GpuBinding {
  std::shared_ptr<const gpu::Device> device;
  const gpu::Modules* modules = nullptr;
  // By Graph::weights index: the weight in the packed layout of kernels/gpu/layout/weights.h.
  std::vector<gpu::DevicePtr> weights;
  std::vector<op::KvLayer> kv_layers;  // by layer; device addresses
  int32_t max_sequences = 1;
  int32_t page_table_stride = 0;  // of the steps
  GpuMode mode = GpuMode::kAuto;
  const gpu::Tuning* tuning = nullptr;  // read by Create only; may be null
};

// Device memory that an executor of the plan takes for itself, in bytes.
struct GpuMemory {
  int64_t arena = 0;    // activations
  int64_t scratch = 0;  // of the kernels
  int64_t step = 0;     // step arrays, choice of tokens
  int64_t total() const { return arena + scratch + step; }
};
Result<GpuMemory> EstimateGpuMemory(const graph::Plan& plan, const gpu::Device& device,
                                    int32_t max_sequences, int32_t page_table_stride);

class GpuExecutor final : public Executor {
 public:
  // Binds every node, so that what a device lacks is known here: kUnsupported names op and reason;
  // kResourceExhausted has the bytes.
  static Result<std::unique_ptr<GpuExecutor>> Create(const graph::Plan& plan,
                                                     const GpuBinding& binding);
  ~GpuExecutor() override;

  using Executor::Run;
  // One copy to the device, the ops, one copy back, one synchronisation. Once the shapes have been
  // seen it allocates nothing, neither here nor in the driver.
  Status Run(const op::Step& step, const Choice& choice) override;
  std::span<const float> logits() const override;
  std::span<const int32_t> best_tokens() const override;
  std::span<const TopToken> top_tokens() const override;
  std::span<const DrawnToken> drawn_tokens() const override;
  op::Cost LastCost() const override;
  StepCounters LastCounters() const override;
  void SetObserver(OpObserver observer) override;
  Status SetTiming(OpTiming timing) override;
  const StepTimes& LastTimes() const override;
  int64_t arena_bytes() const override;
  int64_t scratch_bytes() const override;
  std::string mode() const override;

  // Runs the step op by op and calls visit(node, call, done) before (done false) and after each op,
  // with all work on the device finished. Operands and KV are device addresses with the rows of
  // this step. Stops at the first error.
  using Visitor = std::function<Status(size_t node, const op::Call& call, bool done)>;
  Status RunStepwise(const op::Step& step, const Visitor& visit);

  // For tuning (gpu_tuner.h): what Create bound a node's op with, and what grids of a
  // step depend on.
  const op::Call& CallOf(size_t node) const;
  gpu::BindContext Context() const;
  gpu::StepShape ShapeOf(const op::Step& step) const;

 private:
  struct State;
  explicit GpuExecutor(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace rocforge::exec
