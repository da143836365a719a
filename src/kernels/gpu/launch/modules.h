// The kernels of this binary, loaded on one device.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "device/gpu/device.h"
#include "rocforge/status.h"

namespace rocforge::gpu {

// Owns the loaded modules; kernels are valid as long as it lives.
class Modules {
 public:
  // Loads the code of every kernel file for the device's architecture. kUnsupported: "no code for
  // gfx906; ...".
  static Result<Modules> Load(const std::shared_ptr<const Device>& device);

  // kNotFound names the kernel and the file.
  Result<Kernel> Find(const std::string& kernel_file, const std::string& name) const;

  // "gfx11-generic": what was chosen for the device.
  const std::string& target() const { return target_; }

 private:
  std::string target_;
  std::map<std::string, Module> modules_;  // by kernel file
};

}  // namespace rocforge::gpu
