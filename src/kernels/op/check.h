// Validates a bound call against the contract of op.h: operand counts, shapes and types. Executors
// run it once when they bind a plan, so that kernels need not.
#pragma once

#include "kernels/op/call.h"
#include "rocforge/status.h"

namespace rocforge::op {

// kInternal with the op's name and the offending operand if the call breaks the contract; rows that
// follow the step are checked for consistency among the operands, pointers are not read. Needs
// neither step nor kv.
Status CheckCall(const Call& call);

}  // namespace rocforge::op
