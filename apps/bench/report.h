// What a suite prints: a table, JSON or CSV, and comparisons.
#pragma once

#include <string>
#include <vector>

#include "apps/bench/suite.h"
#include "prof/baseline.h"

namespace rocforge::apps {

// Results to stdout. `complete` is false after Ctrl-C; JSON says so.
Status PrintResults(const Suite& suite, const BenchOptions& options, bool complete,
                    const std::vector<BenchResult>& results);

// To stdout, or to stderr where the results are JSON or CSV.
Status PrintComparison(const prof::Comparison& comparison, const BenchOptions& options);

// 1.234 as "+23.4 %".
std::string ChangeText(double ratio);

}  // namespace rocforge::apps
