#include "prof/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

namespace rocforge::prof {
namespace {

constexpr int kResamples = 1000;
constexpr double kTail = 0.025;  // on each side of a 95 % interval
constexpr double kPairedTail = 0.005;

std::vector<double> Ascending(std::span<const double> samples) {
  std::vector<double> sorted(samples.begin(), samples.end());
  std::sort(sorted.begin(), sorted.end());
  return sorted;
}

double Average(std::span<const double> samples) {
  return std::accumulate(samples.begin(), samples.end(), 0.0) / static_cast<double>(samples.size());
}

// Resamples and evaluates; the buffer is kept between calls.
class Resampler {
 public:
  Resampler(std::span<const double> samples, Metric metric)
      : samples_(samples), metric_(metric), drawn_(samples.size()) {}

  double Draw(std::mt19937& random) {
    for (double& d : drawn_) d = samples_[random() % samples_.size()];
    if (metric_ == Metric::kAvg) return Average(drawn_);
    std::sort(drawn_.begin(), drawn_.end());
    return Quantile(drawn_, metric_ == Metric::kP50 ? 0.5 : metric_ == Metric::kP95 ? 0.95 : 0.99);
  }

 private:
  std::span<const double> samples_;
  Metric metric_;
  std::vector<double> drawn_;
};

}  // namespace

double Quantile(std::span<const double> ascending, double p) {
  const double at = p * static_cast<double>(ascending.size() - 1);
  const auto below = static_cast<size_t>(at);
  const size_t above = std::min(below + 1, ascending.size() - 1);
  const double part = at - static_cast<double>(below);
  return ascending[below] + part * (ascending[above] - ascending[below]);
}

Summary Summarise(std::span<const double> samples) {
  Summary s;
  if (samples.empty()) return s;
  const std::vector<double> sorted = Ascending(samples);
  s.n = static_cast<int64_t>(sorted.size());
  s.avg = Average(sorted);
  s.min = sorted.front();
  s.max = sorted.back();
  s.p50 = Quantile(sorted, 0.5);
  s.p95 = Quantile(sorted, 0.95);
  s.p99 = Quantile(sorted, 0.99);
  return s;
}

const char* MetricName(Metric metric) {
  constexpr const char* kNames[kMetricCount] = {"avg", "p50", "p95", "p99"};
  return kNames[static_cast<size_t>(metric)];
}

double ValueOf(const Summary& summary, Metric metric) {
  const double values[kMetricCount] = {summary.avg, summary.p50, summary.p95, summary.p99};
  return values[static_cast<size_t>(metric)];
}

Interval BootstrapRatio(std::span<const double> before, std::span<const double> after,
                        Metric metric) {
  std::mt19937 random(1);
  Resampler resample_before(before, metric);
  Resampler resample_after(after, metric);
  std::vector<double> ratios(kResamples);
  for (double& ratio : ratios) {
    const double b = resample_before.Draw(random);
    ratio = resample_after.Draw(random) / b;
  }
  std::sort(ratios.begin(), ratios.end());
  return {Quantile(ratios, kTail), Quantile(ratios, 1 - kTail)};
}

double MannWhitney(std::span<const double> a, std::span<const double> b) {
  if (a.empty() || b.empty()) return 1;
  struct Entry {
    double value;
    bool first;
  };
  std::vector<Entry> all;
  all.reserve(a.size() + b.size());
  for (const double v : a) all.push_back({v, true});
  for (const double v : b) all.push_back({v, false});
  std::sort(all.begin(), all.end(),
            [](const Entry& x, const Entry& y) { return x.value < y.value; });
  double rank_sum = 0;  // of a; ties share their mean rank
  double ties = 0;
  for (size_t begin = 0; begin < all.size();) {
    size_t end = begin;
    while (end < all.size() && all[end].value == all[begin].value) ++end;
    const auto count = static_cast<double>(end - begin);
    const double rank = 0.5 * static_cast<double>(begin + 1 + end);
    for (size_t i = begin; i < end; ++i) rank_sum += all[i].first ? rank : 0;
    ties += count * count * count - count;
    begin = end;
  }
  const auto n = static_cast<double>(all.size());
  const auto n_a = static_cast<double>(a.size());
  const auto n_b = static_cast<double>(b.size());
  const double u = rank_sum - n_a * (n_a + 1) / 2;
  const double variance = n_a * n_b / 12 * (n + 1 - ties / (n * (n - 1)));
  if (!(variance > 0)) return 1;
  const double distance = std::max(0.0, std::abs(u - n_a * n_b / 2) - 0.5);
  return std::erfc(distance / std::sqrt(2 * variance));
}

PairedRatio MedianOfRatios(std::span<const double> ratios) {
  PairedRatio result;
  result.interval = {0, std::numeric_limits<double>::infinity()};
  if (ratios.empty()) return result;
  const std::vector<double> sorted = Ascending(ratios);
  result.ratio = Quantile(sorted, 0.5);
  // The k smallest and the k largest lie outside: the largest k with P(Binomial(n, 1/2) < k) within
  // the tail.
  const auto n = static_cast<double>(sorted.size());
  double probability = std::pow(0.5, n);
  double below = 0;
  size_t k = 0;
  while (k < sorted.size() / 2 && below + probability <= kPairedTail) {
    below += probability;
    probability *= (n - static_cast<double>(k)) / static_cast<double>(k + 1);
    ++k;
  }
  if (k == 0) return result;
  result.interval = {sorted[k - 1], sorted[sorted.size() - k]};
  return result;
}

}  // namespace rocforge::prof
