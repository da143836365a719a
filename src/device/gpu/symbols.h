// Looks functions of a driver library up by name and remembers the first that is missing.
#pragma once

#include <dlfcn.h>

#include <string>

#include "base/format.h"
#include "rocforge/status.h"

namespace rocforge::gpu {

class Symbols {
 public:
  explicit Symbols(void* library) : library_(library) {}

  // HIP and CUDA declare device addresses as void* and as 64-bit integers, and enumerations by name
  // or as int: the same registers in the calling conventions of the 64-bit systems that have these
  // drivers.
  template <typename Function>
  void Get(const char* name, Function* function) {
    void* symbol = ::dlsym(library_, name);
    if (symbol == nullptr && missing_.empty()) missing_ = name;
    *function = reinterpret_cast<Function>(symbol);
  }
  // For functions that newer drivers have; nullptr otherwise.
  template <typename Function>
  void GetOptional(const char* name, Function* function) {
    *function = reinterpret_cast<Function>(::dlsym(library_, name));
  }

  Status status() const {
    return missing_.empty()
               ? Status()
               : Unsupported(Format("the driver has no function {}; update it", missing_));
  }

 private:
  void* library_;
  std::string missing_;
};

}  // namespace rocforge::gpu
