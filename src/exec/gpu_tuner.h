// Measures the configurations that the launchers of a plan's ops can take (tune/tuning.h), on the
// device and with the weights that they will run with.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "exec/gpu_executor.h"
#include "graph/plan.h"
#include "kernels/gpu/tune/tuning.h"
#include "rocforge/status.h"

namespace rocforge::exec {

struct TuneOptions {
  // Tokens of the steps whose matrix products are tuned, and positions in the cache at which
  // attention of one token is; the most important first. Those that the plan cannot hold are left
  // out.
  std::vector<int32_t> rows;
  std::vector<int32_t> depths;
  double budget_s = 60;
  // A gain below this share of the time is noise, and the launcher's own choice stays.
  double least_gain = 0.02;
  std::function<bool()> cancelled;                                          // may be null
  std::function<void(double fraction, std::string_view what)> on_progress;  // may be null
};

// One op of one shape.
struct TunedOp {
  std::string op;  // gpu::TuneKey
  size_t bucket = 0;
  int32_t size = 0;      // rows, or positions of attention, at which it was measured
  int32_t per_step = 0;  // ops of the plan that are like it
  gpu::OpConfig config;  // default: nothing was better
  double before_s = 0;   // a call, the launcher's own choice
  double after_s = 0;
  int32_t candidates = 0;
  int32_t wrong = 0;  // of them: their results differ from the launcher's own choice's
};

struct TuneResult {
  std::vector<TunedOp> ops;
  bool complete = true;  // false: the budget was used up, or it was cancelled
};

// Each candidate must give what the launcher's own choice gives, within
//   * 0.1 % (relative Euclidean norm) where only the shape of the launch differs: sums in another
//     order,
//   * 5 % where another kernel multiplies quantised weights, twice that with a GLU, and 1 % for
//     float weights: activations are then rounded to 8 bits instead of 16, see self_check.h.
// The launchers' own choice is compared with the CPU when a model is loaded. Calls with equal keys
// are measured one after the other with the weights of their layers, as a step reads them, so that
// weights come from memory and not from a cache. Overwrites the KV pages of the first sequence.
Result<TuneResult> TuneGpu(GpuExecutor& executor, const graph::Plan& plan,
                           int32_t page_table_stride, const TuneOptions& options);

// Seconds of a step of `count` tokens after `first`, the median of some runs (as the executor runs
// it: captured where it can be).
Result<double> MeasureStep(Executor& executor, const graph::Plan& plan, int32_t first,
                           int32_t count, int32_t page_table_stride);

}  // namespace rocforge::exec
