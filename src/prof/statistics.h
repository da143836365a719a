// What samples say: summaries, and whether two sets of them differ by more than noise. All
// functions give the same result for the same samples.
#pragma once

#include <cstdint>
#include <span>

namespace rocforge::prof {

struct Summary {
  int64_t n = 0;
  double avg = 0;
  double min = 0;
  double max = 0;
  double p50 = 0;
  double p95 = 0;
  double p99 = 0;
};

// All zero for no samples.
Summary Summarise(std::span<const double> samples);

enum class Metric : uint8_t { kAvg, kP50, kP95, kP99 };
inline constexpr int kMetricCount = 4;
const char* MetricName(Metric metric);  // "avg", "p50", ...
double ValueOf(const Summary& summary, Metric metric);

// Quantile p in [0, 1] of ascending samples, linear between neighbours (definition 7 of Hyndman and
// Fan 1996). At least one sample.
double Quantile(std::span<const double> ascending, double p);

struct Interval {
  double low = 0;
  double high = 0;
};

// 95 % percentile bootstrap interval (Efron 1979) of metric(after) / metric(before), both resampled
// on their own. At least one positive sample each.
Interval BootstrapRatio(std::span<const double> before, std::span<const double> after,
                        Metric metric);

// Two-sided p value of the Mann-Whitney U test by the normal approximation with corrections for
// ties and continuity: how likely samples as different as these are where both come from one
// distribution. 1 where either side is empty or all samples are equal.
double MannWhitney(std::span<const double> a, std::span<const double> b);

// Median of ratios measured in pairs, with its interval of at least the 99 % confidence that order
// statistics give (the sign test's interval; needs no assumption about the noise but that pairs are
// independent). Fewer than 8 ratios cannot give it: the interval is then [0, infinity).
struct PairedRatio {
  double ratio = 1;
  Interval interval;
};
PairedRatio MedianOfRatios(std::span<const double> ratios);

}  // namespace rocforge::prof
