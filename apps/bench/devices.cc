// What a benchmark runs on.
#include <algorithm>
#include <utility>

#include "apps/bench/suite.h"
#include "apps/model_path.h"
#include "base/format.h"
#include "base/log.h"
#include "bench/kernels/data.h"
#include "engine/gpu_device.h"
#include "prof/cpu_ceilings.h"

namespace rocforge::apps {
namespace {

Status OpenCpu(const BenchOptions& options, BenchDevices* devices) {
  cpu::Isa isa = cpu::BestIsa();
  if (!options.isa.empty()) {
    ROCFORGE_ASSIGN_OR_RETURN(isa, cpu::ParseIsa(options.isa));
    const auto available = cpu::AvailableIsas();
    if (std::find(available.begin(), available.end(), isa) == available.end())
      return Unsupported(Format("this machine or build lacks the instruction set '{}'",
                                EscapeForTerminal(options.isa, 40)));
  }
  devices->pool = std::make_unique<ThreadPool>(options.threads);
  devices->cpu = std::make_unique<bench::CpuTarget>(bench::CpuTarget{
      devices->pool.get(), isa, bench::RotationBytes(bench::LastLevelCacheBytes())});
  return {};
}

Status OpenGpu(const engine::DeviceRequest& request, BenchDevices* devices) {
  ROCFORGE_ASSIGN_OR_RETURN(const engine::OpenedGpu gpu, engine::OpenGpu(request));
  ROCFORGE_ASSIGN_OR_RETURN(bench::GpuTarget target,
                            bench::GpuTarget::Create(gpu.device, gpu.modules));
  devices->gpu = std::make_unique<bench::GpuTarget>(std::move(target));
  return {};
}

void FindCpuCeilings(BenchDevices* devices) {
  const Result<std::string> folder = CacheFolder();
  const prof::CeilingsKey key = prof::CpuCeilingsKey(devices->pool->size());
  if (folder.ok()) {
    const Result<prof::Ceilings> kept = prof::LoadCeilings(*folder, key);
    if (kept.ok() && kept->read_bytes_per_s > 0 && kept->float_ops_per_s > 0) {
      devices->cpu_ceilings = *kept;
      return;
    }
  }
  const Result<prof::Ceilings> measured = prof::MeasureCpuCeilings(*devices->pool);
  if (!measured.ok()) {
    Log(LogLevel::kWarn, "no ceilings of the CPU: {}", measured.status().message());
    return;
  }
  devices->cpu_ceilings = *measured;
  // A folder that cannot be written only means that the next run measures again.
  if (folder.ok() && !prof::SaveCeilings(*folder, *measured).ok())
    Log(LogLevel::kInfo, "the ceilings could not be kept in {}", EscapeForTerminal(*folder));
}

Status FindGpuCeilings(BenchDevices* devices) {
  const bench::GpuTarget& gpu = *devices->gpu;
  if (gpu.simulated()) return {};
  if (const Result<std::string> folder = CacheFolder(); folder.ok()) {
    for (const prof::Ceilings& kept : prof::LoadAllCeilings(*folder)) {
      if (kept.key.device == gpu.device()->info().name) devices->gpu_ceilings = kept;
    }
  }
  if (devices->gpu_ceilings.read_bytes_per_s > 0) return {};
  for (const int blocks : {4, 8, 16}) {
    ROCFORGE_ASSIGN_OR_RETURN(const double speed, gpu.ReadBandwidth(blocks));
    devices->gpu_ceilings.read_bytes_per_s =
        std::max(devices->gpu_ceilings.read_bytes_per_s, speed);
  }
  return {};
}

}  // namespace

Machine BenchDevices::Describe() const {
  return DescribeMachine(cpu != nullptr ? pool->size() : 0,
                         cpu != nullptr ? cpu::IsaName(cpu->isa) : "",
                         gpu != nullptr ? gpu->device().get() : nullptr);
}

Result<BenchDevices> OpenBenchDevices(const BenchOptions& options, const std::string& device,
                                      bool with_ceilings) {
  using Kind = engine::DeviceRequest::Kind;
  BenchDevices devices;
  if (device == "all") {
    ROCFORGE_RETURN_IF_ERROR(OpenCpu(options, &devices));
    // A machine without a GPU compares nothing.
    const Status gpu = OpenGpu({Kind::kGpu, 0}, &devices);
    if (!gpu.ok() && gpu.code() != StatusCode::kNotFound)
      Log(LogLevel::kWarn, "only the CPU: {}", gpu.message());
  } else {
    ROCFORGE_ASSIGN_OR_RETURN(const engine::DeviceRequest request, engine::ParseDevice(device));
    Status gpu;
    if (request.kind == Kind::kAuto) {
      gpu = OpenGpu({Kind::kGpu, 0}, &devices);
      if (!gpu.ok() && gpu.code() != StatusCode::kNotFound)
        Log(LogLevel::kWarn, "using the CPU: {}", gpu.message());
    } else if (request.kind != Kind::kCpu) {
      ROCFORGE_RETURN_IF_ERROR(OpenGpu(request, &devices));
    }
    if (devices.gpu == nullptr) ROCFORGE_RETURN_IF_ERROR(OpenCpu(options, &devices));
  }
  if (!with_ceilings) return devices;
  if (devices.cpu != nullptr) FindCpuCeilings(&devices);
  if (devices.gpu != nullptr) ROCFORGE_RETURN_IF_ERROR(FindGpuCeilings(&devices));
  return devices;
}

}  // namespace rocforge::apps
