// The flags that all benchmarks share.
#pragma once

#include <string>
#include <string_view>

#include "apps/command.h"
#include "prof/baseline.h"

namespace rocforge::apps {

struct BenchOptions {
  std::string device;  // empty: the suite's own choice
  int threads = 0;
  std::string isa;
  std::string filter;
  double min_time_s = 0.2;
  int warmup = 2;
  bool full = false;
  bool cached = false;  // data that may stay in caches
  bool list = false;
  bool json = false;
  bool csv = false;
  std::string save_baseline;
  std::string compare_baseline;
  prof::Thresholds thresholds;
  std::string against;
  int rounds = 10;
  double gate = 0.05;
};

// `devices`: what the help says of --device. Suites that load a model have their own flags for
// device, threads and instruction set: then `devices` is null and these three are left out.
void AddBenchFlags(Command command, BenchOptions* options, const char* devices);

// Whether every word of the filter is in `name`, whatever the case of letters.
bool Selected(const BenchOptions& options, std::string_view name);

}  // namespace rocforge::apps
