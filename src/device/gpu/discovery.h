// Which GPUs this machine has, and why there are none.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "device/gpu/device.h"
#include "device/gpu/driver.h"
#include "rocforge/status.h"

namespace rocforge::gpu {

// What became of one vendor's driver.
struct DriverProbe {
  Vendor vendor = Vendor::kAmd;
  std::shared_ptr<const Driver> driver;  // null where `status` says why
  Status status;                         // as Driver::Open
};

// A device by its number in the order of this list: AMD before NVIDIA, then the driver's order.
// That number is the N of "--device gpu:N".
struct DeviceProbe {
  std::shared_ptr<const Driver> driver;
  int ordinal = 0;  // the driver's own number
};

struct Discovery {
  std::vector<DriverProbe> drivers;
  std::vector<DeviceProbe> devices;
};

// Loads the drivers of this machine. Does not open any device, which takes memory on it.
Discovery Discover();

// One line for a machine whose drivers have no device: what was tried and what was wrong.
std::string WhyNoDevice(const Discovery& discovery);

}  // namespace rocforge::gpu
