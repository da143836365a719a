// The kernels of this binary on one device.
#pragma once

#include <memory>
#include <string>

#include "device/gpu/device.h"
#include "rocforge/status.h"

namespace rocforge::gpu {

// Owns the loaded modules; kernels are valid as long as it lives. Threads may share it.
class Modules {
 public:
  // Chooses the code for the device's architecture. kUnsupported: "no code for gfx906; ...".
  static Result<Modules> Load(const std::shared_ptr<const Device>& device);
  Modules();
  Modules(Modules&&) noexcept;
  Modules& operator=(Modules&&) noexcept;
  ~Modules();

  // The file's code is loaded when its first kernel is asked for: a driver compiles PTX for
  // seconds, and a model needs few of the files. kNotFound names the kernel and the file.
  Result<Kernel> Find(const std::string& kernel_file, const std::string& name) const;

  // "gfx11-generic": what was chosen for the device.
  const std::string& target() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace rocforge::gpu
