#include "engine/gpu_device.h"

#include <charconv>
#include <memory>
#include <utility>
#include <vector>

#include "base/format.h"
#include "device/gpu/discovery.h"
#include "kernels/gpu/port/sim/sim_driver.h"

namespace rocforge::engine {
namespace {

Status Unknown(std::string_view name) {
  return InvalidArgument(
      Format("unknown device '{}'; use auto, cpu, gpu or gpu:N", EscapeForTerminal(name, 40)));
}

Result<OpenedGpu> LoadKernels(std::shared_ptr<const gpu::Device> device, std::string name) {
  OpenedGpu gpu;
  Result<gpu::Modules> modules = gpu::Modules::Load(device);
  if (!modules.ok()) {
    const gpu::Driver& driver = device->driver();
    return modules.status().WithContext(Format("{} ({}, driver {})", name,
                                               EscapeForTerminal(device->info().name, 60),
                                               driver.version_text()));
  }
  gpu.modules = std::make_shared<const gpu::Modules>(std::move(*modules));
  gpu.device = std::move(device);
  gpu.name = std::move(name);
  return gpu;
}

Result<OpenedGpu> OpenNumber(const gpu::Discovery& found, size_t number) {
  const gpu::DeviceProbe& probe = found.devices[number];
  const std::string name = Format("gpu:{}", number);
  Result<std::shared_ptr<gpu::Device>> device = gpu::Device::Open(probe.driver, probe.ordinal);
  if (!device.ok()) return device.status().WithContext(name);
  return LoadKernels(std::move(*device), name);
}

Result<OpenedGpu> OpenFirst(const gpu::Discovery& found) {
  std::vector<OpenedGpu> integrated;
  Status why;
  for (size_t i = 0; i < found.devices.size(); ++i) {
    Result<OpenedGpu> gpu = OpenNumber(found, i);
    if (!gpu.ok()) {
      why = why.ok() ? gpu.status()
                     : Status(why.code(), why.message() + "; " + gpu.status().message());
    } else if (gpu->device->info().integrated) {
      integrated.push_back(std::move(*gpu));
    } else {
      return gpu;
    }
  }
  if (integrated.empty()) return why;
  return std::move(integrated.front());
}

}  // namespace

Result<DeviceRequest> ParseDevice(std::string_view name) {
  using Kind = DeviceRequest::Kind;
  if (name == "auto") return DeviceRequest{Kind::kAuto, 0};
  if (name == "cpu") return DeviceRequest{Kind::kCpu, 0};
  if (name == "gpu") return DeviceRequest{Kind::kGpu, 0};
  if (name == "sim32") return DeviceRequest{Kind::kSimulator, 32};
  if (name == "sim64") return DeviceRequest{Kind::kSimulator, 64};
  if (!name.starts_with("gpu:")) return Unknown(name);
  const std::string_view digits = name.substr(4);
  int number = -1;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size() || number < 0)
    return Unknown(name);
  return DeviceRequest{Kind::kGpuNumber, number};
}

Result<OpenedGpu> OpenGpu(const DeviceRequest& request) {
  if (request.kind == DeviceRequest::Kind::kSimulator) {
    const auto lanes = static_cast<uint32_t>(request.number);
    ROCFORGE_ASSIGN_OR_RETURN(std::shared_ptr<const gpu::Device> device,
                              gpu::Device::Open(port::sim::SimDriver(lanes), 0));
    return LoadKernels(std::move(device), Format("sim{}", lanes));
  }
  const gpu::Discovery found = gpu::Discover();
  if (found.devices.empty()) {
    // A driver that is there and refuses is worth more words than one that is not.
    for (const gpu::DriverProbe& probe : found.drivers) {
      if (!probe.status.ok() && probe.status.code() != StatusCode::kNotFound)
        return probe.status.WithContext(gpu::VendorName(probe.vendor));
    }
    return NotFound(
        "no GPU: neither an AMD nor an NVIDIA driver is installed; `rocforge devices` "
        "says what was looked for");
  }
  if (request.kind != DeviceRequest::Kind::kGpuNumber) return OpenFirst(found);
  if (static_cast<size_t>(request.number) >= found.devices.size()) {
    return NotFound(
        Format("there is no gpu:{}; this machine has {} (`rocforge devices` lists "
               "{})",
               request.number, found.devices.size(), found.devices.size() == 1 ? "it" : "them"));
  }
  return OpenNumber(found, static_cast<size_t>(request.number));
}

}  // namespace rocforge::engine
