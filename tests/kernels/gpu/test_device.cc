#include "tests/kernels/gpu/test_device.h"

#include <cstdlib>
#include <sstream>

#include "kernels/gpu/port/sim/sim_driver.h"

namespace rocforge::testing {

std::vector<std::string> TestDevices() {
  const char* chosen = std::getenv("ROCFORGE_TEST_DEVICES");
  if (chosen == nullptr || *chosen == '\0') return {"sim32", "sim64", "amd", "nvidia"};
  std::vector<std::string> names;
  std::stringstream list(chosen);
  for (std::string name; std::getline(list, name, ',');) names.push_back(name);
  return names;
}

Result<std::shared_ptr<gpu::Device>> OpenTestDevice(const std::string& name) {
  if (name == "sim32") return gpu::Device::Open(port::sim::SimDriver(32), 0);
  if (name == "sim64") return gpu::Device::Open(port::sim::SimDriver(64), 0);
  const gpu::Vendor vendor = name == "amd" ? gpu::Vendor::kAmd : gpu::Vendor::kNvidia;
  ROCFORGE_ASSIGN_OR_RETURN(std::shared_ptr<const gpu::Driver> driver, gpu::Driver::Open(vendor));
  return gpu::Device::Open(std::move(driver), 0);
}

}  // namespace rocforge::testing
