// Which machine a benchmark ran on, and in what state it was.
#pragma once

#include <string>

#include "device/gpu/device.h"
#include "prof/baseline.h"
#include "rocforge/status.h"

namespace rocforge::apps {

struct Machine {
  prof::Facts hardware;  // what must be the same to compare
  prof::Facts context;   // what may differ
  // "machine: AMD EPYC 9V74, 2 threads, avx512 | 2596 MHz, governor unknown, load 6.4 | Release,
  // GCC 12.2.0 | commit 24656a8"
  std::string Line() const;
};

// `threads` 0: the CPU is not measured; then it is context only. `isa`: "avx512"; empty where
// it does not matter.
Machine DescribeMachine(int threads, const std::string& isa, const gpu::Device* device);

// Adds the model to the hardware: another model is another measurement. The hash is of the file's
// size and its first and last MiB. kUnavailable if it cannot be read.
Status AddModel(const std::string& path, Machine* machine);

// Adds to the context what of `rocforge tune` the run used: entries and hash of the file, "nothing
// kept", or "off" where `path` is empty.
void AddTuning(const std::string& path, Machine* machine);

// Adds the SHA-256 of the running binary to the context.
Status AddBinaryHash(Machine* machine);

}  // namespace rocforge::apps
