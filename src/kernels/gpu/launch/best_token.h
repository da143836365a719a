// The best token of each row of logits, found on the device: a decode step then reads back a few
// bytes a sequence instead of its logits. Not an op of the graph: what a step is run for decides.
#pragma once

#include <cstdint>
#include <memory>

#include "kernels/gpu/launch/bound_op.h"

namespace rocforge::gpu {

// tokens[row] for logits [shape.n_outputs, n_vocab]: the token of the largest logit, the lowest one
// among equals; -1 where a logit is NaN or +infinity or all are -infinity.
//   parts: BestTokenPartBytes(rows) bytes, used by the launches only.
Result<std::unique_ptr<BoundOp>> BindBestToken(DevicePtr logits, int64_t n_vocab, DevicePtr parts,
                                               DevicePtr tokens, const BindContext& context);
int64_t BestTokenPartBytes(int64_t n_rows);

}  // namespace rocforge::gpu
