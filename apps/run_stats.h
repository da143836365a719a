// What a run of a model says about itself: the statistics line, and the same facts as JSON.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "session/session.h"

namespace rocforge::apps {

// Memory traffic of decoding, against what the machine can do.
struct BandwidthUse {
  double bytes_per_s = 0;
  double bytes_per_token = 0;
  // Of the measured memory bandwidth; absent where that could not be measured.
  std::optional<double> fraction;
  bool weights_fit_cache = false;  // then the fraction may exceed 1
};

// Absent if no token was decoded. Measures the machine's bandwidth the first time (0.3 s), and
// again when a model that does not fit the caches comes close to it or beats it: the kept value may
// have been measured on a busy machine.
std::optional<BandwidthUse> MeasureBandwidthUse(const session::TextModel& model,
                                                const session::GenerateStats& stats);

struct RunReport {
  session::GenerateOutcome outcome;
  double load_seconds = 0;
  std::optional<BandwidthUse> bandwidth;
  std::optional<uint64_t> seed;  // where tokens were drawn
  std::string prompt_kind;       // "chat template", "raw", ...
};

// The parts of the statistics line, most important first.
std::vector<std::string> StatsParts(const RunReport& report);

// Parts joined by " | ", broken into lines of at most `columns` (0: one line). Ends with a newline.
std::string JoinParts(const std::vector<std::string>& parts, int columns);

// Prints the statistics to stderr, in lines that fit its terminal. `text_line_open`: the text on
// stdout has not ended with a newline; if both go to the same place, the statistics then start on a
// line of their own.
void PrintStats(const RunReport& report, bool text_line_open);

nlohmann::ordered_json StatsJson(const RunReport& report, const session::TextModel& model);

}  // namespace rocforge::apps
