#include "base/cpu_info.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include "base/format.h"
#include "base/thread_pool.h"

namespace rocforge {
namespace {

namespace fs = std::filesystem;

// First line of a small system file, without white space at its end; "" if it cannot be read.
std::string FirstLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  while (!line.empty() && (line.back() == ' ' || line.back() == '\n')) line.pop_back();
  return line;
}

// The number at the beginning of `text`, or `otherwise`.
int64_t Number(std::string_view text, int64_t otherwise) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() ? value : otherwise;
}

int64_t NumberIn(const std::string& path, int64_t otherwise) {
  return Number(FirstLine(path), otherwise);
}

// "cpu17" with prefix "cpu" gives 17; -1 for anything else.
int64_t NumberAfter(const std::string& name, std::string_view prefix) {
  if (!name.starts_with(prefix) || name.size() == prefix.size()) return -1;
  const std::string_view digits = std::string_view(name).substr(prefix.size());
  if (digits.find_first_not_of("0123456789") != std::string_view::npos) return -1;
  return Number(digits, -1);
}

// Folders of `dir` named `prefix` and a number.
std::vector<std::string> Numbered(const std::string& dir, std::string_view prefix) {
  std::vector<std::string> found;
  std::error_code error;
  for (fs::directory_iterator it(dir, error), end; !error && it != end; it.increment(error)) {
    if (NumberAfter(it->path().filename().string(), prefix) >= 0)
      found.push_back(it->path().string());
  }
  std::sort(found.begin(), found.end());
  return found;
}

// Value of the first line "key<blanks>: value" of /proc/cpuinfo or /proc/meminfo.
std::string FieldOf(const std::string& path, std::string_view key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    std::string_view name(line.data(), colon);
    name = name.substr(0, name.find_last_not_of(" \t") + 1);
    if (name != key) continue;
    const size_t value = line.find_first_not_of(" \t", colon + 1);
    return value == std::string::npos ? "" : line.substr(value);
  }
  return "";
}

uint64_t MemInfoBytes(std::string_view key) {
  return static_cast<uint64_t>(Number(FieldOf("/proc/meminfo", key), 0)) * 1024;
}

// CPUs in a list such as "0-3,8".
int CountCpus(const std::string& list) {
  int count = 0;
  for (size_t begin = 0; begin < list.size();) {
    const size_t end = std::min(list.find(',', begin), list.size());
    const std::string_view part(list.data() + begin, end - begin);
    const size_t dash = part.find('-');
    const int64_t first = Number(part, 0);
    const int64_t last =
        dash == std::string_view::npos ? first : Number(part.substr(dash + 1), first);
    count += static_cast<int>(last - first + 1);
    begin = end + 1;
  }
  return count;
}

// "512K" or "32M" as the kernel writes cache sizes.
uint64_t SizeWithUnit(const std::string& text) {
  const uint64_t value = static_cast<uint64_t>(Number(text, 0));
  if (text.ends_with('K')) return value << 10;
  if (text.ends_with('M')) return value << 20;
  return value;
}

// The same cache is listed by every CPU that shares it: the list of sharers tells them apart.
std::vector<CacheInfo> ReadCaches(const std::vector<std::string>& cpus) {
  std::map<std::pair<int, std::string>, CacheInfo> caches;
  std::set<std::pair<std::pair<int, std::string>, std::string>> seen;
  for (const std::string& cpu : cpus) {
    for (const std::string& index : Numbered(cpu + "/cache", "index")) {
      const int level = static_cast<int>(NumberIn(index + "/level", 0));
      const std::pair<int, std::string> key = {level, AsciiLowercase(FirstLine(index + "/type"))};
      const std::string sharers = FirstLine(index + "/shared_cpu_list");
      if (level == 0 || !seen.insert({key, sharers}).second) continue;
      CacheInfo& cache = caches[key];
      cache.level = level;
      cache.type = key.second;
      cache.bytes = SizeWithUnit(FirstLine(index + "/size"));
      cache.shared_by_cpus = CountCpus(sharers);
      ++cache.instances;
    }
  }
  std::vector<CacheInfo> list;
  for (const auto& [key, cache] : caches) list.push_back(cache);
  return list;
}

// The memory limit of our control group (v2, then v1), or -1.
int64_t CgroupLimit(uint64_t total_bytes) {
  for (const char* path :
       {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    const int64_t limit = NumberIn(path, -1);
    if (limit > 0 && static_cast<uint64_t>(limit) < total_bytes) return limit;
  }
  return -1;
}

}  // namespace

CpuInfo ReadCpuInfo() {
  CpuInfo info;
  struct utsname names{};
  if (::uname(&names) == 0) info.architecture = names.machine;
  info.model_name = FieldOf("/proc/cpuinfo", "model name");
  info.features = DetectCpu();

  const std::vector<std::string> cpus = Numbered("/sys/devices/system/cpu", "cpu");
  std::set<int64_t> packages;
  std::set<std::pair<int64_t, int64_t>> cores;
  for (const std::string& cpu : cpus) {
    const int64_t package = NumberIn(cpu + "/topology/physical_package_id", -1);
    const int64_t core = NumberIn(cpu + "/topology/core_id", -1);
    if (core < 0) continue;  // switched off
    packages.insert(package);
    cores.insert({package, core});
    ++info.logical_cpus;
  }
  info.packages = static_cast<int>(packages.size());
  info.physical_cores = static_cast<int>(cores.size());
  info.usable_cores = UsablePhysicalCores();
  info.caches = ReadCaches(cpus);
  info.numa_nodes = static_cast<int>(Numbered("/sys/devices/system/node", "node").size());
  return info;
}

MemoryInfo ReadMemoryInfo() {
  MemoryInfo info;
  info.total_bytes = MemInfoBytes("MemTotal");
  info.available_bytes = MemInfoBytes("MemAvailable");
  info.cgroup_limit_bytes = CgroupLimit(info.total_bytes);
  info.page_bytes = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  info.huge_page_bytes = MemInfoBytes("Hugepagesize");
  info.huge_pages_total =
      static_cast<uint64_t>(Number(FieldOf("/proc/meminfo", "HugePages_Total"), 0));
  info.huge_pages_free =
      static_cast<uint64_t>(Number(FieldOf("/proc/meminfo", "HugePages_Free"), 0));
  // "always [madvise] never": the brackets mark the setting in force.
  const std::string modes = FirstLine("/sys/kernel/mm/transparent_hugepage/enabled");
  const size_t open = modes.find('[');
  const size_t close = modes.find(']');
  if (open != std::string::npos && close != std::string::npos && open < close)
    info.transparent_huge_pages = modes.substr(open + 1, close - open - 1);
  return info;
}

}  // namespace rocforge
