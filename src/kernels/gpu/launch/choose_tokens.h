// Tokens drawn, or the 64 best ones found, among rows of logits on the device. Not an op of the
// graph: what a step is run for decides.
#pragma once

#include <cstdint>
#include <memory>

#include "kernels/gpu/launch/bound_op.h"
#include "kernels/gpu/ops/choose_tokens_args.h"

namespace rocforge::gpu {

// Where the results go. Exactly one of the pairs is used.
struct ChooseTarget {
  // Draw: draws[row] says how, [rows] TokenDraw; drawn[row], DrawnToken, is the token, or -1 where
  // a logit is NaN or +infinity or all are -infinity.
  DevicePtr draws = 0, drawn = 0;
  // Else top[row, :], TopToken: the kTopTokens tokens with the largest logits, by ascending token,
  // the lower ones among equals, unused entries last. kBrokenLogits where a logit is NaN or
  // +infinity.
  DevicePtr top = 0;
};

// For logits [shape.n_outputs, n_vocab]. kUnsupported for more than two million tokens.
//   scratch: ChooseScratchBytes(rows, n_vocab) bytes at a multiple of 16, used by the launches
//   only; no two of them at the same time. All zero before the first launch.
Result<std::unique_ptr<BoundOp>> BindChooseTokens(DevicePtr logits, int64_t n_vocab,
                                                  DevicePtr scratch, int64_t max_rows,
                                                  const ChooseTarget& target,
                                                  const BindContext& context);
int64_t ChooseScratchBytes(int64_t max_rows, int64_t n_vocab);

// Changes single logits [shape.n_outputs, n_vocab] in place; one launch.
//   edits: LogitEdit, the lists of the rows one after the other, kEditPhases of each row, made in
//   that order; begin: [rows * kEditPhases + 1], uint32_t, where each begins and the last one ends.
Result<std::unique_ptr<BoundOp>> BindEditLogits(DevicePtr logits, int64_t n_vocab, DevicePtr edits,
                                                DevicePtr begin, const BindContext& context);

}  // namespace rocforge::gpu
