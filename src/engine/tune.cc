#include "engine/tune.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <set>
#include <utility>

#include "base/cpu_info.h"
#include "base/format.h"
#include "base/thread_pool.h"
#include "engine/loader.h"
#include "exec/cpu_executor.h"
#include "exec/gpu_executor.h"
#include "exec/one_sequence.h"
#include "kernels/cpu/kernels.h"

namespace rocforge::engine {
namespace {

using Clock = std::chrono::steady_clock;

// What a CPU is tuned for: a short prompt and a short answer.
constexpr int32_t kCpuPrompt = 64;
constexpr int32_t kCpuText = 64;

int32_t Positions(const Loaded& l) { return l.page_size * l.pages_per_sequence; }

bool Stopped(const exec::TuneOptions& tune, Clock::time_point start) {
  const double spent = std::chrono::duration<double>(Clock::now() - start).count();
  return spent > tune.budget_s || (tune.cancelled && tune.cancelled());
}

std::string StepName(int32_t first, int32_t count) {
  return count > 1 ? Format("a prompt of {} tokens", count) : Format("1 token after {}", first);
}

// The steps by which a user knows the difference.
std::vector<std::pair<int32_t, int32_t>> StepsToShow(const Loaded& l) {
  const int32_t positions = Positions(l);
  const auto most =
      static_cast<int32_t>(std::min<int64_t>({positions, l.plan->limits.max_tokens, 512}));
  std::vector<std::pair<int32_t, int32_t>> steps = {{std::min(positions - 1, 512), 1}, {0, most}};
  return steps;
}

Status MeasureSteps(const Loaded& l, exec::Executor& executor, bool after, TuneReport& report) {
  const auto steps = StepsToShow(l);
  report.steps.resize(steps.size());
  for (size_t i = 0; i < steps.size(); ++i) {
    const auto [first, count] = steps[i];
    ROCFORGE_ASSIGN_OR_RETURN(const double seconds, exec::MeasureStep(executor, *l.plan, first,
                                                                      count, l.pages_per_sequence));
    report.steps[i].what = StepName(first, count);
    (after ? report.steps[i].after_s : report.steps[i].before_s) = seconds;
  }
  return {};
}

Status TuneOnGpu(Loaded& l, const exec::TuneOptions& tune, TuneReport& report) {
  auto& executor = static_cast<exec::GpuExecutor&>(*l.executor);
  report.device_key = gpu::DeviceKey(*l.gpu.device);
  report.driver_key = gpu::DriverKey(*l.gpu.device);
  ROCFORGE_ASSIGN_OR_RETURN(exec::TuneResult found,
                            exec::TuneGpu(executor, *l.plan, l.pages_per_sequence, tune));
  report.ops = std::move(found.ops);
  report.complete = found.complete;
  gpu::Tuning tuning;
  for (const exec::TunedOp& tuned : report.ops) {
    gpu::TuningEntry entry;
    entry.device = report.device_key;
    entry.driver = report.driver_key;
    entry.op = tuned.op;
    entry.bucket = tuned.bucket;
    entry.config = tuned.config;
    entry.before_ns = static_cast<int64_t>(tuned.before_s * 1e9);
    entry.after_ns = static_cast<int64_t>(tuned.after_s * 1e9);
    report.entries.push_back(std::move(entry));
    tuning.Set(tuned.op, tuned.bucket, tuned.config);
  }
  if (!report.complete) return {};
  ROCFORGE_RETURN_IF_ERROR(MeasureSteps(l, executor, false, report));
  // The same weights and cache with launches as tuned.
  l.executor.reset();
  ROCFORGE_ASSIGN_OR_RETURN(const exec::GpuMode mode, exec::ParseGpuMode(l.options.executor));
  exec::GpuBinding binding;
  binding.device = l.gpu.device;
  binding.modules = l.gpu.modules.get();
  binding.weights = l.gpu_weights.Addresses();
  binding.kv_layers = l.kv.layers();
  binding.max_sequences = l.options.max_sequences;
  binding.page_table_stride = l.pages_per_sequence;
  binding.mode = mode;
  binding.tuning = &tuning;
  ROCFORGE_ASSIGN_OR_RETURN(l.executor, exec::GpuExecutor::Create(*l.plan, binding));
  return MeasureSteps(l, *l.executor, true, report);
}

struct CpuChoice {
  int32_t threads = 0;
  cpu::Isa isa = cpu::Isa::kGeneric;
  std::unique_ptr<ThreadPool> pool;
  std::unique_ptr<exec::Executor> executor;
  double seconds = 0;  // of a prompt and a text
};

Result<CpuChoice> MakeChoice(const Loaded& l, int32_t threads, cpu::Isa isa) {
  CpuChoice c;
  c.threads = threads;
  c.isa = isa;
  c.pool = std::make_unique<ThreadPool>(threads);
  const exec::CpuBinding binding{l.model.weights, l.kv.layers(), c.pool.get(), isa};
  ROCFORGE_ASSIGN_OR_RETURN(c.executor, exec::CpuExecutor::Create(*l.plan, binding));
  return c;
}

// Prompt and text of a request, from the medians of their steps.
Status MeasureChoice(const Loaded& l, CpuChoice& c) {
  const auto prompt = static_cast<int32_t>(
      std::min<int64_t>({Positions(l), l.plan->limits.max_tokens, kCpuPrompt}));
  ROCFORGE_ASSIGN_OR_RETURN(
      const double read, exec::MeasureStep(*c.executor, *l.plan, 0, prompt, l.pages_per_sequence));
  ROCFORGE_ASSIGN_OR_RETURN(
      const double write,
      exec::MeasureStep(*c.executor, *l.plan, std::min(prompt, Positions(l) - 1), 1,
                        l.pages_per_sequence));
  c.seconds = read + kCpuText * write;
  return {};
}

// The default first; then other numbers of threads, then other instruction sets.
std::vector<std::pair<int32_t, cpu::Isa>> CpuCandidates(const Loaded& l, cpu::Isa usual) {
  const CpuInfo cpu = ReadCpuInfo();
  const int32_t physical = std::max(cpu.usable_cores, 1);
  const int32_t logical = std::max(cpu.logical_cpus, physical);
  std::set<int32_t> threads = {1, physical / 2, physical - 1, physical, logical};
  if (logical <= 8) {
    for (int32_t n = 1; n <= logical; ++n) threads.insert(n);
  }
  std::vector<std::pair<int32_t, cpu::Isa>> list = {{l.options.n_threads, usual}};
  for (const int32_t n : threads) {
    if (n >= 1 && n <= logical && n != l.options.n_threads) list.emplace_back(n, usual);
  }
  for (const cpu::Isa isa : cpu::AvailableIsas()) {
    const bool slow = isa == cpu::Isa::kReference || isa == cpu::Isa::kGeneric;
    if (isa != usual && !slow) list.emplace_back(l.options.n_threads, isa);
  }
  return list;
}

Status TuneOnCpu(Loaded& l, const exec::TuneOptions& tune, TuneReport& report) {
  const Clock::time_point start = Clock::now();
  report.device_key = CpuDeviceKey();
  report.driver_key = "cpu";
  ROCFORGE_ASSIGN_OR_RETURN(const cpu::Isa usual_isa, cpu::ParseIsa(l.options.isa));
  const auto candidates = CpuCandidates(l, usual_isa);
  ROCFORGE_ASSIGN_OR_RETURN(CpuChoice usual,
                            MakeChoice(l, candidates[0].first, candidates[0].second));
  ROCFORGE_RETURN_IF_ERROR(MeasureChoice(l, usual));
  CpuChoice best;
  for (size_t i = 1; i < candidates.size(); ++i) {
    if (Stopped(tune, start)) {
      report.complete = false;
      return {};
    }
    const auto [threads, isa] = candidates[i];
    if (tune.on_progress) {
      tune.on_progress(static_cast<double>(i) / static_cast<double>(candidates.size()),
                       Format("{} threads, {}", threads, cpu::IsaName(isa)));
    }
    ROCFORGE_ASSIGN_OR_RETURN(CpuChoice c, MakeChoice(l, threads, isa));
    ROCFORGE_RETURN_IF_ERROR(MeasureChoice(l, c));
    if (best.executor == nullptr || c.seconds < best.seconds) best = std::move(c);
  }
  gpu::TuningEntry entry;
  entry.device = report.device_key;
  entry.driver = report.driver_key;
  entry.op = CpuTuneKey(l.model.info);
  if (best.executor != nullptr && best.seconds < usual.seconds) {
    // Once more in turns: the quickest of many is quick by chance too.
    const double first = best.seconds;
    ROCFORGE_RETURN_IF_ERROR(MeasureChoice(l, usual));
    ROCFORGE_RETURN_IF_ERROR(MeasureChoice(l, best));
    best.seconds = std::max(first, best.seconds);
    if (best.seconds < usual.seconds * (1 - tune.least_gain)) {
      entry.cpu_threads = best.threads;
      entry.cpu_isa = cpu::IsaName(best.isa);
    }
  }
  const bool better = entry.cpu_threads != 0;
  entry.before_ns = static_cast<int64_t>(usual.seconds * 1e9);
  entry.after_ns = better ? static_cast<int64_t>(best.seconds * 1e9) : entry.before_ns;
  report.entries.push_back(entry);
  ROCFORGE_RETURN_IF_ERROR(MeasureSteps(l, *usual.executor, false, report));
  return MeasureSteps(l, better ? *best.executor : *usual.executor, true, report);
}

}  // namespace

std::string CpuTuneKey(const model::ModelInfo& info) {
  return Format("{} {} {}", gpu::kCpuStep, info.main_type, info.d_model);
}

std::string CpuDeviceKey() {
  const CpuInfo cpu = ReadCpuInfo();
  return Format("{} ({} cores)", cpu.model_name.empty() ? cpu.architecture : cpu.model_name,
                cpu.usable_cores);
}

Result<TuneReport> TuneModel(const EngineOptions& options, const exec::TuneOptions& tune) {
  EngineOptions plain = options;
  plain.tuning_path.clear();
  ROCFORGE_ASSIGN_OR_RETURN(Loaded l, LoadModel(plain));
  TuneReport report;
  report.device = l.options.device;
  if (l.gpu.device != nullptr) {
    ROCFORGE_RETURN_IF_ERROR(TuneOnGpu(l, tune, report));
  } else {
    ROCFORGE_RETURN_IF_ERROR(TuneOnCpu(l, tune, report));
  }
  return report;
}

}  // namespace rocforge::engine
