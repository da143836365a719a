#include "session/token_choice.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "base/log.h"

namespace rocforge::session {
namespace {

using exec::Wanted;

exec::DrawStep StepOf(sample::SamplerKind kind) {
  using sample::SamplerKind;
  switch (kind) {
    case SamplerKind::kTopNSigma:
      return exec::DrawStep::kTopNSigma;
    case SamplerKind::kTopK:
      return exec::DrawStep::kTopK;
    case SamplerKind::kTypical:
      return exec::DrawStep::kTypical;
    case SamplerKind::kTopP:
      return exec::DrawStep::kTopP;
    case SamplerKind::kMinP:
      return exec::DrawStep::kMinP;
    case SamplerKind::kXtc:
      return exec::DrawStep::kXtc;
    case SamplerKind::kTemperature:
      return exec::DrawStep::kTemperature;
    case SamplerKind::kPenalties:
    case SamplerKind::kDry:
      break;
  }
  return exec::DrawStep::kEnd;  // edits are no steps
}

// What a GPU need send back of each row of logits.
Wanted WantedOf(const GenerateRequest& request, const sample::SamplerParams& params) {
  if (request.logprobs > 0) return Wanted::kLogits;
  if (sample::IsGreedy(params)) return Wanted::kBestTokens;
  const int32_t needed = sample::TokensNeeded(params);
  if (needed > 0 && static_cast<size_t>(needed) <= exec::kTopTokens) return Wanted::kTopTokens;
  const std::string obstacle = sample::DeviceChainOf(params).obstacle;
  if (obstacle.empty()) return Wanted::kDrawnTokens;
  Log(LogLevel::kInfo, "all logits of each token come from the GPU to be sampled, because of {}",
      obstacle);
  return Wanted::kLogits;
}

}  // namespace

TokenChoice::TokenChoice(const GenerateRequest& request, const sample::SamplerParams& params,
                         bool on_gpu) {
  if (!on_gpu) return;
  wanted_ = WantedOf(request, params);
  if (wanted_ == Wanted::kLogits) return;
  edited_ = sample::EditsLogits(params);
  if (wanted_ != Wanted::kDrawnTokens) return;
  std::vector<exec::DrawStep> steps;
  for (const sample::SamplerKind kind : sample::DeviceChainOf(params).kinds)
    steps.push_back(StepOf(kind));
  if (params.mirostat != 0) steps.push_back(exec::DrawStep::kMirostat);
  xtc_steps_ = exec::PackDrawSteps(steps);
  std::erase(steps, exec::DrawStep::kXtc);
  steps_ = exec::PackDrawSteps(steps);
  draw_.temperature = params.temperature;
  draw_.top_p = params.top_p;
  draw_.min_p_log = std::log(params.min_p);
  draw_.top_k = static_cast<uint32_t>(std::max(params.top_k, 1));
  draw_.top_n_sigma = params.top_n_sigma;
  draw_.typical_p = params.typical_p;
  draw_.xtc_threshold = params.xtc_threshold;
}

bool TokenChoice::TakeEdits(sample::Sampler* sampler) {
  edits_ = sampler->NextEdits();
  return edits_[0].size() + edits_[1].size() + edits_[2].size() <= exec::kMostEdits;
}

exec::Choice TokenChoice::Next(sample::Sampler* sampler, bool forced) {
  now_ = wanted_;
  if (edited_ && !TakeEdits(sampler)) {
    if (!said_too_many_) {
      Log(LogLevel::kInfo,
          "biases, penalties and DRY change more than {} logits of a token: all logits come from "
          "the GPU to be sampled",
          exec::kMostEdits);
    }
    said_too_many_ = true;
    now_ = Wanted::kLogits;
    return now_;
  }
  exec::Choice choice(now_);
  if (edited_) choice.edits = {&edits_, 1};
  if (now_ != Wanted::kDrawnTokens) return choice;
  const sample::DrawNumbers numbers = forced ? sample::DrawNumbers() : sampler->NextDraw();
  draw_.unit = numbers.unit;
  draw_.steps = numbers.xtc ? xtc_steps_ : steps_;
  draw_.mirostat_least = static_cast<float>(std::exp2(-numbers.mirostat_mu));
  choice.draws = {&draw_, 1};
  return choice;
}

exec::Choice TokenChoice::Unused() const {
  // The best token is the cheapest of what is chosen.
  return wanted_ == Wanted::kLogits ? Wanted::kLogits : Wanted::kBestTokens;
}

Result<int32_t> TokenChoice::Token(const engine::Engine& engine, sample::Sampler* sampler) const {
  // The last row: a step with all logits has one for each of its tokens.
  const int32_t row = engine.n_logits() - 1;
  switch (now_) {
    case Wanted::kLogits:
      return sampler->Sample(engine.logits(row));
    case Wanted::kBestTokens:
      return engine.best_token(row);
    case Wanted::kTopTokens:
      return TokenOfTop(engine, sampler);
    case Wanted::kDrawnTokens:
      break;
  }
  ROCFORGE_ASSIGN_OR_RETURN(const exec::DrawnToken drawn, engine.drawn_token(row));
  sampler->Observe(drawn.surprise);
  return drawn.token;
}

Result<int32_t> TokenChoice::TokenOfTop(const engine::Engine& engine,
                                        sample::Sampler* sampler) const {
  ROCFORGE_ASSIGN_OR_RETURN(const std::span<const exec::TopToken> top,
                            engine.top_tokens(engine.n_logits() - 1));
  std::array<int32_t, exec::kTopTokens> ids;
  std::array<float, exec::kTopTokens> logits;
  for (size_t t = 0; t < top.size(); ++t) {
    ids[t] = top[t].token;
    logits[t] = top[t].logit;
  }
  return sampler->SampleAmong(std::span(ids).first(top.size()),
                              std::span(logits).first(top.size()));
}

}  // namespace rocforge::session
