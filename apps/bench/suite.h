// A benchmark suite: named cases, measured one after the other, printed, kept and compared. A suite
// (matmul.cc, dequant.cc, ...) makes the cases; the rest is here.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "apps/bench/machine.h"
#include "apps/bench/options.h"
#include "bench/kernels/ops.h"
#include "kernels/op/cost.h"
#include "prof/ceilings.h"
#include "prof/statistics.h"
#include "rocforge/status.h"

namespace rocforge::apps {

struct BenchCase {
  std::string name;              // unique in the suite
  nlohmann::ordered_json about;  // what the name says, and more, for programs
  std::string unit = "s";
  bool exact = false;     // counted: one sample says it all
  double bytes = 0;       // that one sample must move; 0: not shown
  double operations = 0;  // that it must compute; 0: not shown
  double items = 0;       // tokens, elements, ... of one sample; 0: not shown
  // Ceilings for the share of the machine; 0: no share. `peak_ops_per_s` 0: memory only.
  double peak_bytes_per_s = 0;
  double peak_ops_per_s = 0;
  // Untimed. What it gives is destroyed before the next case is prepared.
  std::function<Result<std::unique_ptr<bench::PreparedOp>>()> prepare;
};

struct BenchResult {
  const BenchCase* test = nullptr;
  std::vector<double> samples;
  prof::Summary summary;
  double waited = 0;  // share of the time that threads of this process waited for a core
  nlohmann::ordered_json details;  // what the prepared op tells after it ran
  Status status;

  bool ok() const { return status.ok() && !samples.empty(); }
  double bytes_per_s() const { return test->bytes / summary.p50; }
  double ops_per_s() const { return test->operations / summary.p50; }
  double items_per_s() const { return test->items / summary.p50; }
  // The larger share of the two ceilings; 0 if neither is known.
  double ceiling_share() const;
  const char* limit() const;  // "memory", "compute", or ""
};

// A prepared op that has more to say than its time.
class Detailed {
 public:
  virtual ~Detailed() = default;
  virtual nlohmann::ordered_json Details() const = 0;
};

struct Suite {
  std::string name;  // "matmul"
  std::string item;  // "tok/s": the head of the items' column; empty: no such column
  Machine machine;
  std::vector<BenchCase> cases;  // all; the filter is applied by RunSuite
  // Lines after the table; may be empty.
  std::function<std::string(const std::vector<BenchResult>&)> remarks;
  // The order of the table, if not that of the cases.
  std::function<bool(const BenchResult&, const BenchResult&)> before;
  std::string preface;  // a line above the table; may be empty
  int least_samples = 9;
  bool patient = false;  // takes that many samples however long they are
};

// Measures, prints and compares as the options say. kInvalidArgument if the filter leaves nothing;
// kCancelled after Ctrl-C, with what was measured printed. A case that fails does not stop the
// others; the command then fails.
Status RunSuite(Suite suite, const BenchOptions& options);

// A case whose value is known: `exact`, in bytes or another unit.
BenchCase ExactCase(std::string name, double value, std::string unit, nlohmann::ordered_json about);

// The CPU, and a GPU where there is one and it is wanted.
struct BenchDevices {
  std::unique_ptr<ThreadPool> pool;
  std::unique_ptr<bench::CpuTarget> cpu;
  std::unique_ptr<bench::GpuTarget> gpu;
  std::string gpu_name;  // "gpu:0"
  prof::Ceilings cpu_ceilings;
  prof::Ceilings gpu_ceilings;

  Machine Describe() const;
};

// `device`: cpu, gpu, gpu:N, sim32, sim64, all (CPU and the first GPU, if any) or auto (the first
// GPU, else the CPU). Ceilings come from the cache; what is not there is measured (in
// two seconds) and kept.
Result<BenchDevices> OpenBenchDevices(const BenchOptions& options, const std::string& device,
                                      bool with_ceilings);

// "12.3 us"
std::string TimeText(double seconds);

}  // namespace rocforge::apps
