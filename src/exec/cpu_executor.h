// Runs a plan, one op after the other, on the CPU.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "exec/executor.h"
#include "graph/plan.h"
#include "kernels/cpu/kernels.h"
#include "rocforge/status.h"

namespace rocforge::exec {

// What the plan runs on. All memory outlives the executor; weights are read only.
struct CpuBinding {
  std::vector<const std::byte*> weights;  // by Graph::weights index: first byte of the part
  std::vector<op::KvLayer> kv_layers;     // by layer
  ThreadPool* pool = nullptr;
  cpu::Isa isa = cpu::Isa::kGeneric;
};

class CpuExecutor final : public Executor {
 public:
  // Checks every call against op.h, finds its kernel and allocates arena and scratch. kUnsupported
  // names a missing kernel, kResourceExhausted the bytes that could not be had.
  static Result<std::unique_ptr<CpuExecutor>> Create(const graph::Plan& plan,
                                                     const CpuBinding& binding);
  ~CpuExecutor() override;

  using Executor::Run;
  // Allocates nothing, unless tokens are to be drawn. Edits are made in the logits' memory.
  Status Run(const op::Step& step, const Choice& choice) override;
  std::span<const float> logits() const override;
  std::span<const int32_t> best_tokens() const override;
  std::span<const TopToken> top_tokens() const override;
  std::span<const DrawnToken> drawn_tokens() const override;
  op::Cost LastCost() const override;
  StepCounters LastCounters() const override { return {}; }
  void SetObserver(OpObserver observer) override;
  Status SetTiming(OpTiming timing) override;
  const StepTimes& LastTimes() const override;
  int64_t arena_bytes() const override;
  int64_t scratch_bytes() const override;
  std::string mode() const override { return "eager"; }

 private:
  struct State;
  explicit CpuExecutor(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace rocforge::exec
