#include "prof/memory_bandwidth.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/cpu_info.h"
#include "base/format.h"

namespace rocforge::prof {
namespace {

using Clock = std::chrono::steady_clock;

constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr uint64_t kPageBytes = 4096;
constexpr uint64_t kMinBufferBytes = 256 * kMiB;
constexpr uint64_t kMaxBufferBytes = 1024 * kMiB;
// A buffer of this many caches cannot be served from them.
constexpr uint64_t kMinCaches = 2;
constexpr uint64_t kWantedCaches = 4;
constexpr int kMinPasses = 4;
constexpr double kMeasureSeconds = 0.2;
constexpr const char* kFileName = "memory-bandwidth.tsv";

uint64_t LastLevelCacheBytes(const CpuInfo& cpu) {
  int level = 0;
  uint64_t bytes = 0;
  for (const CacheInfo& cache : cpu.caches) {
    if (cache.type == "instruction" || cache.level < level) continue;
    level = cache.level;
    bytes = cache.bytes * static_cast<uint64_t>(std::max(cache.instances, 1));
  }
  return bytes;
}

// Anonymous memory, in huge pages where the system gives them.
class Buffer {
 public:
  explicit Buffer(uint64_t bytes) : bytes_(bytes) {
    void* p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return;
    data_ = static_cast<uint64_t*>(p);
    madvise(p, bytes, MADV_HUGEPAGE);
  }
  ~Buffer() {
    if (data_ != nullptr) munmap(data_, bytes_);
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  uint64_t* data() const { return data_; }

 private:
  uint64_t bytes_;
  uint64_t* data_ = nullptr;
};

// Reads whole cache lines: independent sums, so that the loads and not the additions are waited
// for.
uint64_t ReadAll(const uint64_t* begin, const uint64_t* end) {
  uint64_t sums[8] = {};
  for (; begin != end; begin += 8) {
    for (int i = 0; i < 8; ++i) sums[i] += begin[i];
  }
  uint64_t sum = 0;
  for (uint64_t s : sums) sum += s;
  return sum;
}

// A measurement and what it is valid for.
struct Entry {
  std::string cpu;
  uint64_t memory_gib = 0;
  MemoryBandwidth value;

  bool SameMachine(const Entry& other) const {
    return cpu == other.cpu && memory_gib == other.memory_gib &&
           value.n_threads == other.value.n_threads;
  }
};

// CPU, GiB of memory, threads, bytes per second, bytes of the buffer, bytes of cache.
std::string ToLine(const Entry& e) {
  return Format("{}\t{}\t{}\t{:.0f}\t{}\t{}\n", e.cpu, e.memory_gib, e.value.n_threads,
                e.value.read_bytes_per_s, e.value.buffer_bytes, e.value.last_cache_bytes);
}

template <typename T>
bool ReadNumber(std::string_view* line, T* value) {
  const std::string_view field = line->substr(0, line->find('\t'));
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), *value);
  line->remove_prefix(std::min(line->size(), field.size() + 1));
  return error == std::errc() && end == field.data() + field.size();
}

std::optional<Entry> FromLine(std::string_view line) {
  const size_t tab = line.find('\t');
  if (tab == std::string_view::npos) return std::nullopt;
  Entry e;
  e.cpu = std::string(line.substr(0, tab));
  line.remove_prefix(tab + 1);
  const bool ok = ReadNumber(&line, &e.memory_gib) && ReadNumber(&line, &e.value.n_threads) &&
                  ReadNumber(&line, &e.value.read_bytes_per_s) &&
                  ReadNumber(&line, &e.value.buffer_bytes) &&
                  ReadNumber(&line, &e.value.last_cache_bytes);
  if (!ok || !(e.value.read_bytes_per_s > 0)) return std::nullopt;
  return e;
}

std::vector<Entry> ReadEntries(const std::string& path) {
  std::vector<Entry> entries;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (std::optional<Entry> e = FromLine(line)) entries.push_back(std::move(*e));
  }
  return entries;
}

// Best effort, and never half a file: a temporary one takes the old one's place.
void WriteEntries(const std::string& folder, const std::vector<Entry>& entries) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return;
  const std::string path = folder + "/" + kFileName;
  const std::string temporary = Format("{}.{}", path, getpid());
  {
    std::ofstream file(temporary, std::ios::trunc);
    for (const Entry& e : entries) file << ToLine(e);
    file.flush();
    if (!file) {
      std::remove(temporary.c_str());
      return;
    }
  }
  std::filesystem::rename(temporary, path, error);
  if (error) std::remove(temporary.c_str());
}

}  // namespace

Result<MemoryBandwidth> MeasureMemoryBandwidth(ThreadPool& pool) {
  MemoryBandwidth result;
  result.n_threads = pool.size();
  result.last_cache_bytes = LastLevelCacheBytes(ReadCpuInfo());
  const uint64_t least = std::max(kMinBufferBytes, kMinCaches * result.last_cache_bytes);
  const uint64_t wanted =
      std::clamp(kWantedCaches * result.last_cache_bytes, least, std::max(least, kMaxBufferBytes));
  const uint64_t available = ReadMemoryInfo().available_bytes;
  uint64_t bytes = std::min(wanted, available / 2);
  if (bytes < least) {
    return ResourceExhausted(Format("measuring memory bandwidth needs {} and {} are free",
                                    FormatBytes(least), FormatBytes(available)));
  }
  // Whole pages for each member.
  const uint64_t slice = bytes / static_cast<uint64_t>(pool.size()) / kPageBytes * kPageBytes;
  bytes = slice * static_cast<uint64_t>(pool.size());
  const Buffer buffer(bytes);
  if (buffer.data() == nullptr) {
    return ResourceExhausted(Format(
        "measuring memory bandwidth needs {} that the system does not give", FormatBytes(bytes)));
  }
  const uint64_t words = slice / sizeof(uint64_t);
  // Each member writes its own part first, so that it lies in the memory next to it.
  pool.Run([&](int member) {
    std::memset(buffer.data() + static_cast<uint64_t>(member) * words, 1, slice);
  });
  std::atomic<uint64_t> sink{0};  // keeps the reads
  double best_s = 0;
  const Clock::time_point start = Clock::now();
  for (int pass = 0;; ++pass) {
    const Clock::time_point begin = Clock::now();
    pool.Run([&](int member) {
      const uint64_t* part = buffer.data() + static_cast<uint64_t>(member) * words;
      sink.fetch_add(ReadAll(part, part + words), std::memory_order_relaxed);
    });
    const Clock::time_point end = Clock::now();
    const double seconds = std::chrono::duration<double>(end - begin).count();
    if (pass == 0 || seconds < best_s) best_s = seconds;
    if (pass + 1 >= kMinPasses &&
        std::chrono::duration<double>(end - start).count() >= kMeasureSeconds) {
      break;
    }
  }
  result.buffer_bytes = bytes;
  result.read_bytes_per_s = static_cast<double>(bytes) / best_s;
  return result;
}

Result<MemoryBandwidth> CachedMemoryBandwidth(const std::string& folder, int n_threads,
                                              bool measure_again) {
  Entry machine;
  machine.cpu = ReadCpuInfo().model_name;
  std::replace(machine.cpu.begin(), machine.cpu.end(), '\t', ' ');
  machine.memory_gib = ReadMemoryInfo().total_bytes >> 30;
  machine.value.n_threads = n_threads;
  std::vector<Entry> entries = ReadEntries(folder + "/" + kFileName);
  const auto same = [&](const Entry& e) { return e.SameMachine(machine); };
  const auto kept = std::find_if(entries.begin(), entries.end(), same);
  if (kept != entries.end() && !measure_again) return kept->value;
  ThreadPool pool(n_threads);
  ROCFORGE_ASSIGN_OR_RETURN(machine.value, MeasureMemoryBandwidth(pool));
  if (kept != entries.end() && kept->value.read_bytes_per_s >= machine.value.read_bytes_per_s) {
    return kept->value;
  }
  std::erase_if(entries, same);
  entries.push_back(machine);
  WriteEntries(folder, entries);
  return machine.value;
}

}  // namespace rocforge::prof
