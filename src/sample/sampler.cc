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

std::vector<LogitEdit> MergedBias(const SamplerParams& p) {
  std::vector<LogitEdit> edits;
  for (const auto& [token, bias] : p.logit_bias) edits.push_back({token, 1, -double{bias}});
  std::stable_sort(edits.begin(), edits.end(),
                   [](const LogitEdit& a, const LogitEdit& b) { return a.token < b.token; });
  size_t n = 0;
  for (const LogitEdit& edit : edits) {
    if (n > 0 && edits[n - 1].token == edit.token) {
      edits[n - 1].minus += edit.minus;
    } else {
      edits[n++] = edit;
    }
  }
  edits.resize(n);
  return edits;
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
      edit_steps_(EditStepsOf(params)),
      has_xtc_(Acts(SamplerKind::kXtc, params)),
      bias_(MergedBias(params)),
      candidates_(n_vocab) {
  const int64_t window = PenaltyWindow(params);
  const auto most = static_cast<size_t>(window < 0 ? n_vocab : std::min(window, n_vocab));
  edits_.reserve(most + dry_.most_edits());
}

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
void Sampler::AppendEdits(SamplerKind kind, double scale) {
  if (kind == SamplerKind::kDry) return dry_.AppendEdits(scale, &edits_);
  for (const int32_t token : window_.distinct()) {
    const double minus =
        params_.presence_penalty + double{params_.frequency_penalty} * window_.count(token);
    edits_.push_back({token, params_.repetition_penalty, minus * scale});
  }
}

EditLists Sampler::NextEdits() {
  edits_.clear();
  size_t end[2] = {};
  for (size_t i = 0; i < edit_steps_.size(); ++i) {
    AppendEdits(edit_steps_[i].kind, edit_steps_[i].scale);
    end[i] = edits_.size();
  }
  const std::span<const LogitEdit> all(edits_);
  const size_t all_end = std::max(end[0], end[1]);
  return {std::span<const LogitEdit>(bias_), all.first(end[0]),
          all.subspan(end[0], all_end - end[0])};
}

DrawNumbers Sampler::NextDraw() {
  DrawNumbers numbers;
  if (has_xtc_) numbers.xtc = random_.NextUnit() < params_.xtc_probability;
  numbers.unit = random_.NextUnit();
  numbers.mirostat_mu = mu_;
  return numbers;
}

void Sampler::Observe(double surprise) {
  if (params_.mirostat == 0) return;
  mu_ -= params_.mirostat_eta * static_cast<float>(surprise - params_.mirostat_tau);
}

void Sampler::RunKind(SamplerKind kind) {
  const SamplerParams& p = params_;
  if (!Acts(kind, p)) return;
  switch (kind) {
    case SamplerKind::kPenalties:
    case SamplerKind::kDry:
      edits_.clear();
      AppendEdits(kind, 1);
      return candidates_.Apply(edits_);
    case SamplerKind::kTopNSigma:
      return candidates_.TopNSigma(p.top_n_sigma);
    case SamplerKind::kTopK:
      return candidates_.TopK(p.top_k);
    case SamplerKind::kTypical:
      return candidates_.Typical(p.typical_p);
    case SamplerKind::kTopP:
      return candidates_.TopP(p.top_p);
    case SamplerKind::kMinP:
      return candidates_.MinP(p.min_p);
    case SamplerKind::kXtc:
      if (random_.NextUnit() < p.xtc_probability) candidates_.Xtc(p.xtc_threshold);
      return;
    case SamplerKind::kTemperature:
      return candidates_.Temperature(p.temperature);
  }
}

bool IsGreedy(const SamplerParams& p) { return p.temperature < kGreedyBelow; }

Result<int32_t> Sampler::Sample(std::span<const float> logits) {
  ROCFORGE_RETURN_IF_ERROR(candidates_.Load(logits));
  candidates_.Apply(bias_);
  return Choose(0);
}

Result<int32_t> Sampler::SampleAmong(std::span<const int32_t> ids, std::span<const float> logits) {
  ROCFORGE_RETURN_IF_ERROR(candidates_.LoadSome(ids, logits));
  return Choose(FirstCut(params_));
}

Result<int32_t> Sampler::Choose(size_t first) {
  for (size_t i = first; i < params_.order.size(); ++i) RunKind(params_.order[i]);
  if (IsGreedy(params_)) return candidates_.TakeBest();
  if (params_.mirostat == 0) return candidates_.Draw(&random_, nullptr);

  // Mirostat 2.0 (Basu et al. 2021, algorithm 2). As in its authors' program, the observed surprise
  // is that of the distribution drawn from.
  candidates_.LimitSurprise(mu_);
  double probability = 0;
  ROCFORGE_ASSIGN_OR_RETURN(const int32_t token, candidates_.Draw(&random_, &probability));
  Observe(-std::log2(probability));
  return token;
}

}  // namespace rocforge::sample
