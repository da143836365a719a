// What an op must move and compute at least, for a given call: the profiler divides it by time and
// by the machine's measured ceilings.
#pragma once

#include "kernels/op/call.h"

namespace rocforge::op {

// Compulsory traffic: each input byte read once, each output byte written once, nothing counted
// twice because of caches or tiles. Weights of experts that no token uses are not counted.
struct Cost {
  double bytes_read = 0;
  double bytes_written = 0;
  double ops = 0;  // floating-point operations; a multiply-add is two

  double bytes() const { return bytes_read + bytes_written; }
};

// Attention and KvAppend read call.step (and call.kv for the element size).
Cost CostOf(const Call& call);

}  // namespace rocforge::op
