// `rocforge tune`: what is quickest on this device for a model's shapes. See exec/gpu_tuner.h for
// GPUs; on the CPU the choices are the number of threads and the instruction set.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "exec/gpu_tuner.h"
#include "kernels/gpu/tune/tuning_file.h"
#include "rocforge/status.h"

namespace rocforge::engine {

// A whole step before and after.
struct TunedStep {
  std::string what;  // "1 token after 512"
  double before_s = 0;
  double after_s = 0;
};

struct TuneReport {
  std::string device;  // as EngineOptions::device names it: "gpu:0", "cpu"
  std::string device_key;
  std::string driver_key;
  std::vector<exec::TunedOp> ops;  // on a GPU
  std::vector<TunedStep> steps;    // empty where tuning was stopped before
  // What is worth keeping: where something was quicker than the launcher's choice, and default
  // entries where nothing was, so that older findings do not stay.
  std::vector<gpu::TuningEntry> entries;
  bool complete = true;
};

// Loads the model without tuning (options.tuning_path is not read) and measures. `tune.cancelled`
// ends it with what was found so far; that is no error. Errors are those of Engine::Load and of the
// device.
Result<TuneReport> TuneModel(const EngineOptions& options, const exec::TuneOptions& tune);

// "step Q4_K 4096": what a CPU's entry is for.
std::string CpuTuneKey(const model::ModelInfo& info);
// The CPU's name as entries have it.
std::string CpuDeviceKey();

}  // namespace rocforge::engine
