#include "device/gpu/discovery.h"

#include <utility>

namespace rocforge::gpu {

Discovery Discover() {
  Discovery found;
  for (const Vendor vendor : {Vendor::kAmd, Vendor::kNvidia}) {
    DriverProbe& probe = found.drivers.emplace_back();
    probe.vendor = vendor;
    Result<std::shared_ptr<const Driver>> driver = Driver::Open(vendor);
    probe.status = driver.status();
    if (!driver.ok()) continue;
    probe.driver = std::move(*driver);
    for (int i = 0; i < probe.driver->device_count(); ++i)
      found.devices.push_back({probe.driver, i});
  }
  return found;
}

std::string WhyNoDevice(const Discovery& discovery) {
  std::string text;
  for (const DriverProbe& probe : discovery.drivers) {
    if (probe.status.ok()) continue;
    text += (text.empty() ? "" : "; ") + probe.status.message();
  }
  return text;
}

}  // namespace rocforge::gpu
