// Runs a plan, one op after the other, on the CPU. Binds kernels, weights and memory once; a step
// then only runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "graph/plan.h"
#include "kernels/cpu/kernels.h"
#include "kernels/op/cost.h"
#include "kernels/op/step.h"
#include "rocforge/status.h"

namespace rocforge::exec {

// What the plan runs on. All memory outlives the executor; weights are read only.
struct Binding {
  std::vector<const std::byte*> weights;  // by Graph::weights index: first byte of the part
  std::vector<op::KvLayer> kv_layers;     // by layer
  ThreadPool* pool = nullptr;
  cpu::Isa isa = cpu::Isa::kGeneric;
};

// Called around every op when set; `node` indexes Plan::graph.nodes.
using OpObserver = std::function<void(size_t node, const op::Call& call, int64_t time_ns)>;

class EagerExecutor {
 public:
  // Checks every call against op.h, finds its kernel and allocates arena and scratch. kUnsupported
  // names a missing kernel, kResourceExhausted the bytes that could not be had.
  static Result<std::unique_ptr<EagerExecutor>> Create(const graph::Plan& plan,
                                                       const Binding& binding);
  ~EagerExecutor();
  EagerExecutor(const EagerExecutor&) = delete;
  EagerExecutor& operator=(const EagerExecutor&) = delete;

  // Runs one step to its end. kInvalidArgument if the step is larger than the plan's limits.
  // Allocates nothing.
  Status Run(const op::Step& step);

  // [n_outputs, n_vocab] of the last step, valid until the next.
  std::span<const float> logits() const;

  // Compulsory bytes and operations of the last step, summed over all ops (op::CostOf).
  op::Cost LastCost() const;

  void SetObserver(OpObserver observer);

  int64_t arena_bytes() const;
  int64_t scratch_bytes() const;

 private:
  struct State;
  explicit EagerExecutor(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace rocforge::exec
