#include "engine/loader.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "base/format.h"
#include "base/log.h"
#include "engine/gpu_memory.h"
#include "engine/tune.h"
#include "exec/cpu_executor.h"
#include "exec/gpu_executor.h"
#include "exec/self_check.h"
#include "kernels/cpu/kernels.h"
#include "kernels/op/kv_page.h"

namespace rocforge::engine {
namespace {

// Positions of one page. 32 keys of a head of 64 f16 values are 4 KiB: long enough to stream, short
// enough that the last, half-empty page of a sequence wastes little.
constexpr int32_t kPageSize = 32;
constexpr int32_t kMaxCtx = 1 << 24;

// Notes what each part of loading took.
class PartClock {
 public:
  // The time since the last call (or the construction) belongs to `name`.
  void End(Loaded& l, const char* name, int64_t bytes = 0) {
    const Clock::time_point now = Clock::now();
    l.parts.push_back({name, std::chrono::duration<double>(now - begin_).count(), bytes, held});
    begin_ = now;
  }

  MemoryUse held;  // by now; the parts that end from here on tell it

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point begin_ = Clock::now();
};

Status CheckNumbers(const EngineOptions& o) {
  if (o.n_threads < 0 || o.n_threads > 1024)
    return InvalidArgument(Format("{} threads are out of range [0, 1024]", o.n_threads));
  if (o.n_ctx < 0 || o.n_ctx > kMaxCtx)
    return InvalidArgument(
        Format("a context of {} tokens is out of range [0, {}]", o.n_ctx, kMaxCtx));
  if (o.max_sequences < 1 || o.max_sequences > 4096)
    return InvalidArgument(Format("{} sequences are out of range [1, 4096]", o.max_sequences));
  if (o.max_batch_tokens < 1 || o.max_batch_tokens > 65536)
    return InvalidArgument(
        Format("a batch of {} tokens is out of range [1, 65536]", o.max_batch_tokens));
  if (o.max_outputs < 0 || o.max_outputs > o.max_batch_tokens)
    return InvalidArgument(
        Format("{} rows of logits are out of range [0, {}]", o.max_outputs, o.max_batch_tokens));
  if (!op::IsKvType(o.kv_type))
    return Unsupported(Format("the KV cache can be f16, f32 or q8_0, not {}", Name(o.kv_type)));
  return {};
}

std::vector<gpu::TuningEntry> TuningOf(const EngineOptions& o) {
  if (o.tuning_path.empty()) return {};
  Result<std::vector<gpu::TuningEntry>> entries = gpu::ReadTuningFile(o.tuning_path);
  if (entries.ok()) return std::move(*entries);
  Log(LogLevel::kWarn, "tuning is not used: {} (rocforge tune clear removes it)",
      entries.status().message());
  return {};
}

// Threads and instruction set of the CPU as tuned, where the user (`asked`) names none.
void ApplyCpuTuning(const EngineOptions& asked, Loaded& l) {
  if (l.tuning.empty() || asked.n_threads != 0 || !asked.isa.empty()) return;
  const std::string device = CpuDeviceKey(), op = CpuTuneKey(l.model.info);
  const auto available = cpu::AvailableIsas();
  for (const gpu::TuningEntry& e : l.tuning) {
    if (e.driver != "cpu" || e.device != device || e.op != op || e.cpu_threads == 0) continue;
    const Result<cpu::Isa> isa = cpu::ParseIsa(e.cpu_isa);
    if (!isa.ok() || std::find(available.begin(), available.end(), *isa) == available.end())
      continue;  // another build's
    l.options.isa = e.cpu_isa;
    if (l.options.n_threads == e.cpu_threads) continue;
    l.options.n_threads = e.cpu_threads;
    l.pool = std::make_unique<ThreadPool>(e.cpu_threads);
  }
}

// Replaces every 0 and "auto" by the choice.
Status Resolve(EngineOptions& o, const model::ModelInfo& info) {
  if (o.n_threads == 0) o.n_threads = UsablePhysicalCores();
  if (o.n_ctx == 0)
    o.n_ctx = static_cast<int32_t>(std::min(model::kDefaultContext, info.n_ctx_train));
  o.max_batch_tokens = static_cast<int32_t>(
      std::min<int64_t>(o.max_batch_tokens, int64_t{o.n_ctx} * o.max_sequences));
  if (o.max_outputs == 0 || o.max_outputs > o.max_batch_tokens) o.max_outputs = o.max_batch_tokens;
  if (o.isa.empty()) {
    o.isa = cpu::IsaName(cpu::BestIsa());
    return {};
  }
  ROCFORGE_ASSIGN_OR_RETURN(const cpu::Isa isa, cpu::ParseIsa(o.isa));
  const auto available = cpu::AvailableIsas();
  if (std::find(available.begin(), available.end(), isa) == available.end()) {
    return Unsupported(Format("this machine or build lacks the instruction set '{}'", o.isa));
  }
  return {};
}

// Touches the mapped weights so that the first token does not wait for the disk; reports progress
// by bytes.
void WarmUp(const gguf::File& file, ThreadPool& pool, const std::function<void(double)>& progress) {
  constexpr size_t kSlice = size_t{64} << 20;
  constexpr size_t kStride = 4096;
  const double total = std::max(1.0, static_cast<double>(file.total_bytes()));
  double done = 0;
  for (const gguf::TensorInfo& tensor : file.tensors()) {
    for (size_t begin = 0; begin < tensor.data.size(); begin += kSlice) {
      const auto slice = tensor.data.subspan(begin, std::min(kSlice, tensor.data.size() - begin));
      pool.ParallelFor(static_cast<int64_t>((slice.size() + kStride - 1) / kStride), 256,
                       [&](int64_t from, int64_t to) {
                         for (int64_t i = from; i < to; ++i) {
                           // A volatile read: the page must really be brought in.
                           static_cast<void>(*static_cast<const volatile std::byte*>(
                               &slice[static_cast<size_t>(i) * kStride]));
                         }
                       });
      done += static_cast<double>(slice.size());
      if (progress) progress(std::min(1.0, done / total));
    }
  }
  if (progress) progress(1.0);
}

// File, model and plan: what every device needs.
Result<Loaded> OpenModel(const EngineOptions& options) {
  Loaded l;
  PartClock clock;
  l.options = options;
  ROCFORGE_ASSIGN_OR_RETURN(gguf::File file, gguf::File::Open(options.model_path));
  l.file = std::make_unique<gguf::File>(std::move(file));
  clock.End(l, "file");
  Result<model::Model> model = model::BuildModel(*l.file, options.n_ctx);
  if (!model.ok()) return model.status().WithContext(options.model_path);
  l.model = std::move(*model);
  l.tuning = TuningOf(options);
  clock.End(l, "model");
  ROCFORGE_RETURN_IF_ERROR(Resolve(l.options, l.model.info));
  ROCFORGE_ASSIGN_OR_RETURN(graph::Plan plan,
                            graph::BuildPlan(l.model.graph, l.options.passes,
                                             {l.options.max_batch_tokens, l.options.max_outputs}));
  l.plan = std::make_unique<graph::Plan>(std::move(plan));
  l.page_size = kPageSize;
  l.pages_per_sequence = (l.options.n_ctx + kPageSize - 1) / kPageSize;
  const int64_t n_pages = int64_t{l.pages_per_sequence} * l.options.max_sequences;
  if (n_pages * kPageSize > std::numeric_limits<int32_t>::max()) {
    return ResourceExhausted(Format("{} sequences of {} tokens are more than the cache can number",
                                    l.options.max_sequences, l.options.n_ctx));
  }
  l.n_pages = static_cast<int32_t>(n_pages);
  l.pool = std::make_unique<ThreadPool>(l.options.n_threads);
  clock.End(l, "plan");
  return l;
}

Status LoadOnCpu(Loaded& l, const EngineOptions& asked) {
  PartClock clock;
  ApplyCpuTuning(asked, l);
  ROCFORGE_ASSIGN_OR_RETURN(
      l.kv, KvMemory::Allocate(l.plan->graph.kv_layers, l.options.kv_type, l.n_pages, kPageSize));
  clock.held.kv = l.kv.bytes();
  clock.End(l, "kv", l.kv.bytes());
  ROCFORGE_ASSIGN_OR_RETURN(const cpu::Isa isa, cpu::ParseIsa(l.options.isa));
  const exec::CpuBinding binding{l.model.weights, l.kv.layers(), l.pool.get(), isa};
  ROCFORGE_ASSIGN_OR_RETURN(l.executor, exec::CpuExecutor::Create(*l.plan, binding));
  l.options.device = "cpu";
  clock.held.activations = l.executor->arena_bytes();
  clock.held.scratch = l.executor->scratch_bytes();
  clock.End(l, "bind");
  clock.held.weights = l.model.info.weight_bytes;
  WarmUp(*l.file, *l.pool, l.options.on_load_progress);
  clock.End(l, "weights", l.model.info.weight_bytes);
  return {};
}

Status CheckMemory(const Loaded& l, const OpenedGpu& gpu, int64_t weight_bytes) {
  ROCFORGE_ASSIGN_OR_RETURN(
      const exec::GpuMemory work,
      exec::EstimateGpuMemory(*l.plan, *gpu.device, l.options.max_sequences, l.pages_per_sequence));
  GpuNeed need;
  need.weights = weight_bytes;
  const auto kv_bytes = [&](DType type) {
    return KvBytes(l.plan->graph.kv_layers, type, l.n_pages, kPageSize);
  };
  need.kv = kv_bytes(l.options.kv_type);
  need.kv_f16 = kv_bytes(DType::kF16);
  need.kv_q8_0 = kv_bytes(DType::kQ8_0);
  need.work = work.total();
  ROCFORGE_ASSIGN_OR_RETURN(need.free, gpu.device->FreeBytes());
  need.total = gpu.device->info().total_bytes;
  need.n_ctx = l.options.n_ctx;
  need.max_sequences = l.options.max_sequences;
  need.max_batch_tokens = l.options.max_batch_tokens;
  need.kv_type = l.options.kv_type;
  return CheckGpuMemory(need).WithContext(gpu.name);
}

// Everything that can refuse comes before the upload, which takes time. On an error `l` is as
// before.
Status LoadOnGpu(Loaded& l, const DeviceRequest& request) {
  PartClock clock;
  ROCFORGE_ASSIGN_OR_RETURN(const exec::GpuMode mode, exec::ParseGpuMode(l.options.executor));
  ROCFORGE_ASSIGN_OR_RETURN(OpenedGpu gpu, OpenGpu(request));
  Loaded timed;  // only its parts: on an error `l` stays as it was
  clock.End(timed, "driver");
  const auto named = [&](const Status& status) { return status.WithContext(gpu.name); };
  Result<GpuWeights> planned = GpuWeights::Plan(l.plan->graph, l.model.weights);
  if (!planned.ok()) return named(planned.status());
  GpuWeights weights = std::move(*planned);
  const bool in_host_memory = weights.WantsHostMemory(*gpu.device);
  // What the driver calls free says nothing about memory of the host.
  ROCFORGE_RETURN_IF_ERROR(CheckMemory(l, gpu, in_host_memory ? 0 : weights.bytes()));
  ROCFORGE_RETURN_IF_ERROR(named(weights.Allocate(gpu.device, in_host_memory)));
  Result<KvMemory> kv = KvMemory::AllocateOnGpu(gpu.device, l.plan->graph.kv_layers,
                                                l.options.kv_type, l.n_pages, kPageSize);
  if (!kv.ok()) return named(kv.status());
  clock.held.weights = weights.bytes();
  clock.held.kv = kv->bytes();
  clock.End(timed, "kv", kv->bytes());
  ROCFORGE_RETURN_IF_ERROR(named(weights.UploadVectors(*l.pool)));

  exec::GpuBinding binding;
  binding.device = gpu.device;
  binding.modules = gpu.modules.get();
  binding.weights = weights.Addresses();
  binding.kv_layers = kv->layers();
  binding.max_sequences = l.options.max_sequences;
  binding.page_table_stride = l.pages_per_sequence;
  binding.mode = mode;
  const gpu::Tuning tuning = gpu::TuningFor(l.tuning, *gpu.device);
  binding.tuning = &tuning;
  Result<std::unique_ptr<exec::GpuExecutor>> executor = exec::GpuExecutor::Create(*l.plan, binding);
  if (!executor.ok()) return named(executor.status());
  clock.held.activations = (*executor)->arena_bytes();
  clock.held.scratch = (*executor)->scratch_bytes();
  clock.End(timed, "bind");
  ROCFORGE_RETURN_IF_ERROR(named(weights.UploadMatrices(*l.pool, l.options.on_load_progress)));
  clock.End(timed, "weights", weights.bytes());
  if (l.options.self_check != SelfCheck::kOff) {
    ROCFORGE_ASSIGN_OR_RETURN(const cpu::Isa isa, cpu::ParseIsa(l.options.isa));
    const exec::SelfCheckInput input{l.plan.get(),
                                     l.model.weights,
                                     kv->layers(),
                                     l.pool.get(),
                                     isa,
                                     l.pages_per_sequence,
                                     l.options.self_check == SelfCheck::kOn};
    ROCFORGE_RETURN_IF_ERROR(named(exec::CheckGpuAgainstCpu(**executor, gpu.device, input)));
    clock.End(timed, "self-check");
  }
  l.parts.insert(l.parts.end(), timed.parts.begin(), timed.parts.end());
  l.options.device = gpu.name;
  l.gpu = std::move(gpu);
  l.gpu_weights = std::move(weights);
  l.kv = std::move(*kv);
  l.executor = std::move(*executor);
  return {};
}

// The CPU in place of a GPU is no secret, except on machines that have no GPU driver at all.
void SayFallBack(const Status& why) {
  const LogLevel level = why.code() == StatusCode::kNotFound ? LogLevel::kInfo : LogLevel::kWarn;
  Log(level, "using the CPU: {} (--device gpu makes this an error, --device cpu says nothing)",
      why.message());
}

}  // namespace

Result<Loaded> LoadModel(const EngineOptions& options) {
  using Kind = DeviceRequest::Kind;
  ROCFORGE_ASSIGN_OR_RETURN(const DeviceRequest request, ParseDevice(options.device));
  ROCFORGE_RETURN_IF_ERROR(exec::ParseGpuMode(options.executor).status());
  ROCFORGE_RETURN_IF_ERROR(CheckNumbers(options));
  ROCFORGE_ASSIGN_OR_RETURN(Loaded l, OpenModel(options));
  if (request.kind != Kind::kCpu) {
    const Status status = LoadOnGpu(l, request);
    if (status.ok()) return l;
    // A device that computes wrongly (kInternal) must be heard of, not avoided.
    if (request.kind != Kind::kAuto || status.code() == StatusCode::kInternal) return status;
    SayFallBack(status);
  }
  ROCFORGE_RETURN_IF_ERROR(LoadOnCpu(l, options));
  return l;
}

}  // namespace rocforge::engine
