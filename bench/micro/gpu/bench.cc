#include "bench/micro/gpu/bench.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "base/format.h"
#include "kernels/gpu/launch/ceilings.h"
#include "kernels/gpu/port/sim/sim_driver.h"

namespace rocforge::gpu::bench {
namespace {

constexpr int kWarmUps = 3;
constexpr int kReplays = 15;

// The same driver without launches that overlap.
std::shared_ptr<const Driver> WithoutOverlap(const Driver& driver) {
  Api api = driver.api();
  api.launch_overlapping = nullptr;
  return Driver::FromTable(driver.vendor(), driver.library(), api);
}

Result<std::shared_ptr<Device>> OpenDevice(const std::string& name, bool overlap) {
  if (name == "sim32") return Device::Open(port::sim::SimDriver(32), 0);
  if (name == "sim64") return Device::Open(port::sim::SimDriver(64), 0);
  const std::vector<std::pair<std::string, Vendor>> vendors = {{"nvidia", Vendor::kNvidia},
                                                               {"amd", Vendor::kAmd}};
  std::string reasons;
  for (const auto& [vendor_name, vendor] : vendors) {
    if (!name.empty() && name != vendor_name) continue;
    auto driver = Driver::Open(vendor);
    if (driver.ok()) return Device::Open(overlap ? *driver : WithoutOverlap(**driver), 0);
    reasons += (reasons.empty() ? "" : "; ") + std::string(driver.status().message());
  }
  return NotFound(reasons.empty() ? Format("no device is called '{}'", name) : reasons);
}

}  // namespace

namespace {
std::vector<Function>& Functions() {
  static std::vector<Function> functions;
  return functions;
}
}  // namespace

bool Register(Function function) {
  Functions().push_back(function);
  return true;
}
const std::vector<Function>& Registered() { return Functions(); }

Result<Bench> Bench::Create(const std::string& device_name, const std::string& filter,
                            int64_t rotation_bytes, bool overlap, size_t chains) {
  Bench bench;
  ROCFORGE_ASSIGN_OR_RETURN(const std::shared_ptr<Device> device, OpenDevice(device_name, overlap));
  ROCFORGE_ASSIGN_OR_RETURN(Modules modules, Modules::Load(device));
  ROCFORGE_ASSIGN_OR_RETURN(
      bench.target_, rocforge::bench::GpuTarget::Create(
                         device, std::make_shared<Modules>(std::move(modules)), rotation_bytes));
  bench.filter_ = filter;
  bench.chains_ = chains;
  return bench;
}

bool Bench::Wants(const std::string& name) const { return name.find(filter_) != std::string::npos; }

Result<double> Bench::SecondsOfGraph(size_t count, const Enqueue& enqueue) const {
  ROCFORGE_ASSIGN_OR_RETURN(const rocforge::bench::TimedGraph graph,
                            rocforge::bench::TimedGraph::Capture(target_.device(), target_.stream(),
                                                                 count, enqueue, chains_));
  const bool sim = target_.simulated();
  for (int i = 0; i < (sim ? 0 : kWarmUps); ++i)
    ROCFORGE_RETURN_IF_ERROR(graph.Replay(target_.stream()).status());
  std::vector<double> seconds;
  for (int i = 0; i < (sim ? 1 : kReplays); ++i) {
    ROCFORGE_ASSIGN_OR_RETURN(const double s, graph.Replay(target_.stream()));
    seconds.push_back(s);
  }
  std::sort(seconds.begin(), seconds.end());
  return seconds[seconds.size() / 2];
}

Status Bench::MeasureCeiling() {
  const DeviceInfo& info = target_.device()->info();
  ROCFORGE_ASSIGN_OR_RETURN(const prof::Ceilings measured,
                            MeasureGpuCeilings(target_.device(), target_.modules()));
  ceiling_ = measured.read_bytes_per_s;
  std::printf("%s (%s), %d multiprocessors, L2 %.0f MB, code for %s\n", info.name.c_str(),
              info.architecture.c_str(), info.multiprocessors,
              static_cast<double>(info.l2_bytes) / 1e6, target_.modules().target().c_str());
  std::printf("ceiling: plain reads %.0f GB/s\n", ceiling_ / 1e9);
  std::printf("%-38s %9s %8s %6s %8s\n", "case", "us", "GB/s", "%", "TFLOP/s");
  return {};
}

void Bench::Fail(const std::string& name, const Status& status) const {
  std::printf("%-38s %s\n", name.c_str(), std::string(status.message()).c_str());
}

namespace {
void PrintLine(const std::string& name, double seconds, const Work& work, double ceiling,
               const std::string& note) {
  std::string line = Format("{:<38} {:9.2f}", name, seconds * 1e6);
  const double speed = work.bytes / seconds;
  line += work.bytes > 0 ? Format(" {:8.0f} {:6.1f}", speed / 1e9, 100 * speed / ceiling)
                         : Format(" {:>8} {:>6}", "", "");
  if (work.ops > 0) line += Format(" {:8.2f}", work.ops / seconds / 1e12);
  std::printf("%s%s\n", line.c_str(), note.c_str());
  std::fflush(stdout);
}
}  // namespace

void Bench::Run(const std::string& name, size_t count, const Enqueue& enqueue, const Work& work) {
  const Result<double> seconds = SecondsOfGraph(count, enqueue);
  if (!seconds.ok()) return Fail(name, seconds.status());
  PrintLine(name, *seconds / static_cast<double>(count), work, ceiling_, "");
}

void Bench::RunPass(const std::string& name, size_t count, const Enqueue& enqueue,
                    const Work& work) {
  const Result<double> seconds = SecondsOfGraph(count, enqueue);
  if (!seconds.ok()) return Fail(name, seconds.status());
  PrintLine(name, *seconds, work, ceiling_,
            Format("   {:.0f} passes/s, {} launches", 1 / *seconds, count));
}

}  // namespace rocforge::gpu::bench
