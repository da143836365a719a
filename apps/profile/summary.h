// From a Profile to what a reader wants to know: rows that add up, shares of the machine's
// ceilings, and what holds the run back.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "apps/profile/profile.h"

namespace rocforge::apps {

enum class Limit : uint8_t {
  kMemory,   // bytes over the measured read (and write) bandwidth
  kCompute,  // operations over the measured rate
  kLaunch,   // launches over what one costs
  kLatency,  // none of them explains half of the time
};
const char* LimitName(Limit limit);  // "memory", ...

// Ops of one kind in one phase, or another part of the phase.
struct ProfileRow {
  std::string phase;  // "prefill", "decode"
  OpKind kind;        // kind.op is empty: not an op, kind.name says what
  int64_t calls = 0;
  int64_t launches = 0;
  double seconds = 0;
  op::Cost cost;
  // Of the seconds, what the ceilings allow at best; and what that leaves to win.
  double memory_s = 0;
  double compute_s = 0;
  double launch_s = 0;
  Limit limit = Limit::kLatency;

  double ideal_s() const { return memory_s > compute_s ? memory_s : compute_s; }
  double lost_s() const { return seconds > ideal_s() ? seconds - ideal_s() : 0; }
  bool is_op() const { return !kind.op.empty(); }
};

// A phase of the run. Rows of `ops` add up to `seconds`.
struct PhaseSummary {
  std::string name;  // "tokenise", "prefill", "decode", "sample", "detokenise", "gap"
  int64_t calls = 0;
  double seconds = 0;
  int64_t tokens = 0;
  op::Cost cost;
  exec::StepCounters counters;
};

struct Summary {
  std::vector<PhaseSummary> phases;  // add up to the run
  std::vector<ProfileRow> rows;      // of prefill, then of decode; ops by descending time
  std::vector<size_t> worst;         // at most three indices of rows: most time to win first
  double covered = 0;                // share of the run that the phases explain, gap apart
  double ops_covered = 0;            // share of the steps that their rows explain, gap apart
  double overhead =
      0;  // of timing the ops: the fastest decode step with it over without, minus one
};

Summary Summarise(const Profile& profile);

// What limits `row`, in words: "memory: 34.1 GB/s, 71 % of what this machine reads".
std::string LimitText(const ProfileRow& row, const Profile& profile);

// The tables for people; `all` shows ops beyond the first dozen of each phase.
std::string ToText(const Profile& profile, const Summary& summary, bool all);
nlohmann::ordered_json ToJson(const Profile& profile, const Summary& summary);

}  // namespace rocforge::apps
