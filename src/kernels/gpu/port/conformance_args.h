// Arguments of the conformance kernels, shared by device and host. Plain numbers and pointers only.
#pragma once

#include <stdint.h>

namespace rocforge::port {

// Each kernel reads in[0, n) and writes out[0, n); what they mean is said beside each kernel.
struct ConformanceArgs {
  const uint32_t* in;
  uint32_t* out;
  uint32_t* counter;  // GridBarrier's, 0 at launch; or the target of atomics
  uint32_t n;
  uint32_t parameter;
};

}  // namespace rocforge::port
