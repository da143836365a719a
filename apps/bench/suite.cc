#include "apps/bench/suite.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>
#include <utility>

#include "apps/bench/against.h"
#include "apps/bench/report.h"
#include "apps/exit_code.h"
#include "apps/output.h"
#include "apps/terminal/interrupt.h"
#include "apps/terminal/progress.h"
#include "base/format.h"

namespace rocforge::apps {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kMostSamples = 20000;
// Where samples are long, min-time is not a reason to take nine of them.
constexpr double kPatience = 10;
constexpr double kPatienceS = 1;
constexpr size_t kFewSamples = 3;

class ExactValue final : public bench::PreparedOp {
 public:
  explicit ExactValue(double value) : value_(value) {}
  Result<double> Sample() override { return value_; }

 private:
  double value_;
};

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// How long the threads of this process, together, were ready to run and had no core; 0 where the
// system does not tell (second figure of schedstat, Documentation/scheduler/sched-stats.rst).
double SecondsWaited() {
  double sum_ns = 0;
  std::error_code error;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task", error)) {
    std::ifstream file(task.path() / "schedstat");
    double ran_ns = 0;
    double waited_ns = 0;
    if (file >> ran_ns >> waited_ns) sum_ns += waited_ns;
  }
  return sum_ns * 1e-9;
}

// Until there are enough samples and enough time; kCancelled after Ctrl-C.
Status Measure(const BenchOptions& options, size_t least, bool patient, BenchResult* result) {
  ROCFORGE_ASSIGN_OR_RETURN(const std::unique_ptr<bench::PreparedOp> op, result->test->prepare());
  const int warmup = result->test->exact ? 0 : options.warmup;
  for (int i = 0; i < warmup; ++i) {
    if (Interrupted()) return Cancelled("");
    ROCFORGE_RETURN_IF_ERROR(op->Sample().status());
  }
  const double waited_before = SecondsWaited();
  const Clock::time_point start = Clock::now();
  for (;;) {
    if (Interrupted()) return Cancelled("");
    ROCFORGE_ASSIGN_OR_RETURN(const double sample, op->Sample());
    result->samples.push_back(sample);
    const size_t n = result->samples.size();
    const double elapsed = SecondsSince(start);
    if (result->test->exact || n >= kMostSamples) break;
    if (n >= least && elapsed >= options.min_time_s) break;
    if (!patient && n >= kFewSamples &&
        elapsed >= std::max(kPatienceS, kPatience * options.min_time_s))
      break;
  }
  result->waited = std::max(0.0, SecondsWaited() - waited_before) / SecondsSince(start);
  result->summary = prof::Summarise(result->samples);
  if (const auto* detailed = dynamic_cast<const Detailed*>(op.get()); detailed != nullptr)
    result->details = detailed->Details();
  return {};
}

// What is kept or compared is measured up to so many times, until it did not wait for a core.
constexpr int kTries = 5;
constexpr double kCalm = 0.02;

// The calmest of the tries.
BenchResult MeasureCalmly(const Suite& suite, const BenchOptions& options, const BenchCase* test) {
  const bool once = options.save_baseline.empty() && options.compare_baseline.empty();
  BenchResult calmest;
  for (int i = 0; i < (once ? 1 : kTries); ++i) {
    BenchResult result;
    result.test = test;
    result.status =
        Measure(options, static_cast<size_t>(suite.least_samples), suite.patient, &result);
    const bool done = !result.status.ok() || test->exact || result.waited < kCalm;
    if (i == 0 || done || result.waited < calmest.waited) calmest = std::move(result);
    if (done) break;
  }
  return calmest;
}

// The selected cases; a name must be one case's.
Result<std::vector<const BenchCase*>> Select(const Suite& suite, const BenchOptions& options) {
  std::vector<const BenchCase*> selected;
  std::set<std::string> names;
  for (const BenchCase& test : suite.cases) {
    if (!names.insert(test.name).second)
      return Internal(Format("two cases are called '{}'", test.name));
    if (Selected(options, test.name)) selected.push_back(&test);
  }
  if (selected.empty()) {
    return InvalidArgument(Format("no case of bench {} matches '{}'; --list shows them{}",
                                  suite.name, EscapeForTerminal(options.filter, 60),
                                  options.full ? "" : ", --full --list all of them"));
  }
  return selected;
}

Status PrintList(const std::vector<const BenchCase*>& selected) {
  std::string text;
  for (const BenchCase* test : selected) text += test->name + '\n';
  return WriteStdout(text);
}

prof::Baseline ToBaseline(const Suite& suite, const std::vector<BenchResult>& results) {
  prof::Baseline baseline;
  baseline.suite = suite.name;
  baseline.hardware = suite.machine.hardware;
  baseline.context = suite.machine.context;
  for (const BenchResult& r : results)
    baseline.series.push_back(
        {r.test->name, r.test->unit, r.test->exact, r.samples, r.test->exact ? 0 : r.waited});
  return baseline;
}

// What the baseline says of the results: printed, and the exit code.
Status CompareWithBaseline(const Suite& suite, const BenchOptions& options,
                           const prof::Baseline& before, const std::vector<BenchResult>& results) {
  const prof::Comparison c = prof::Compare(before, ToBaseline(suite, results), options.thresholds);
  ROCFORGE_RETURN_IF_ERROR(PrintComparison(c, options));
  if (c.HardwareDiffers()) {
    return ExitWith(kExitMismatch,
                    FailedPrecondition(Format("{} was measured on something else ({}); nothing was "
                                              "compared",
                                              EscapeForTerminal(options.compare_baseline),
                                              EscapeForTerminal(c.mismatches[0], 200))));
  }
  if (!c.Failed()) return {};
  std::string names;
  for (const prof::Change& change : c.changes) {
    if (change.verdict == prof::Verdict::kRegression || change.verdict == prof::Verdict::kMissing)
      names += (names.empty() ? "" : "; ") + change.name;
  }
  return FailedPrecondition(Format("slower than {}, or not measured: {}",
                                   EscapeForTerminal(options.compare_baseline), names));
}

Status Finish(const Suite& suite, const BenchOptions& options, bool complete, size_t wanted,
              const std::vector<BenchResult>& results) {
  size_t failed = 0;
  for (const BenchResult& r : results) {
    if (r.ok()) continue;
    ++failed;
    std::fprintf(stderr, "%s: %s\n", r.test->name.c_str(), r.status.message().c_str());
  }
  if (!complete) {
    const char* kept = options.save_baseline.empty() ? "" : "; no baseline was written";
    return Cancelled(
        Format("interrupted: {} of {} cases were measured{}", results.size(), wanted, kept));
  }
  if (failed > 0) return Unavailable(Format("{} of {} cases failed", failed, wanted));
  if (options.save_baseline.empty()) return {};
  return prof::SaveBaseline(ToBaseline(suite, results), options.save_baseline);
}

}  // namespace

double BenchResult::ceiling_share() const {
  const double memory = test->peak_bytes_per_s > 0 ? bytes_per_s() / test->peak_bytes_per_s : 0;
  const double compute = test->peak_ops_per_s > 0 ? ops_per_s() / test->peak_ops_per_s : 0;
  return std::max(memory, compute);
}

const char* BenchResult::limit() const {
  if (!(ceiling_share() > 0)) return "";
  const double compute = test->peak_ops_per_s > 0 ? ops_per_s() / test->peak_ops_per_s : 0;
  return compute == ceiling_share() ? "compute" : "memory";
}

BenchCase ExactCase(std::string name, double value, std::string unit,
                    nlohmann::ordered_json about) {
  BenchCase test;
  test.name = std::move(name);
  test.about = std::move(about);
  test.unit = std::move(unit);
  test.exact = true;
  test.prepare = [value]() -> bench::Prepared {
    return std::unique_ptr<bench::PreparedOp>(std::make_unique<ExactValue>(value));
  };
  return test;
}

Status RunSuite(Suite suite, const BenchOptions& options) {
  ROCFORGE_ASSIGN_OR_RETURN(const std::vector<const BenchCase*> selected, Select(suite, options));
  if (options.list) return PrintList(selected);
  if (!options.against.empty()) return RunAgainst(suite.name, options);
  prof::Baseline before;
  if (!options.compare_baseline.empty()) {
    ROCFORGE_ASSIGN_OR_RETURN(before, prof::LoadBaseline(options.compare_baseline));
  }
  if (!options.save_baseline.empty() || !options.compare_baseline.empty())
    ROCFORGE_RETURN_IF_ERROR(AddBinaryHash(&suite.machine));
  const InterruptScope interrupt;
  std::vector<BenchResult> results;
  bool complete = true;
  {
    ProgressBar bar("measuring");
    for (const BenchCase* test : selected) {
      bar.Update(static_cast<double>(results.size()) / static_cast<double>(selected.size()),
                 test->name);
      BenchResult result = MeasureCalmly(suite, options, test);
      complete = result.status.code() != StatusCode::kCancelled;
      if (!complete) break;
      if (!result.status.ok()) result.samples.clear();
      results.push_back(std::move(result));
    }
  }
  ROCFORGE_RETURN_IF_ERROR(PrintResults(suite, options, complete, results));
  ROCFORGE_RETURN_IF_ERROR(Finish(suite, options, complete, selected.size(), results));
  if (options.compare_baseline.empty()) return {};
  return CompareWithBaseline(suite, options, before, results);
}

}  // namespace rocforge::apps
