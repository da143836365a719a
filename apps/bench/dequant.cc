// `rocforge bench dequant`: how fast each weight type becomes floats.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "apps/bench/suite.h"
#include "apps/bench/suites.h"
#include "base/format.h"
#include "quant/quant.h"

namespace rocforge::apps {
namespace {

constexpr int64_t kCols = 4096;
constexpr int64_t kCpuRows = 32;  // of each thread: 512 KiB of floats
constexpr int64_t kGpuFloatBytes = 16 << 20;

// Rows whose floats fit half of the GPU's cache.
int64_t GpuRows(const bench::GpuTarget& gpu) {
  if (gpu.simulated()) return 1;
  const int64_t bytes =
      std::clamp<int64_t>(gpu.device()->info().l2_bytes / 2, 1 << 20, kGpuFloatBytes);
  return bytes / (kCols * 4);
}

template <typename Target>
BenchCase MakeCase(const char* device, const Target& target, const bench::DequantCase& test,
                   const prof::Ceilings& ceilings) {
  BenchCase c;
  c.name = Format("{} {}", device, Name(test.type));
  c.about = {{"device", device},
             {"type", Name(test.type)},
             {"elements", test.elements()},
             {"bits_per_weight", 8.0 * static_cast<double>(test.table().bytes()) /
                                     static_cast<double>(test.elements())}};
  c.bytes = static_cast<double>(test.table().bytes());
  c.items = static_cast<double>(test.elements()) / 1e9;
  c.peak_bytes_per_s = ceilings.read_bytes_per_s;
  c.prepare = [&target, test] { return bench::PrepareDequant(target, test); };
  return c;
}

// Which type is the slowest for its bytes, and what the GPU is ahead by.
std::string Remarks(const std::vector<BenchResult>& results) {
  std::string text;
  for (const char* device : {"cpu", "gpu"}) {
    const BenchResult* slowest = nullptr;
    for (const BenchResult& r : results) {
      if (!r.ok() || r.test->about["device"] != device) continue;
      if (slowest == nullptr || r.bytes_per_s() < slowest->bytes_per_s()) slowest = &r;
    }
    if (slowest == nullptr) continue;
    text += Format("slowest on the {}: {}, {:.3g} ns an element", device,
                   slowest->test->about["type"].get<std::string>(), 1.0 / slowest->items_per_s());
    if (slowest->ceiling_share() > 0)
      text += Format(", {:.0f} % of the ceiling", 100 * slowest->ceiling_share());
    text += "\n";
  }
  for (const BenchResult& gpu : results) {
    if (!gpu.ok() || gpu.test->about["device"] != "gpu") continue;
    for (const BenchResult& cpu : results) {
      if (cpu.ok() && cpu.test->about["device"] == "cpu" &&
          cpu.test->about["type"] == gpu.test->about["type"]) {
        text += Format("{}: the GPU is {:.0f} times as fast\n",
                       gpu.test->about["type"].get<std::string>(),
                       gpu.items_per_s() / cpu.items_per_s());
      }
    }
  }
  return text;
}

Status Dequant(const BenchOptions& options) {
  ROCFORGE_ASSIGN_OR_RETURN(
      const BenchDevices devices,
      OpenBenchDevices(options, options.device.empty() ? "all" : options.device, !options.list));
  Suite suite;
  suite.name = "dequant";
  suite.item = "Gelem/s";
  suite.machine = devices.Describe();
  suite.preface =
      "GB/s are of packed weights; the floats stay in a cache. Furthest from the ceiling first.";
  for (const DTypeInfo& info : AllDTypes()) {
    if (!quant::CanDecode(info.type)) continue;
    if (devices.cpu != nullptr) {
      suite.cases.push_back(MakeCase("cpu", *devices.cpu,
                                     {info.type, kCols, kCpuRows * devices.pool->size()},
                                     devices.cpu_ceilings));
    }
    if (devices.gpu != nullptr) {
      suite.cases.push_back(MakeCase("gpu", *devices.gpu, {info.type, kCols, GpuRows(*devices.gpu)},
                                     devices.gpu_ceilings));
    }
  }
  suite.before = [](const BenchResult& a, const BenchResult& b) {
    return a.bytes_per_s() / std::max(a.test->peak_bytes_per_s, 1.0) <
           b.bytes_per_s() / std::max(b.test->peak_bytes_per_s, 1.0);
  };
  suite.remarks = Remarks;
  return RunSuite(std::move(suite), options);
}

}  // namespace

void RegisterBenchDequant(Command bench, std::function<Status()>* run) {
  auto options = std::make_shared<BenchOptions>();
  Command command = bench.AddSubcommand(
      "dequant", "Weights of every type to floats, by distance from the ceiling");
  AddBenchFlags(command, options.get(),
                "cpu, gpu, gpu:N, auto, or all: CPU and GPU beside each other (default)");
  command.OnParsed([options, run] { *run = [options] { return Dequant(*options); }; });
}

}  // namespace rocforge::apps
