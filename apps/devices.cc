// `rocforge devices`: what this machine can compute with.
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "apps/command.h"
#include "apps/devices_measure.h"
#include "apps/output.h"
#include "apps/pull/model_path.h"
#include "apps/terminal/interrupt.h"
#include "base/cpu_info.h"
#include "base/format.h"
#include "base/thread_pool.h"
#include "device/gpu/discovery.h"
#include "engine/gpu_device.h"
#include "kernels/gpu/launch/code.h"

namespace rocforge::apps {
namespace {

// One GPU of the machine, opened as far as it lets itself be.
struct Gpu {
  std::string name;  // "gpu:0"
  gpu::Vendor vendor = gpu::Vendor::kAmd;
  Status status;  // why it cannot be used
  std::shared_ptr<const gpu::Device> device;
  std::string target;  // whose code it runs: "gfx1100", "gfx11-generic"; empty if there is none
  int64_t free_bytes = -1;
};

std::string TargetKind(const Gpu& g) {
  const std::string& arch = g.device->info().architecture;
  const std::string plain = arch.substr(0, arch.find(':'));
  if (g.target == plain || g.target == plain + "a") return "exact";
  return g.target.find("generic") != std::string::npos ? "generic" : "older";
}

std::vector<Gpu> OpenGpus(const gpu::Discovery& found) {
  const std::vector<std::string_view> targets = gpu::EmbeddedTargets();
  std::vector<Gpu> gpus;
  for (size_t i = 0; i < found.devices.size(); ++i) {
    const gpu::DeviceProbe& probe = found.devices[i];
    Gpu& g = gpus.emplace_back();
    g.name = Format("gpu:{}", i);
    g.vendor = probe.driver->vendor();
    const Result<std::shared_ptr<gpu::Device>> device =
        gpu::Device::Open(probe.driver, probe.ordinal);
    if (!device.ok()) {
      g.status = device.status();
      continue;
    }
    g.device = *device;
    const Result<std::string_view> target =
        gpu::SelectTarget(g.device->info().architecture, targets);
    if (target.ok()) {
      g.target = *target;
    } else {
      g.status = target.status();
    }
    if (const Result<int64_t> free = g.device->FreeBytes(); free.ok()) g.free_bytes = *free;
  }
  return gpus;
}

// What an owner of such a card can do about a driver that is not there or refuses.
const char* Advice(const gpu::DriverProbe& probe) {
  const bool amd = probe.vendor == gpu::Vendor::kAmd;
  switch (probe.status.code()) {
    case StatusCode::kNotFound:
      return amd ? "for an AMD GPU install the HIP runtime of ROCm 5 to 7 (package hip-runtime-amd "
                   "or libamdhip64)"
                 : "for an NVIDIA GPU install the driver (libcuda comes with it)";
    case StatusCode::kUnsupported:
      return "the driver is too old: update it";
    default:
      return amd ? "may this user open /dev/kfd and /dev/dri/renderD*? The groups are render and "
                   "video"
                 : "does nvidia-smi work? In a container the driver must be passed in";
  }
}

std::string Join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text.empty() ? "none" : text;
}

std::string CacheLine(const CacheInfo& cache) {
  const char* kind = cache.type == "data" ? "d" : cache.type == "instruction" ? "i" : "";
  return Format("L{}{} {} x {}", cache.level, kind, cache.instances, FormatBytes(cache.bytes));
}

std::string HugePagesLine(const MemoryInfo& memory) {
  const std::string& mode = memory.transparent_huge_pages;
  return Format("{} reserved ({} free) of {} each, transparent: {}", memory.huge_pages_total,
                memory.huge_pages_free, FormatBytes(memory.huge_page_bytes),
                mode.empty() ? "unknown" : mode);
}

void PrintGpu(const Gpu& g) {
  if (g.device == nullptr) {
    std::printf("  %-10s  %s: %s\n", g.name.c_str(), gpu::VendorName(g.vendor),
                EscapeForTerminal(g.status.message()).c_str());
    return;
  }
  const gpu::DeviceInfo& info = g.device->info();
  std::printf("  %-10s  %s (%s), %d %s, waves of %d%s\n", g.name.c_str(),
              EscapeForTerminal(info.name).c_str(), info.architecture.c_str(), info.multiprocessors,
              g.vendor == gpu::Vendor::kAmd ? "compute units" : "multiprocessors", info.wave_size,
              info.integrated ? ", integrated: weights are not copied" : "");
  std::printf(
      "              memory %s, %s free; L2 cache %s\n",
      FormatBytes(static_cast<uint64_t>(info.total_bytes)).c_str(),
      g.free_bytes < 0 ? "unknown" : FormatBytes(static_cast<uint64_t>(g.free_bytes)).c_str(),
      FormatBytes(static_cast<uint64_t>(info.l2_bytes)).c_str());
  if (g.status.ok()) {
    std::printf("              code   %s (%s)\n", g.target.c_str(), TargetKind(g).c_str());
  } else {
    std::printf("              cannot be used: %s\n",
                EscapeForTerminal(g.status.message()).c_str());
  }
}

void PrintGpus(const gpu::Discovery& found, const std::vector<Gpu>& gpus) {
  std::printf("gpu\n");
  for (const Gpu& g : gpus) PrintGpu(g);
  for (const gpu::DriverProbe& probe : found.drivers) {
    if (probe.status.ok()) {
      std::printf("  %-10s  driver %s, %s, %d device%s\n", gpu::VendorName(probe.vendor),
                  probe.driver->version_text().c_str(), probe.driver->library().c_str(),
                  probe.driver->device_count(), probe.driver->device_count() == 1 ? "" : "s");
      continue;
    }
    std::printf("  %-10s  %s\n", gpu::VendorName(probe.vendor),
                EscapeForTerminal(probe.status.message()).c_str());
    std::printf("              %s\n", Advice(probe));
  }
  std::string targets;
  for (const std::string_view target : gpu::EmbeddedTargets())
    targets += (targets.empty() ? "" : " ") + std::string(target);
  std::printf("  built for   %s\n", targets.empty()
                                        ? "no GPU: clang 19 was missing when this was built"
                                        : targets.c_str());
}

void PrintText(const CpuInfo& cpu, const MemoryInfo& memory) {
  std::string cache_text;
  for (const CacheInfo& cache : cpu.caches) {
    cache_text += (cache_text.empty() ? "" : ", ") + CacheLine(cache);
  }
  std::printf("cpu\n");
  std::printf(
      "  name        %s\n",
      EscapeForTerminal(cpu.model_name.empty() ? cpu.architecture : cpu.model_name).c_str());
  std::printf("  cores       %d physical, %d logical, %d package(s); this process may use %d\n",
              cpu.physical_cores, cpu.logical_cpus, cpu.packages, cpu.usable_cores);
  std::printf("  isa         %s: %s\n", cpu.architecture.c_str(),
              Join(CpuFeatureNames(cpu.features)).c_str());
  std::printf("  caches      %s\n", cache_text.empty() ? "unknown" : cache_text.c_str());
  std::printf("  numa nodes  %d\n", cpu.numa_nodes);
  std::printf("memory\n");
  std::printf("  total       %s, available %s\n", FormatBytes(memory.total_bytes).c_str(),
              FormatBytes(memory.available_bytes).c_str());
  if (memory.cgroup_limit_bytes >= 0) {
    std::printf("  limit       %s (control group)\n",
                FormatBytes(static_cast<uint64_t>(memory.cgroup_limit_bytes)).c_str());
  }
  std::printf("  huge pages  %s\n", HugePagesLine(memory).c_str());
}

nlohmann::ordered_json GpusToJson(const gpu::Discovery& found, const std::vector<Gpu>& gpus) {
  using Json = nlohmann::ordered_json;
  Json out{
      {"targets", gpu::EmbeddedTargets()}, {"drivers", Json::array()}, {"devices", Json::array()}};
  for (const gpu::DriverProbe& probe : found.drivers) {
    Json entry{{"vendor", gpu::VendorName(probe.vendor)}, {"usable", probe.status.ok()}};
    if (probe.status.ok()) {
      entry["library"] = probe.driver->library();
      entry["version"] = probe.driver->version_text();
      entry["devices"] = probe.driver->device_count();
    } else {
      entry["tried"] = gpu::LibraryNames(probe.vendor);
      entry["error"] = probe.status.message();
      entry["advice"] = Advice(probe);
    }
    out["drivers"].push_back(std::move(entry));
  }
  for (const Gpu& g : gpus) {
    Json entry{{"name", g.name}, {"vendor", gpu::VendorName(g.vendor)}, {"usable", g.status.ok()}};
    if (!g.status.ok()) entry["error"] = g.status.message();
    if (g.device != nullptr) {
      const gpu::DeviceInfo& info = g.device->info();
      entry["model"] = info.name;
      entry["architecture"] = info.architecture;
      entry["total_bytes"] = info.total_bytes;
      if (g.free_bytes >= 0) entry["free_bytes"] = g.free_bytes;
      entry["multiprocessors"] = info.multiprocessors;
      entry["wave_size"] = info.wave_size;
      entry["l2_bytes"] = info.l2_bytes;
      entry["clock_khz"] = info.clock_khz;
      entry["integrated"] = info.integrated;
    }
    if (!g.target.empty()) {
      entry["target"] = g.target;
      entry["target_kind"] = TargetKind(g);
    }
    out["devices"].push_back(std::move(entry));
  }
  return out;
}

nlohmann::ordered_json ToJson(const CpuInfo& cpu, const MemoryInfo& memory) {
  using Json = nlohmann::ordered_json;
  Json caches = Json::array();
  for (const CacheInfo& c : cpu.caches) {
    caches.push_back(Json{{"level", c.level},
                          {"type", c.type},
                          {"bytes", c.bytes},
                          {"instances", c.instances},
                          {"shared_by_cpus", c.shared_by_cpus}});
  }
  Json out;
  out["cpu"] = Json{{"name", cpu.model_name},
                    {"architecture", cpu.architecture},
                    {"packages", cpu.packages},
                    {"physical_cores", cpu.physical_cores},
                    {"logical_cpus", cpu.logical_cpus},
                    {"usable_cores", cpu.usable_cores},
                    {"isa", CpuFeatureNames(cpu.features)},
                    {"caches", std::move(caches)},
                    {"numa_nodes", cpu.numa_nodes}};
  out["memory"] = Json{{"total_bytes", memory.total_bytes},
                       {"available_bytes", memory.available_bytes},
                       {"limit_bytes", nullptr},
                       {"page_bytes", memory.page_bytes},
                       {"huge_page_bytes", memory.huge_page_bytes},
                       {"huge_pages_total", memory.huge_pages_total},
                       {"huge_pages_free", memory.huge_pages_free},
                       {"transparent_huge_pages", memory.transparent_huge_pages}};
  if (memory.cgroup_limit_bytes >= 0) out["memory"]["limit_bytes"] = memory.cgroup_limit_bytes;
  return out;
}

Status Devices(bool json) {
  const CpuInfo cpu = ReadCpuInfo();
  const MemoryInfo memory = ReadMemoryInfo();
  const gpu::Discovery found = gpu::Discover();
  const std::vector<Gpu> gpus = OpenGpus(found);
  if (json) {
    nlohmann::ordered_json all = ToJson(cpu, memory);
    all["gpu"] = GpusToJson(found, gpus);
    // Names from the system may be any bytes: replace what is not UTF-8 instead of throwing.
    std::printf("%s\n", all.dump(2, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
  } else {
    PrintText(cpu, memory);
    PrintGpus(found, gpus);
  }
  return {};
}

struct DevicesFlags {
  bool json = false;
  bool measure = false;
  std::string device = "all";
  int n_threads = 0;
};

Status Measure(const DevicesFlags& flags) {
  if (flags.device != "all") ROCFORGE_RETURN_IF_ERROR(engine::ParseDevice(flags.device).status());
  const InterruptScope interrupts;
  ROCFORGE_ASSIGN_OR_RETURN(const std::string folder, CacheFolder());
  const int n_threads = flags.n_threads > 0 ? flags.n_threads : UsablePhysicalCores();
  ROCFORGE_ASSIGN_OR_RETURN(const std::vector<MeasuredDevice> devices,
                            MeasureDevices(flags.device, n_threads, folder));
  if (!flags.json) return WriteStdout(ToTable(devices));
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const MeasuredDevice& device : devices) list.push_back(ToJson(device));
  const nlohmann::ordered_json json = {{"ceilings", std::move(list)}};
  return WriteStdout(json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

}  // namespace

void RegisterDevices(Command app, std::function<Status()>* run) {
  Command command = app.AddSubcommand("devices", "Show the CPU, memory and GPUs of this machine");
  auto flags = std::make_shared<DevicesFlags>();
  command.AddFlag("--json", flags->json, "Print one JSON object");
  const Option measure =
      command.AddFlag("--measure", flags->measure,
                      "Measure what memory, launches and arithmetic reach at best, and keep it");
  command.AddOption("--device", flags->device, "with --measure: all, cpu, gpu or gpu:N")
      .TypeName("D")
      .ShowDefault()
      .Needs(measure);
  command
      .AddOption("-t,--threads", flags->n_threads,
                 "with --measure: threads on the CPU (default: physical cores)")
      .TypeName("N")
      .Range(1, 1024)
      .Needs(measure);
  command.OnParsed([run, flags] {
    *run = [flags] { return flags->measure ? Measure(*flags) : Devices(flags->json); };
  });
}

}  // namespace rocforge::apps
