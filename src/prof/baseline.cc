#include "prof/baseline.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/format.h"

namespace rocforge::prof {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kFormat = "rocforge-baseline";
constexpr int kBaselineVersion = 1;
constexpr size_t kMostSamples = 256;
constexpr double kSignificant = 0.01;
constexpr double kCalm = 0.05;
constexpr double kWaited = 0.02;
constexpr int64_t kP95Samples = 20;
constexpr int64_t kP99Samples = 100;

std::vector<double> Thinned(const std::vector<double>& samples) {
  if (samples.size() <= kMostSamples) return samples;
  std::vector<double> kept(kMostSamples);
  for (size_t i = 0; i < kMostSamples; ++i) kept[i] = samples[i * samples.size() / kMostSamples];
  return kept;
}

Json ToJson(const Facts& facts) {
  Json json = Json::object();
  for (const auto& [name, value] : facts) json[name] = value;
  return json;
}

Json ToJson(const Series& series) {
  const Summary s = Summarise(series.samples);
  return Json{{"name", series.name},
              {"unit", series.unit},
              {"exact", series.exact},
              {"n", s.n},
              {"avg", s.avg},
              {"min", s.min},
              {"max", s.max},
              {"p50", s.p50},
              {"p95", s.p95},
              {"p99", s.p99},
              {"waited", series.waited},
              {"samples", Thinned(series.samples)}};
}

bool ReadFacts(const Json& json, const char* name, Facts* facts) {
  const auto found = json.find(name);
  if (found == json.end() || !found->is_object()) return false;
  for (const auto& [key, value] : found->items()) {
    if (!value.is_string()) return false;
    facts->emplace_back(key, value.get<std::string>());
  }
  return true;
}

bool ReadText(const Json& json, const char* name, std::string* text) {
  const auto found = json.find(name);
  if (found == json.end() || !found->is_string()) return false;
  *text = found->get<std::string>();
  return true;
}

bool ReadSeries(const Json& json, Series* series) {
  if (!json.is_object() || !ReadText(json, "name", &series->name) ||
      !ReadText(json, "unit", &series->unit)) {
    return false;
  }
  const auto exact = json.find("exact");
  const auto samples = json.find("samples");
  if (exact == json.end() || !exact->is_boolean()) return false;
  if (samples == json.end() || !samples->is_array() || samples->empty()) return false;
  series->exact = exact->get<bool>();
  const auto waited = json.find("waited");
  if (waited == json.end() || !waited->is_number()) return false;
  series->waited = waited->get<double>();
  for (const Json& sample : *samples) {
    if (!sample.is_number()) return false;
    const auto value = sample.get<double>();
    if (!(value > 0) || !std::isfinite(value)) return false;
    series->samples.push_back(value);
  }
  return true;
}

Result<Baseline> Parse(const std::string& text, const std::string& shown) {
  const Json json = Json::parse(text, nullptr, false);
  const auto damaged = [&](const char* what) {
    return DataLoss(Format("{} is no usable baseline: {}", shown, what));
  };
  if (json.is_discarded() || !json.is_object()) return damaged("it is not a JSON object");
  std::string format;
  if (!ReadText(json, "format", &format) || format != kFormat)
    return damaged("it is another kind of file");
  const auto version = json.find("version");
  if (version == json.end() || !version->is_number_integer()) return damaged("no version");
  if (version->get<int64_t>() != kBaselineVersion) {
    return DataLoss(Format("{} is a baseline of version {}; this build reads version {}", shown,
                           version->get<int64_t>(), kBaselineVersion));
  }
  Baseline baseline;
  if (!ReadText(json, "suite", &baseline.suite)) return damaged("no suite");
  if (!ReadFacts(json, "hardware", &baseline.hardware) || baseline.hardware.empty())
    return damaged("no hardware");
  if (!ReadFacts(json, "context", &baseline.context)) return damaged("no context");
  const auto results = json.find("results");
  if (results == json.end() || !results->is_array() || results->empty())
    return damaged("no results");
  for (const Json& result : *results) {
    if (!ReadSeries(result, &baseline.series.emplace_back())) return damaged("a bad result");
  }
  return baseline;
}

void CompareFacts(const Facts& before, const Facts& now, std::vector<std::string>* differences) {
  const auto value = [](const Facts& facts, const std::string& name) {
    const auto found = std::find_if(facts.begin(), facts.end(),
                                    [&](const auto& fact) { return fact.first == name; });
    return found == facts.end() ? std::string("nothing") : found->second;
  };
  const auto add = [&](const std::string& name) {
    const std::string then = value(before, name);
    const std::string current = value(now, name);
    if (then != current)
      differences->push_back(Format("{}: {} in the baseline, {} now", name, then, current));
  };
  for (const auto& fact : now) add(fact.first);
  for (const auto& fact : before) {
    if (value(now, fact.first) == "nothing") add(fact.first);
  }
}

const Series* FindSeries(const Baseline& baseline, const std::string& name) {
  for (const Series& s : baseline.series) {
    if (s.name == name) return &s;
  }
  return nullptr;
}

// Decides one case that both sides have measured.
class Judge {
 public:
  Judge(const Series& before, const Series& after, const Thresholds& thresholds, Change* change)
      : before_(before), after_(after), thresholds_(thresholds), change_(change) {}

  void Decide() {
    const Summary& b = change_->before;
    const Summary& a = change_->after;
    change_->ratio = a.p50 / b.p50;
    change_->interval = {change_->ratio, change_->ratio};
    if (before_.exact && after_.exact) return DecideExact();
    change_->interval = BootstrapRatio(before_.samples, after_.samples, Metric::kP50);
    p_value_ = MannWhitney(before_.samples, after_.samples);
    calm_ = b.p50 / b.min - 1 < kCalm && a.p50 / a.min - 1 < kCalm;
    // The verdict of the metric that speaks loudest; among equals the first.
    for (int i = 0; i < kMetricCount; ++i) Consider(static_cast<Metric>(i));
  }

 private:
  void DecideExact() {
    if (change_->ratio > 1 + thresholds_.p50) change_->verdict = Verdict::kRegression;
    if (change_->ratio < 1 / (1 + thresholds_.p50)) change_->verdict = Verdict::kImproved;
  }

  static int Weight(Verdict verdict) {
    return verdict == Verdict::kRegression ? 3
           : verdict == Verdict::kNoisy    ? 2
           : verdict == Verdict::kImproved ? 1
                                           : 0;
  }

  void Consider(Metric metric) {
    const int64_t least = metric == Metric::kP95   ? kP95Samples
                          : metric == Metric::kP99 ? kP99Samples
                                                   : 1;
    if (std::min(change_->before.n, change_->after.n) < least) return;
    const double ratio = ValueOf(change_->after, metric) / ValueOf(change_->before, metric);
    const double threshold = thresholds_[metric];
    const bool slower = ratio > 1 + threshold;
    if (!slower && ratio > 1 / (1 + threshold)) return;
    const Interval interval = BootstrapRatio(before_.samples, after_.samples, metric);
    const bool tail = metric == Metric::kP95 || metric == Metric::kP99;
    const double best = change_->after.min / change_->before.min;
    const bool best_moved = slower ? best > 1 + threshold / 3 : best < 1 / (1 + threshold / 3);
    std::string note;
    const double waited = slower ? after_.waited : before_.waited;
    if (waited >= kWaited) {
      note = Format("waited {:.0f} % of the time for a core", 100 * waited);
    } else if (slower ? interval.low <= 1 : interval.high >= 1) {
      note = "within the noise";
    } else if (!tail && p_value_ >= kSignificant) {
      note = "within the noise";
    } else if (!best_moved && !(tail && calm_)) {
      note = "the best sample did not move: a busy machine?";
    }
    // Noise that makes things look better needs no word.
    const Verdict verdict = note.empty() ? (slower ? Verdict::kRegression : Verdict::kImproved)
                            : slower     ? Verdict::kNoisy
                                         : Verdict::kOk;
    if (Weight(verdict) <= Weight(change_->verdict)) return;
    change_->verdict = verdict;
    change_->metric = metric;
    change_->ratio = ratio;
    change_->interval = interval;
    change_->note = note;
  }

  const Series& before_;
  const Series& after_;
  const Thresholds& thresholds_;
  Change* change_;
  double p_value_ = 1;
  bool calm_ = false;
};

}  // namespace

double Thresholds::operator[](Metric metric) const {
  const double values[kMetricCount] = {avg, p50, p95, p99};
  return values[static_cast<size_t>(metric)];
}

const char* VerdictName(Verdict verdict) {
  constexpr const char* kNames[] = {"Ok",    "Improved",         "Regression",
                                    "Noisy", "HardwareMismatch", "Missing"};
  return kNames[static_cast<size_t>(verdict)];
}

int Comparison::Count(Verdict verdict) const {
  return static_cast<int>(std::count_if(changes.begin(), changes.end(), [&](const Change& change) {
    return change.verdict == verdict;
  }));
}

bool Comparison::Failed() const {
  return std::any_of(changes.begin(), changes.end(), [](const Change& change) {
    return change.verdict == Verdict::kRegression ||
           (change.verdict == Verdict::kMissing && change.in_baseline);
  });
}

Status SaveBaseline(const Baseline& baseline, const std::string& path) {
  const auto dump = [](const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
  };
  // One line a case: small differences in version control.
  std::string text = Format("{{\"format\": {}, \"version\": {}, \"suite\": {},\n", dump(kFormat),
                            kBaselineVersion, dump(baseline.suite));
  text += Format(" \"hardware\": {},\n \"context\": {},\n \"results\": [",
                 dump(ToJson(baseline.hardware)), dump(ToJson(baseline.context)));
  const char* separator = "\n  ";
  for (const Series& series : baseline.series) {
    if (series.samples.empty()) continue;
    text += separator + dump(ToJson(series));
    separator = ",\n  ";
  }
  text += "]}\n";
  const std::string temporary = Format("{}.{}", path, getpid());
  errno = 0;
  {
    std::ofstream file(temporary, std::ios::trunc);
    file << text;
    file.flush();
    if (!file) {
      const std::string reason = std::strerror(errno);
      std::remove(temporary.c_str());
      return Unavailable(Format("cannot write {}: {}", EscapeForTerminal(path), reason));
    }
  }
  std::error_code error;
  std::filesystem::rename(temporary, path, error);
  if (!error) return {};
  std::remove(temporary.c_str());
  return Unavailable(Format("cannot write {}: {}", EscapeForTerminal(path), error.message()));
}

Result<Baseline> LoadBaseline(const std::string& path) {
  const std::string shown = EscapeForTerminal(path);
  std::error_code error;
  if (std::filesystem::is_directory(path, error))
    return InvalidArgument(Format("{} is a folder, not a baseline", shown));
  std::ifstream file(path, std::ios::binary);
  if (!file)
    return NotFound(Format("cannot read the baseline {}: {}", shown, std::strerror(errno)));
  std::ostringstream text;
  text << file.rdbuf();
  return Parse(text.str(), shown);
}

Comparison Compare(const Baseline& before, const Baseline& now, const Thresholds& thresholds) {
  Comparison result;
  CompareFacts(before.hardware, now.hardware, &result.mismatches);
  if (before.suite != now.suite)
    result.mismatches.push_back(
        Format("suite: {} in the baseline, {} now", before.suite, now.suite));
  CompareFacts(before.context, now.context, &result.notes);
  int few = 0;
  for (const Series& after : now.series) {
    Change& change = result.changes.emplace_back();
    change.name = after.name;
    change.unit = after.unit;
    change.after = Summarise(after.samples);
    change.measured = !after.samples.empty();
    const Series* const found = FindSeries(before, after.name);
    change.in_baseline = found != nullptr;
    if (found != nullptr) change.before = Summarise(found->samples);
    if (result.HardwareDiffers()) {
      change.verdict = Verdict::kHardwareMismatch;
    } else if (found == nullptr || !change.measured || found->unit != after.unit) {
      change.verdict = Verdict::kMissing;
      change.note = found == nullptr   ? "not in the baseline"
                    : !change.measured ? "could not be measured"
                                       : "measured in another unit";
    } else {
      if (!after.exact) few += std::min(change.before.n, change.after.n) < kEnoughSamples;
      Judge(*found, after, thresholds, &change).Decide();
    }
  }
  if (few > 0) {
    result.warnings.push_back(
        Format("{} of {} cases have fewer than {} samples, which decides little: raise --min-time",
               few, result.changes.size(), kEnoughSamples));
  }
  return result;
}

}  // namespace rocforge::prof
