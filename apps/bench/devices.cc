// What a benchmark runs on.
#include <algorithm>
#include <utility>

#include "apps/bench/suite.h"
#include "apps/devices_measure.h"
#include "apps/pull/model_path.h"
#include "base/format.h"
#include "base/log.h"
#include "bench/kernels/data.h"
#include "engine/gpu_device.h"

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
  devices->cpu = std::make_unique<bench::CpuTarget>(
      bench::CpuTarget{devices->pool.get(), isa,
                       options.cached ? 1 : bench::RotationBytes(bench::LastLevelCacheBytes())});
  return {};
}

Status OpenGpu(const engine::DeviceRequest& request, bool cached, BenchDevices* devices) {
  ROCFORGE_ASSIGN_OR_RETURN(const engine::OpenedGpu gpu, engine::OpenGpu(request));
  ROCFORGE_ASSIGN_OR_RETURN(bench::GpuTarget target,
                            bench::GpuTarget::Create(gpu.device, gpu.modules, cached ? 1 : 0));
  devices->gpu = std::make_unique<bench::GpuTarget>(std::move(target));
  devices->gpu_name = gpu.name;
  return {};
}

// None is no error: the share of the machine is then not shown.
prof::Ceilings FindCeilings(const std::string& device, int threads) {
  const Result<std::string> folder = CacheFolder();
  const Result<prof::Ceilings> ceilings =
      folder.ok() ? CeilingsOf(device, threads, *folder) : folder.status();
  if (ceilings.ok()) return *ceilings;
  Log(LogLevel::kWarn, "no ceilings of {}: {}", device, ceilings.status().message());
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
    const Status gpu = OpenGpu({Kind::kGpu, 0}, options.cached, &devices);
    if (!gpu.ok() && gpu.code() != StatusCode::kNotFound)
      Log(LogLevel::kWarn, "only the CPU: {}", gpu.message());
  } else {
    ROCFORGE_ASSIGN_OR_RETURN(const engine::DeviceRequest request, engine::ParseDevice(device));
    Status gpu;
    if (request.kind == Kind::kAuto) {
      gpu = OpenGpu({Kind::kGpu, 0}, options.cached, &devices);
      if (!gpu.ok() && gpu.code() != StatusCode::kNotFound)
        Log(LogLevel::kWarn, "using the CPU: {}", gpu.message());
    } else if (request.kind != Kind::kCpu) {
      ROCFORGE_RETURN_IF_ERROR(OpenGpu(request, options.cached, &devices));
    }
    if (devices.gpu == nullptr) ROCFORGE_RETURN_IF_ERROR(OpenCpu(options, &devices));
  }
  if (!with_ceilings) return devices;
  if (devices.cpu != nullptr) devices.cpu_ceilings = FindCeilings("cpu", devices.pool->size());
  // The simulator's time means nothing.
  if (devices.gpu != nullptr && !devices.gpu->simulated())
    devices.gpu_ceilings = FindCeilings(devices.gpu_name, 0);
  return devices;
}

}  // namespace rocforge::apps
