// Measurements kept in a file, and what became better or worse since.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "prof/statistics.h"
#include "rocforge/status.h"

namespace rocforge::prof {

// One measured case. Smaller samples are better.
struct Series {
  std::string name;             // "matmul Q4_K 4096x4096 b1"
  std::string unit = "s";       // "s", "bytes", ...
  bool exact = false;           // counted, not timed: the same on every run
  std::vector<double> samples;  // positive
  double waited = 0;            // share of the time that its threads waited for a core
};

using Facts = std::vector<std::pair<std::string, std::string>>;

struct Baseline {
  std::string suite;
  Facts hardware;  // must be the same to compare: CPU, GPU, threads, instruction set, model
  Facts context;   // worth knowing: driver, clocks, governor, commit, hashes, time
  std::vector<Series> series;
};

// Written through a temporary file. Of a series at most 256 samples are kept, evenly spaced;
// summaries are of all. kUnavailable with the system's reason.
Status SaveBaseline(const Baseline& baseline, const std::string& path);

// kNotFound; kDataLoss for a file that is no baseline, is damaged or is of another version.
Result<Baseline> LoadBaseline(const std::string& path);

struct Thresholds {
  double avg = 0.10;
  double p50 = 0.10;
  double p95 = 0.15;
  double p99 = 0.20;
  double operator[](Metric metric) const;
};

enum class Verdict : uint8_t {
  kOk,
  kImproved,
  kRegression,
  kNoisy,             // beyond a threshold, but not beyond the noise
  kHardwareMismatch,  // measured on something else: not compared
  kMissing,           // on one side only, or without samples
};
const char* VerdictName(Verdict verdict);  // "Ok", "Improved", ...

struct Change {
  std::string name;
  std::string unit;
  Verdict verdict = Verdict::kOk;
  bool in_baseline = false;
  bool measured = false;
  Summary before;
  Summary after;
  // What decided, or p50: after / before and the interval of that.
  Metric metric = Metric::kP50;
  double ratio = 1;
  Interval interval;
  std::string note;
};

struct Comparison {
  std::vector<Change> changes;          // in the order of the measurement, then what it lacks
  std::vector<std::string> mismatches;  // "cpu: EPYC 7763 then, Ryzen 9 now"
  std::vector<std::string> notes;       // other facts that differ, in the same form
  std::vector<std::string> warnings;    // too few samples

  bool HardwareDiffers() const { return !mismatches.empty(); }
  int Count(Verdict verdict) const;
  // A regression, or a case that the baseline has and this run wanted but could not measure.
  bool Failed() const;
};

// Fewer samples than this decide nothing but by an interval that is wide.
inline constexpr int64_t kEnoughSamples = 9;

// `now` holds all cases that were wanted; one that failed has no samples. Cases of the baseline
// that `now` does not hold were not wanted (another selection) and are left out. A metric counts as
// changed where
//   * its ratio is beyond the threshold,
//   * the bootstrap interval of the ratio does not hold 1, and for avg and p50 the Mann-Whitney
//     test gives p < 0.01,
//   * the best sample moved the same way by a third of the threshold: a busy machine slows most
//     samples, slower code slows all. A tail (p95, p99) may move alone where both runs were calm:
//     median within 5 % of the best sample.
//   * its threads waited for a core less than 2 % of the time: else something else ran.
// Beyond the threshold and not all of these is kNoisy. Tails are judged from 20 (p95) and 100 (p99)
// samples on. Exact series need only the threshold.
Comparison Compare(const Baseline& before, const Baseline& now, const Thresholds& thresholds);

}  // namespace rocforge::prof
