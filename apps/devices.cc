// `rocforge devices`: what this machine can compute with.
#include <dlfcn.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "apps/command.h"
#include "base/cpu_info.h"
#include "base/format.h"

namespace rocforge::apps {
namespace {

struct GpuDriver {
  const char* vendor;
  const char* purpose;
  std::vector<const char*> names;  // the first that loads is it
  std::string found;               // its name, or ""
};

// Loading the library tells more than looking for its file: a driver whose own dependencies are
// missing does not count.
std::vector<GpuDriver> FindGpuDrivers() {
  std::vector<GpuDriver> drivers = {
      {"AMD",
       "HIP runtime",
       {"libamdhip64.so.7", "libamdhip64.so.6", "libamdhip64.so.5", "libamdhip64.so"},
       ""},
      {"NVIDIA", "CUDA driver", {"libcuda.so.1"}, ""}};
  for (GpuDriver& driver : drivers) {
    for (const char* name : driver.names) {
      void* library = ::dlopen(name, RTLD_LAZY | RTLD_LOCAL);
      if (library == nullptr) continue;
      driver.found = name;
      ::dlclose(library);
      break;
    }
  }
  return drivers;
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

void PrintText(const CpuInfo& cpu, const MemoryInfo& memory,
               const std::vector<GpuDriver>& drivers) {
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
  std::printf("gpu\n");
  std::printf("  this build has no GPU backend\n");
  for (const GpuDriver& driver : drivers) {
    std::printf("  %-10s  %s %s\n", driver.vendor, driver.purpose,
                driver.found.empty() ? Format("not found ({})", driver.names.front()).c_str()
                                     : Format("present: {}", driver.found).c_str());
  }
}

nlohmann::ordered_json ToJson(const CpuInfo& cpu, const MemoryInfo& memory,
                              const std::vector<GpuDriver>& drivers) {
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
  out["gpu"] = Json{{"backend", nullptr}, {"drivers", Json::array()}};
  for (const GpuDriver& driver : drivers) {
    Json entry{{"vendor", driver.vendor}, {"library", nullptr}};
    if (!driver.found.empty()) entry["library"] = driver.found;
    out["gpu"]["drivers"].push_back(std::move(entry));
  }
  return out;
}

Status Devices(bool json) {
  const CpuInfo cpu = ReadCpuInfo();
  const MemoryInfo memory = ReadMemoryInfo();
  const std::vector<GpuDriver> drivers = FindGpuDrivers();
  if (json) {
    // Names from the system may be any bytes: replace what is not UTF-8 instead of throwing.
    std::printf("%s\n", ToJson(cpu, memory, drivers)
                            .dump(2, ' ', false, nlohmann::json::error_handler_t::replace)
                            .c_str());
  } else {
    PrintText(cpu, memory, drivers);
  }
  return {};
}

}  // namespace

void RegisterDevices(CLI::App& app, std::function<Status()>* run) {
  CLI::App* command =
      app.add_subcommand("devices", "Show the CPU, memory and GPUs of this machine");
  auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "Print one JSON object");
  command->callback([run, json] { *run = [json] { return Devices(*json); }; });
}

}  // namespace rocforge::apps
