// From the text after --device to an opened GPU with its kernels.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "device/gpu/device.h"
#include "kernels/gpu/launch/modules.h"
#include "rocforge/status.h"

namespace rocforge::engine {

struct DeviceRequest {
  enum class Kind : uint8_t {
    kAuto,
    kCpu,
    kGpu,        // the first one that this build has code for
    kGpuNumber,  // that one
    kSimulator,  // for tests: the GPU kernels on the host, lane by lane
  };
  Kind kind = Kind::kAuto;
  int number = 0;  // kGpuNumber: in the list of `rocforge devices`; kSimulator: lanes of a wave
};

// "auto", "cpu", "gpu", "gpu:N", and for tests "sim32" and "sim64". kInvalidArgument for anything
// else.
Result<DeviceRequest> ParseDevice(std::string_view name);

struct OpenedGpu {
  std::shared_ptr<const gpu::Device> device;
  std::shared_ptr<const gpu::Modules> modules;
  std::string name;  // "gpu:0", "sim32": what --device takes
};

// Opens the device and loads its kernels; discrete cards come before integrated ones where no
// number is given. kNotFound with what was tried where there is no driver or no such device;
// kUnsupported where this build has no code for it; kUnavailable or kResourceExhausted with the
// driver's words.
Result<OpenedGpu> OpenGpu(const DeviceRequest& request);

}  // namespace rocforge::engine
