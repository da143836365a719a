#include "apps/bench/options.h"

#include <cstdlib>
#include <sstream>
#include <vector>

#include "base/format.h"

namespace rocforge::apps {
namespace {

std::string CheckNumber(const std::string& text, double least, double most) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (end == text.c_str() || *end != '\0') return Format("'{}' is no number", text);
  return value >= least && value <= most ? ""
                                         : Format("{} is not from {} to {}", text, least, most);
}

// A threshold in percent.
void AddPercent(Command command, const char* name, const char* about,
                const std::vector<double*>& fractions) {
  command
      .AddOptionFunction(
          name,
          [fractions](const std::string& percent) {
            for (double* fraction : fractions)
              *fraction = std::strtod(percent.c_str(), nullptr) / 100;
          },
          about)
      .TypeName("PERCENT")
      .Check([](const std::string& text) { return CheckNumber(text, 0.1, 1000); });
}

}  // namespace

void AddBenchFlags(Command command, BenchOptions* o, const char* devices) {
  if (devices != nullptr) {
    command.AddOption("--device", o->device, devices).TypeName("DEVICE");
    command.AddOption("-t,--threads", o->threads, "CPU threads (default: one per physical core)")
        .TypeName("N")
        .Range(1, 1024);
    command.AddOption("--isa", o->isa, "CPU instruction set (default: the best)").TypeName("NAME");
    command.AddFlag("--cached", o->cached,
                    "two copies of the data, which caches may keep: the arithmetic alone");
  }
  command.AddOption("--filter", o->filter, "only cases whose name has all of these words")
      .TypeName("WORDS");
  command.AddOption("--min-time", o->min_time_s, "measure each case for so long (default 0.2)")
      .TypeName("SECONDS")
      .Check([](const std::string& text) { return CheckNumber(text, 0, 3600); });
  command.AddOption("--warmup", o->warmup, "samples to throw away before (default 2)")
      .TypeName("N")
      .Range(0, 1000);
  command.AddFlag("--full", o->full, "all cases, not only the usual ones");
  command.AddFlag("--list", o->list, "print the names of the cases and measure nothing");
  const Option json = command.AddFlag("--json", o->json, "print one JSON object");
  command.AddFlag("--csv", o->csv, "print comma-separated values").Excludes(json);
  command.AddOption("--save-baseline", o->save_baseline, "keep the measurements in a file")
      .TypeName("FILE");
  const Option compare =
      command
          .AddOption("--compare-baseline", o->compare_baseline,
                     "compare with a file; exit code 1 if slower, 3 if from another machine")
          .TypeName("FILE");
  AddPercent(command, "--threshold", "what counts as slower: average and median (default 10)",
             {&o->thresholds.avg, &o->thresholds.p50});
  AddPercent(command, "--threshold-p95", "the same for 95 of 100 (default 15)",
             {&o->thresholds.p95});
  AddPercent(command, "--threshold-p99", "the same for 99 of 100 (default 20)",
             {&o->thresholds.p99});
  command
      .AddOption("--against", o->against,
                 "run another build and this one in turns; exit code 1 if this one is slower")
      .TypeName("BINARY")
      .Excludes(compare);
  command.AddOption("--rounds", o->rounds, "with --against: rounds of four runs (default 10)")
      .TypeName("N")
      .Range(1, 1000);
  AddPercent(command, "--gate", "with --against: slower by more than this fails (default 5)",
             {&o->gate});
}

bool Selected(const BenchOptions& options, std::string_view name) {
  const std::string lower = AsciiLowercase(name);
  std::istringstream words(AsciiLowercase(options.filter));
  for (std::string word; words >> word;) {
    if (lower.find(word) == std::string::npos) return false;
  }
  return true;
}

}  // namespace rocforge::apps
