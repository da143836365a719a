// Two builds in turns: the gate for machines that others use too.
#pragma once

#include <string>
#include <vector>

#include "apps/bench/options.h"
#include "rocforge/status.h"

namespace rocforge::apps {

// Runs this command line with the other binary (A) and this one (B), --rounds times A B B A, each
// a process of its own. What else the machine does can only add to a time, so of the two runs of a
// round the best sample counts, and a round gives one ratio a case: min(B1, B2) / min(A1, A2), in
// which slow drifts of clocks and load cancel. The result is the median of the rounds with its 99 %
// interval (prof::MedianOfRatios). A case is slower where the whole interval lies above 1 and the
// median beyond --gate; then the command fails. Counted cases need no interval.
Status RunAgainst(const std::string& suite, const BenchOptions& options);

// The arguments of the runs, from those of this process: without what only concerns the
// comparison, and with --json. `min_time_given`: else runs are short.
std::vector<std::string> ChildArguments(const std::vector<std::string>& own);

}  // namespace rocforge::apps
