#include "tests/sample/reference.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace rocforge::sample::testing {

Reference::Reference(std::span<const float> logits) {
  for (size_t i = 0; i < logits.size(); ++i) {
    if (!std::isinf(logits[i])) tokens_.push_back({static_cast<int32_t>(i), logits[i], 0, 1e9});
  }
}

void Reference::Softmax() {
  double max = -INFINITY;
  for (const RefToken& t : tokens_) max = std::max(max, t.logit);
  double sum = 0;
  for (const RefToken& t : tokens_) sum += std::exp(t.logit - max);
  for (RefToken& t : tokens_) t.prob = std::exp(t.logit - max) / sum;
}

void Reference::SortByLogit() {
  std::sort(tokens_.begin(), tokens_.end(), [](const RefToken& a, const RefToken& b) {
    return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
  });
}

template <typename Key>
void Reference::Cut(size_t kept, Key key) {
  for (size_t i = 0; i < tokens_.size(); ++i) {
    double margin = 1e9;
    if (kept < tokens_.size()) margin = std::abs(key(tokens_[i]) - key(tokens_[kept]));
    if (i >= kept) margin = std::min(margin, std::abs(key(tokens_[i]) - key(tokens_[kept - 1])));
    tokens_[i].margin = std::min(tokens_[i].margin, margin);
    if (i >= kept && margin < 1e-5) nearly_kept_.push_back(tokens_[i].id);
  }
  tokens_.resize(kept);
}

void Reference::Penalties(std::span<const int32_t> window, double repetition, double presence,
                          double frequency) {
  for (RefToken& t : tokens_) {
    const auto count = std::count(window.begin(), window.end(), t.id);
    if (count == 0) continue;
    t.logit = t.logit > 0 ? t.logit / repetition : t.logit * repetition;
    t.logit -= presence + frequency * static_cast<double>(count);
  }
}

void Reference::Dry(std::span<const int32_t> history, const SamplerParams& params,
                    std::span<const int32_t> breakers) {
  const auto is_breaker = [&](int32_t id) {
    return std::find(breakers.begin(), breakers.end(), id) != breakers.end();
  };
  const int n = static_cast<int>(history.size());
  std::map<int32_t, int> longest;
  for (int i = 0; i + 1 < n; ++i) {  // the earlier text ends at i; what followed would be repeated
    int length = 0;
    while (i - length >= 0) {
      const int32_t now = history[static_cast<size_t>(n - 1 - length)];
      if (history[static_cast<size_t>(i - length)] != now || is_breaker(now)) break;
      ++length;
    }
    const int32_t next = history[static_cast<size_t>(i + 1)];
    if (!is_breaker(next)) longest[next] = std::max(longest[next], length);
  }
  for (RefToken& t : tokens_) {
    if (!longest.contains(t.id) || longest[t.id] < params.dry_allowed_length) continue;
    t.logit -= params.dry_multiplier * std::pow(static_cast<double>(params.dry_base),
                                                longest[t.id] - params.dry_allowed_length);
  }
}

void Reference::TopNSigma(double n) {
  double mean = 0;
  for (const RefToken& t : tokens_) mean += t.logit / static_cast<double>(tokens_.size());
  double variance = 0;
  for (const RefToken& t : tokens_) {
    variance += (t.logit - mean) * (t.logit - mean) / static_cast<double>(tokens_.size());
  }
  SortByLogit();
  const double limit = tokens_[0].logit - n * std::sqrt(variance);
  size_t kept = 0;
  while (kept < tokens_.size() && tokens_[kept].logit >= limit) ++kept;
  Cut(kept, [](const RefToken& t) { return t.logit; });
}

void Reference::TopK(int k) {
  SortByLogit();
  Cut(std::min(tokens_.size(), static_cast<size_t>(k)), [](const RefToken& t) { return t.logit; });
}

void Reference::TopP(double p) {
  Softmax();
  SortByLogit();
  double sum = 0;
  size_t kept = 0;
  while (kept < tokens_.size() && (kept == 0 || sum < p)) sum += tokens_[kept++].prob;
  Cut(kept, [](const RefToken& t) { return t.logit; });
}

void Reference::Typical(double p) {
  Softmax();
  double entropy = 0;
  for (const RefToken& t : tokens_) entropy -= t.prob > 0 ? t.prob * std::log(t.prob) : 0;
  const auto distance = [&](const RefToken& t) { return std::abs(-std::log(t.prob) - entropy); };
  std::sort(tokens_.begin(), tokens_.end(), [&](const RefToken& a, const RefToken& b) {
    return distance(a) != distance(b) ? distance(a) < distance(b) : a.id < b.id;
  });
  double sum = 0;
  size_t kept = 0;
  while (kept < tokens_.size() && (kept == 0 || sum < p)) sum += tokens_[kept++].prob;
  Cut(kept, distance);
}

void Reference::MinP(double p) {
  Softmax();
  SortByLogit();
  size_t kept = 0;
  while (kept < tokens_.size() && tokens_[kept].prob >= p * tokens_[0].prob) ++kept;
  Cut(kept, [](const RefToken& t) { return t.logit; });
}

void Reference::Xtc(double threshold) {
  Softmax();
  SortByLogit();
  size_t above = 0;
  while (above < tokens_.size() && tokens_[above].prob >= threshold) ++above;
  if (above >= 2)
    tokens_.erase(tokens_.begin(), tokens_.begin() + static_cast<std::ptrdiff_t>(above - 1));
}

void Reference::Temperature(double t) {
  for (RefToken& token : tokens_) token.logit /= t;
}

std::vector<RefToken> Reference::Tokens() const {
  Reference copy = *this;
  copy.Softmax();
  std::sort(copy.tokens_.begin(), copy.tokens_.end(),
            [](const RefToken& a, const RefToken& b) { return a.id < b.id; });
  return copy.tokens_;
}

std::vector<float> RandomLogits(std::mt19937_64* gen, size_t n, float sigma) {
  std::normal_distribution<float> normal(0.0f, sigma);
  std::vector<float> logits(n);
  for (float& x : logits) x = normal(*gen);
  return logits;
}

}  // namespace rocforge::sample::testing
