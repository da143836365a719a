// How the tokens of one text are chosen: on the CPU from all logits; on a GPU there, with no more
// sent back than that takes.
#pragma once

#include <cstdint>

#include "engine/engine.h"
#include "exec/executor.h"
#include "rocforge/status.h"
#include "sample/sampler.h"
#include "session/session.h"

namespace rocforge::session {

// Not movable once Next has been called: what it returns points into it.
class TokenChoice {
 public:
  // `params` has the model's suppressed tokens too.
  TokenChoice(const GenerateRequest& request, const sample::SamplerParams& params, bool on_gpu);

  // For the step whose last row gives the sampler's next token. `forced`: that token is known,
  // which costs no random number. Valid until the next call, or until the sampler samples.
  exec::Choice Next(sample::Sampler* sampler, bool forced);
  // The token, after that step.
  Result<int32_t> Token(const engine::Engine& engine, sample::Sampler* sampler) const;
  // For a step whose tokens nobody looks at.
  exec::Choice Unused() const;

 private:
  // False where there are more than a step can take.
  bool TakeEdits(sample::Sampler* sampler);
  Result<int32_t> TokenOfTop(const engine::Engine& engine, sample::Sampler* sampler) const;

  exec::Wanted wanted_ = exec::Wanted::kLogits;
  exec::Wanted now_ = exec::Wanted::kLogits;  // of the last step
  bool edited_ = false;
  bool said_too_many_ = false;
  uint32_t steps_ = 0;      // of the draw
  uint32_t xtc_steps_ = 0;  // where XTC acts
  exec::TokenDraw draw_;
  EditLists edits_;  // the sampler's
};

}  // namespace rocforge::session
