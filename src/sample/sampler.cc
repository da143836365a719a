#include "sample/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"
#include "base/format.h"

namespace rocforge::sample {
namespace {

constexpr float kGreedyBelow = 1e-6f;

int64_t PenaltyWindow(const SamplerParams& p) {
  const bool on =
      p.repetition_penalty != 1.0f || p.presence_penalty != 0.0f || p.frequency_penalty != 0.0f;
  return on ? p.penalty_last_n : 0;
}

int64_t DryWindow(const SamplerParams& p, int64_t max_history) {
  if (!(p.dry_multiplier > 0)) return 0;
  return p.dry_last_n < 0 ? max_history : std::min<int64_t>(p.dry_last_n, max_history);
}

}  // namespace

Sampler::Sampler(const SamplerParams& params, int64_t n_vocab, int64_t max_history,
                 std::span<const int32_t> dry_breakers)
    : params_(params),
      random_(params.seed),
      mu_(2 * params.mirostat_tau),
      window_(n_vocab, PenaltyWindow(params)),
      dry_(n_vocab, DryWindow(params, max_history),
           {params.dry_multiplier, params.dry_base, params.dry_allowed_length}, dry_breakers),
      candidates_(n_vocab) {}

Result<Sampler> Sampler::Create(const SamplerParams& params, int64_t n_vocab, int64_t max_history,
                                std::span<const int32_t> dry_breakers) {
  ROCFORGE_RETURN_IF_ERROR(Validate(params, n_vocab));
  if (max_history < 0) return InvalidArgument(Format("max_history is {}", max_history));
  for (const int32_t token : dry_breakers) {
    if (token < 0 || token >= n_vocab)
      return InvalidArgument(Format("DRY breaker {} is not a token of the vocabulary", token));
  }
  return Sampler(params, n_vocab, max_history, dry_breakers);
}

void Sampler::Accept(int32_t token) {
  ROCFORGE_CHECK(token >= 0 && static_cast<size_t>(token) < candidates_.capacity());
  window_.Accept(token);
  dry_.Accept(token);
}

void Sampler::Reset() {
  random_ = Random(params_.seed);
  mu_ = 2 * params_.mirostat_tau;
  window_.Clear();
  dry_.Clear();
}

// Repetition penalty: Keskar et al. 2019 (CTRL), in the form that also lowers negative logits.
// Presence and frequency penalty: the definition of OpenAI's API, over the whole window.
void Sampler::Penalize() {
  constexpr float kMax = std::numeric_limits<float>::max();
  candidates_.Touch();
  for (const int32_t token : window_.distinct()) {
    float* logit = candidates_.Find(token);
    if (logit == nullptr || std::isinf(*logit)) continue;
    float x =
        *logit > 0 ? *logit / params_.repetition_penalty : *logit * params_.repetition_penalty;
    x -= params_.presence_penalty;
    x -= params_.frequency_penalty * static_cast<float>(window_.count(token));
    *logit = std::clamp(x, -kMax, kMax);
  }
}

void Sampler::RunKind(SamplerKind kind) {
  const SamplerParams& p = params_;
  const bool greedy = p.temperature < kGreedyBelow;
  const bool truncate = !greedy && p.mirostat == 0;
  switch (kind) {
    case SamplerKind::kPenalties:
      return Penalize();
    case SamplerKind::kDry:
      return dry_.Apply(&candidates_);
    case SamplerKind::kTopNSigma:
      if (truncate && p.top_n_sigma > 0) candidates_.TopNSigma(p.top_n_sigma);
      return;
    case SamplerKind::kTopK:
      if (truncate && p.top_k > 0) candidates_.TopK(p.top_k);
      return;
    case SamplerKind::kTypical:
      if (truncate && p.typical_p < 1) candidates_.Typical(p.typical_p);
      return;
    case SamplerKind::kTopP:
      if (truncate && p.top_p < 1) candidates_.TopP(p.top_p);
      return;
    case SamplerKind::kMinP:
      if (truncate && p.min_p > 0) candidates_.MinP(p.min_p);
      return;
    case SamplerKind::kXtc:
      if (truncate && p.xtc_probability > 0 && p.xtc_threshold <= 0.5f &&
          random_.NextUnit() < p.xtc_probability) {
        candidates_.Xtc(p.xtc_threshold);
      }
      return;
    case SamplerKind::kTemperature:
      if (!greedy && p.temperature != 1) candidates_.Temperature(p.temperature);
      return;
  }
}

namespace {

// Whether a member of the chain changes nothing.
bool IsIdle(SamplerKind kind, const SamplerParams& p) {
  switch (kind) {
    case SamplerKind::kPenalties:
      return p.penalty_last_n == 0 || (p.repetition_penalty == 1.0f && p.presence_penalty == 0.0f &&
                                       p.frequency_penalty == 0.0f);
    case SamplerKind::kDry:
      return p.dry_multiplier == 0.0f;
    case SamplerKind::kTopNSigma:
      return p.top_n_sigma <= 0;
    case SamplerKind::kTopK:
      return p.top_k <= 0;
    case SamplerKind::kTypical:
      return p.typical_p >= 1;
    case SamplerKind::kTopP:
      return p.top_p >= 1;
    case SamplerKind::kMinP:
      return p.min_p <= 0;
    case SamplerKind::kXtc:
      return p.xtc_probability <= 0 || p.xtc_threshold > 0.5f;
    case SamplerKind::kTemperature:
      return p.temperature == 1;
  }
  return false;
}

}  // namespace

int32_t TokensNeeded(const SamplerParams& p) {
  if (p.temperature < kGreedyBelow || p.mirostat != 0 || !p.logit_bias.empty()) return 0;
  const auto first = std::find_if_not(p.order.begin(), p.order.end(),
                                      [&](SamplerKind kind) { return IsIdle(kind, p); });
  return first != p.order.end() && *first == SamplerKind::kTopK ? p.top_k : 0;
}

PlainChain PlainChainOf(const SamplerParams& p) {
  PlainChain chain;
  if (p.temperature < kGreedyBelow) chain.obstacle = "temperature 0";
  if (p.mirostat != 0) chain.obstacle = "mirostat";
  if (!p.logit_bias.empty()) chain.obstacle = "logit_bias";
  for (const SamplerKind kind : p.order) {
    if (IsIdle(kind, p)) continue;
    const bool plain = kind == SamplerKind::kTopK || kind == SamplerKind::kTopP ||
                       kind == SamplerKind::kMinP || kind == SamplerKind::kTemperature;
    if (!plain && chain.obstacle.empty()) chain.obstacle = SamplerKindName(kind);
    chain.kinds.push_back(kind);
  }
  return chain;
}

Result<int32_t> Sampler::Sample(std::span<const float> logits) {
  ROCFORGE_RETURN_IF_ERROR(candidates_.Load(logits));
  return Choose();
}

Result<int32_t> Sampler::SampleAmong(std::span<const int32_t> ids, std::span<const float> logits) {
  ROCFORGE_RETURN_IF_ERROR(candidates_.LoadSome(ids, logits));
  return Choose();
}

Result<int32_t> Sampler::Choose() {
  for (const auto& [token, bias] : params_.logit_bias) {
    float* logit = candidates_.Find(token);
    *logit = std::min(*logit + bias, std::numeric_limits<float>::max());
  }
  for (const SamplerKind kind : params_.order) RunKind(kind);
  if (params_.temperature < kGreedyBelow) return candidates_.TakeBest();
  if (params_.mirostat == 0) return candidates_.Draw(&random_, nullptr);

  // Mirostat 2.0 (Basu et al. 2021, algorithm 2). As in its authors' program, the observed surprise
  // is that of the distribution drawn from.
  candidates_.LimitSurprise(mu_);
  double probability = 0;
  ROCFORGE_ASSIGN_OR_RETURN(const int32_t token, candidates_.Draw(&random_, &probability));
  const double error = -std::log2(probability) - params_.mirostat_tau;
  mu_ -= params_.mirostat_eta * static_cast<float>(error);
  return token;
}

}  // namespace rocforge::sample
