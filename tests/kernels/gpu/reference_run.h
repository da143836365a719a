// The reference CPU kernel of an op, which GPU kernels are compared with.
#pragma once

#include "kernels/op/call.h"

namespace rocforge::testing {

// Runs the call, whose operands lie on the host, on one thread; fails the current test fatally
// where the call breaks its op's contract.
void RunReference(const op::Call& call);

}  // namespace rocforge::testing
