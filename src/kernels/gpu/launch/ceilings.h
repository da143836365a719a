// Measures the ceilings of a GPU (prof/ceilings.h) with kernels of this build.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "device/gpu/device.h"
#include "kernels/gpu/launch/modules.h"
#include "prof/ceilings.h"
#include "rocforge/status.h"

namespace rocforge::gpu {

// The card's name; the driver's version and whose code of this build the card runs.
prof::CeilingsKey GpuCeilingsKey(const Device& device, const Modules& modules);

// Times by driver events; rates are those of the fastest of several runs. The rate of 8-bit
// products is that of 4-way dot products (dp4a, v_dot4), which the matrix-vector kernels use; that
// of f16 products is the matrix unit's (plain dot products where there is none). Takes half a
// second and a few GB of device memory, less where less is free; kResourceExhausted where 64 MiB
// are not. On the simulator sizes are tiny and the figures mean nothing. `progress` as
// prof::MeasureProgress.
Result<prof::Ceilings> MeasureGpuCeilings(
    const std::shared_ptr<const Device>& device, const Modules& modules,
    const std::function<void(std::string_view what, int done, int total)>& progress = {});

}  // namespace rocforge::gpu
