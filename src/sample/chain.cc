// What of a chain can be done where the logits are.
#include <algorithm>

#include "base/format.h"
#include "sample/sampler.h"

namespace rocforge::sample {
namespace {

// XTC with a lower threshold is about tokens whose weights a device may no longer tell apart.
constexpr float kLeastXtcThreshold = 1e-6f;

// Whether a member of the chain changes nothing.
bool IsIdle(SamplerKind kind, const SamplerParams& p) {
  const bool truncates = !IsGreedy(p) && p.mirostat == 0;
  switch (kind) {
    case SamplerKind::kPenalties:
      return p.penalty_last_n == 0 || (p.repetition_penalty == 1.0f && p.presence_penalty == 0.0f &&
                                       p.frequency_penalty == 0.0f);
    case SamplerKind::kDry:
      return p.dry_multiplier == 0.0f;
    case SamplerKind::kTopNSigma:
      return !truncates || p.top_n_sigma <= 0;
    case SamplerKind::kTopK:
      return !truncates || p.top_k <= 0;
    case SamplerKind::kTypical:
      return !truncates || p.typical_p >= 1;
    case SamplerKind::kTopP:
      return !truncates || p.top_p >= 1;
    case SamplerKind::kMinP:
      return !truncates || p.min_p <= 0;
    case SamplerKind::kXtc:
      return !truncates || p.xtc_probability <= 0 || p.xtc_threshold > 0.5f;
    case SamplerKind::kTemperature:
      return IsGreedy(p) || p.temperature == 1;
  }
  return false;
}

bool IsEdit(SamplerKind kind) {
  return kind == SamplerKind::kPenalties || kind == SamplerKind::kDry;
}

bool Weighs(SamplerKind kind) {
  return kind == SamplerKind::kTypical || kind == SamplerKind::kTopP || kind == SamplerKind::kXtc;
}

// Whether `kind` acts after `cuts`, where a device cannot do it; the words why, else empty.
std::string ObstacleAt(SamplerKind kind, const std::vector<SamplerKind>& cuts,
                       bool weighs_otherwise) {
  const std::string name = SamplerKindName(kind);
  if (!cuts.empty() && (IsEdit(kind) || kind == SamplerKind::kTopNSigma))
    return Format("{} after {}", name, SamplerKindName(cuts.back()));
  if (!cuts.empty() && cuts.back() == SamplerKind::kXtc) return Format("{} after xtc", name);
  if (Weighs(kind) && weighs_otherwise)
    return Format("{} after a temperature that follows another cut by mass", name);
  return "";
}

}  // namespace

bool Acts(SamplerKind kind, const SamplerParams& p) {
  return !IsIdle(kind, p) && std::find(p.order.begin(), p.order.end(), kind) != p.order.end();
}

size_t FirstCut(const SamplerParams& p) {
  const auto first = std::find_if_not(p.order.begin(), p.order.end(), [&](SamplerKind kind) {
    return IsEdit(kind) || IsIdle(kind, p);
  });
  return static_cast<size_t>(first - p.order.begin());
}

bool EditsLogits(const SamplerParams& p) {
  return !p.logit_bias.empty() || !EditStepsOf(p).empty();
}

std::vector<EditStep> EditStepsOf(const SamplerParams& p) {
  std::vector<EditStep> steps;
  double scale = 1;
  for (const SamplerKind kind : p.order) {
    if (IsIdle(kind, p)) continue;
    if (IsEdit(kind)) {
      steps.push_back({kind, scale});
    } else if (kind == SamplerKind::kTemperature) {
      scale = static_cast<double>(p.temperature);
    } else {
      break;
    }
  }
  return steps;
}

int32_t TokensNeeded(const SamplerParams& p) {
  const size_t first = FirstCut(p);
  return first < p.order.size() && p.order[first] == SamplerKind::kTopK ? p.top_k : 0;
}

DeviceChain DeviceChainOf(const SamplerParams& p) {
  DeviceChain chain;
  std::vector<SamplerKind> cuts;
  bool weighed = false;
  bool weighs_otherwise = false;  // the temperature has changed since
  for (const SamplerKind kind : p.order) {
    if (IsIdle(kind, p)) continue;
    if (kind == SamplerKind::kTemperature) {
      weighs_otherwise = weighed;
    } else {
      std::string obstacle = ObstacleAt(kind, cuts, weighs_otherwise);
      if (kind == SamplerKind::kXtc && p.xtc_threshold < kLeastXtcThreshold)
        obstacle = Format("an xtc_threshold of {}", p.xtc_threshold);
      if (chain.obstacle.empty()) chain.obstacle = std::move(obstacle);
      weighed = weighed || Weighs(kind);
    }
    if (IsEdit(kind)) continue;
    chain.kinds.push_back(kind);
    if (kind != SamplerKind::kTemperature) cuts.push_back(kind);
  }
  return chain;
}

}  // namespace rocforge::sample
