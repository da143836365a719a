// The device code in this binary, and which of it a device can run.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rocforge/status.h"

namespace rocforge::gpu {

// One source file compiled for one target, in the format of gzip (PTX shrinks to a fifteenth).
struct CodeObject {
  std::string_view kernel_file;  // "conformance", from conformance.gpu.cc
  std::string_view target;       // "gfx1100", "gfx11-generic", "sm_90a"
  bool is_ptx = false;           // else machine code
  std::span<const std::byte> compressed;
};

// All of them; empty in a build without a device compiler. Where a build had ptxas, a file has
// machine code (a cubin) for an NVIDIA target, followed by its PTX: drivers older than that ptxas
// refuse the one and compile the other.
std::span<const CodeObject> EmbeddedCode();

// What the driver loads: an AMD code object (ELF), or NVIDIA PTX with a NUL byte as its last.
// kInternal if the binary was damaged.
Result<std::vector<std::byte>> Decompress(const CodeObject& object);

// Targets in this build, each once, in the order of the build's list.
std::vector<std::string_view> EmbeddedTargets();

// The best target among `available` for a device that names itself `arch`: the exact one, else the
// generic one of its family (AMD), else the newest PTX that the device can run (NVIDIA "sm_NN"; a
// target that ends in "a" runs on exactly that architecture). kUnsupported: "no code for gfx906;
// this build has: ...". AMD features after a colon ("gfx942:sramecc+") are ignored.
Result<std::string_view> SelectTarget(std::string_view arch,
                                      std::span<const std::string_view> available);

}  // namespace rocforge::gpu
