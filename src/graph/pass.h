// Rewrites of the graph: named, switchable, timed, and verified after each run.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "rocforge/status.h"

namespace rocforge::graph {

struct PassReport {
  std::string pass;
  bool enabled = true;
  int rewrites = 0;
  size_t nodes_before = 0;
  size_t nodes_after = 0;
  int64_t time_ns = 0;
  std::vector<std::string>
      notes;  // why a place that looked right was left alone, one line each, without repeats
};

// Rewrites `graph` in place, keeping its meaning (bit for bit where the summary says "exact").
// Returns the number of rewrites and may add notes.
struct Pass {
  const char* name;
  const char* summary;
  int (*run)(Graph& graph, PassReport& report);
};

// In the order in which they run.
std::span<const Pass> AllPasses();

struct PassOptions {
  std::vector<std::string> disabled;  // names; "all" disables every pass
};

// Runs the enabled passes. kInvalidArgument for an unknown name, kInternal if a pass leaves an
// inconsistent graph.
Result<std::vector<PassReport>> RunPasses(Graph& graph, const PassOptions& options);

}  // namespace rocforge::graph
