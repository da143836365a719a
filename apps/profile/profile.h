// What `rocforge profile` measures, and what it says of it: data only. measure.h fills it,
// summary.h makes tables of it, trace.h and html.h write it down.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "exec/executor.h"
#include "kernels/op/cost.h"
#include "prof/ceilings.h"
#include "prof/kernel_timer.h"

namespace rocforge::apps {

// One stretch of the host's time line. Seconds count from the begin of the profiled run.
struct HostSpan {
  std::string name;
  double begin_s = 0;
  double seconds = 0;
};

// One step of the engine.
struct StepRecord {
  bool prefill = false;
  int32_t tokens = 0;
  int32_t context = 0;  // tokens in the cache after it
  double begin_s = 0;
  double seconds = 0;  // without the profiler's own reading of the device's clock
  exec::StepTimes times;
  exec::StepCounters counters;
};

// What kind of op a node is; nodes of other layers that do the same share one.
struct OpKind {
  std::string name;     // "attn_qkv"
  std::string op;       // "matmul"
  std::string weights;  // "576+192+192 x 576"
  std::string types;    // "Q4_K"
};

struct MemorySample {
  double at_s = 0;  // since the program began to load; the run begins at Profile::run_begin_s
  int64_t resident_bytes = 0;
  int64_t kv_bytes = 0;           // of the cache that tokens have used
  engine::MemoryUse held;         // by the engine, on its device; nothing while it loads
  int64_t device_used_bytes = 0;  // of the GPU, by whatever program; 0: unknown, or no GPU
};

struct LoadSpan {
  std::string name;
  double seconds = 0;
  int64_t bytes = 0;
  engine::MemoryUse held;  // at its end
};

struct Profile {
  std::string model;   // DescribeModel
  std::string device;  // Engine::device_description
  std::string kv_type;
  prof::Ceilings ceilings;
  bool on_gpu = false;
  bool events = false;  // ops were timed by driver events, one by one
  bool interrupted = false;
  engine::MemoryUse held;  // while it ran

  std::vector<LoadSpan> load;
  double load_seconds = 0;
  double run_begin_s = 0;

  // The profiled run.
  int32_t prompt_tokens = 0;
  int32_t generated_tokens = 0;
  double run_seconds = 0;          // from the text to the last token
  double profiler_seconds = 0;     // of those: reading stamps
  double first_token_seconds = 0;  // 0: there was none
  std::vector<HostSpan> spans;     // disjoint, in order: tokenise, prefill, sample, decode, ...
  std::vector<StepRecord> steps;
  std::vector<OpKind> kinds;
  std::vector<size_t> kind_of_node;  // index into kinds
  std::vector<MemorySample> memory;

  std::vector<prof::KernelTime> host_times;  // functions of the host, by descending time

  // The same run without timing of ops, before; 0 where it was interrupted.
  double plain_prefill_seconds = 0;
  double plain_step_seconds = 0;  // of the fastest decode step
};

}  // namespace rocforge::apps
