// The immutable result of planning: the fused graph and a place in one activation arena for every
// value.
#pragma once

#include <cstdint>
#include <vector>

#include "graph/graph.h"
#include "graph/pass.h"

namespace rocforge::graph {

// The largest step that the plan must hold.
struct PlanLimits {
  int64_t max_tokens = 512;
  int64_t max_outputs = 512;
};

struct Plan {
  Graph graph;
  PlanLimits limits;
  std::vector<int64_t> offsets;  // per value: byte offset in the arena, or -1 for weights
  int64_t arena_bytes = 0;       // multiple of 64; offsets are multiples of 64
  std::vector<PassReport> passes;
};

// Runs the passes and places the activations: values whose lives do not overlap share memory, and
// ops that may work in place do so when their input dies. kInvalidArgument for bad limits or pass
// names.
Result<Plan> BuildPlan(Graph graph, const PassOptions& options, const PlanLimits& limits);

}  // namespace rocforge::graph
