// The composition root: from options to everything that a running engine owns.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/thread_pool.h"
#include "engine/engine.h"
#include "engine/gpu_device.h"
#include "engine/gpu_weights.h"
#include "engine/kv_memory.h"
#include "exec/executor.h"
#include "gguf/reader.h"
#include "graph/plan.h"
#include "kernels/gpu/tune/tuning_file.h"
#include "model/model.h"
#include "rocforge/status.h"

namespace rocforge::engine {

// In the order of dependence: each member may point into those before it.
struct Loaded {
  EngineOptions options;  // resolved
  int32_t page_size = 0;
  int32_t pages_per_sequence = 0;
  int32_t n_pages = 0;
  std::unique_ptr<gguf::File> file;
  model::Model model;
  std::unique_ptr<graph::Plan> plan;
  std::unique_ptr<ThreadPool> pool;
  std::vector<gpu::TuningEntry> tuning;  // of all devices; empty where options name no file
  OpenedGpu gpu;                         // empty on the CPU
  GpuWeights gpu_weights;                // empty on the CPU
  KvMemory kv;
  std::unique_ptr<exec::Executor> executor;
  std::vector<LoadPart> parts;
};

// See Engine::Load.
Result<Loaded> LoadModel(const EngineOptions& options);

}  // namespace rocforge::engine
