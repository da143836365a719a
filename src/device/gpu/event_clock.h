// A KernelTimer's clock on a GPU: two driver events in a stream.
#pragma once

#include <memory>

#include "device/gpu/device.h"
#include "prof/kernel_timer.h"
#include "rocforge/status.h"

namespace rocforge::gpu {

// Creates the two events, which the clock destroys. `stream` must outlive it. Between the marks the
// time of the device counts, launch gaps included; not inside of a capture.
Result<std::unique_ptr<prof::KernelClock>> MakeEventClock(
    const std::shared_ptr<const Device>& device, const Stream* stream);

}  // namespace rocforge::gpu
