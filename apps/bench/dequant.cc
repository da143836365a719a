// `rocforge bench dequant`: how fast each weight type becomes floats.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "apps/bench/suite.h"
#include "apps/bench/suites.h"
#include "base/format.h"
#include "kernels/gpu/layout/weights.h"
#include "quant/quant.h"

namespace rocforge::apps {
namespace {

constexpr int64_t kCols = 4096;
constexpr int64_t kCpuRows = 32;     // of each thread: 512 KiB of floats
constexpr int64_t kGpuRows = 16384;  // 128 MiB of f16: more than a cache

BenchCase CommonCase(const char* device, const bench::DequantCase& test) {
  BenchCase c;
  c.name = Format("{} {}", device, Name(test.type));
  c.about = {{"device", device},
             {"type", Name(test.type)},
             {"elements", test.elements()},
             {"bits_per_weight", 8.0 * static_cast<double>(test.table().bytes()) /
                                     static_cast<double>(test.elements())}};
  c.items = static_cast<double>(test.elements()) / 1e9;
  return c;
}

BenchCase CpuCase(const BenchDevices& devices, DType type) {
  const bench::DequantCase test{type, kCols, kCpuRows * devices.pool->size()};
  BenchCase c = CommonCase("cpu", test);
  c.bytes = static_cast<double>(test.table().bytes());
  c.peak_bytes_per_s = devices.cpu_ceilings.read_bytes_per_s;
  c.prepare = [&target = *devices.cpu, test] { return bench::PrepareDequant(target, test); };
  return c;
}

// Reads and writes each have their ceiling: together as many bytes a second as both allow.
BenchCase GpuCase(const BenchDevices& devices, DType type) {
  const bench::DequantCase test{type, kCols, devices.gpu->simulated() ? 1 : kGpuRows};
  BenchCase c = CommonCase("gpu", test);
  c.name += " to tiles";
  const auto read = static_cast<double>(test.table().bytes());
  const auto written = static_cast<double>(test.UnpackedBytes());
  c.about["bytes_read"] = read;
  c.about["bytes_written"] = written;
  c.bytes = read + written;
  const prof::Ceilings& peak = devices.gpu_ceilings;
  if (peak.read_bytes_per_s > 0 && peak.write_bytes_per_s > 0) {
    c.peak_bytes_per_s =
        c.bytes / (read / peak.read_bytes_per_s + written / peak.write_bytes_per_s);
  }
  c.prepare = [&target = *devices.gpu, test] { return bench::PrepareDequant(target, test); };
  return c;
}

// What an element takes, against what the ceiling allows; 1 is the ceiling.
double Distance(const BenchResult& r) {
  return r.bytes_per_s() / std::max(r.test->peak_bytes_per_s, 1.0);
}

// Which type is the slowest for its bytes, and what the GPU is ahead by.
std::string DequantRemarks(const std::vector<BenchResult>& results) {
  std::string text;
  for (const char* device : {"cpu", "gpu"}) {
    const BenchResult* slowest = nullptr;
    for (const BenchResult& r : results) {
      if (!r.ok() || r.test->about["device"] != device) continue;
      if (slowest == nullptr || Distance(r) < Distance(*slowest)) slowest = &r;
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
      "CPU: packed weights to f32 in a cache, GB/s are of the packed bytes. GPU: to the f16 tiles "
      "that prompts\nmultiply, GB/s are of the bytes read and written. Furthest from the ceiling "
      "first.";
  for (const DTypeInfo& info : AllDTypes()) {
    if (!quant::CanDecode(info.type)) continue;
    if (devices.cpu != nullptr) suite.cases.push_back(CpuCase(devices, info.type));
    if (devices.gpu != nullptr && gpu::CanPack(info.type))
      suite.cases.push_back(GpuCase(devices, info.type));
  }
  suite.before = [](const BenchResult& a, const BenchResult& b) {
    return Distance(a) < Distance(b);
  };
  suite.remarks = DequantRemarks;
  return RunSuite(std::move(suite), options);
}

}  // namespace

void RegisterBenchDequant(Command bench, std::function<Status()>* run) {
  auto options = std::make_shared<BenchOptions>();
  Command command = bench.AddSubcommand(
      "dequant", "Weights of every type unpacked, by distance from the ceiling");
  AddBenchFlags(command, options.get(),
                "cpu, gpu, gpu:N, auto, or all: CPU and GPU beside each other (default)");
  command.OnParsed([options, run] { *run = [options] { return Dequant(*options); }; });
}

}  // namespace rocforge::apps
