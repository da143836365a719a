// The devices that GPU tests run on.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "device/gpu/device.h"
#include "rocforge/status.h"

namespace rocforge::testing {

// "sim32", "sim64", "amd", "nvidia"; ROCFORGE_TEST_DEVICES (a comma list) chooses among them.
std::vector<std::string> TestDevices();

// The first device of that kind; an error, with the driver's reason, where the machine has none.
Result<std::shared_ptr<gpu::Device>> OpenTestDevice(const std::string& name);

}  // namespace rocforge::testing
