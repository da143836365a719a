#include "prof/memory_bandwidth.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <utility>

#include "base/cpu_info.h"
#include "base/format.h"
#include "prof/ceilings.h"

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

// Bytes that each member of the team works on, a multiple of a page.
Result<uint64_t> ChooseSlice(int n_members, uint64_t last_cache_bytes) {
  const uint64_t least = std::max(kMinBufferBytes, kMinCaches * last_cache_bytes);
  const uint64_t wanted =
      std::clamp(kWantedCaches * last_cache_bytes, least, std::max(least, kMaxBufferBytes));
  const uint64_t available = ReadMemoryInfo().available_bytes;
  const uint64_t bytes = std::min(wanted, available / 2);
  if (bytes < least) {
    return ResourceExhausted(Format("measuring memory bandwidth needs {} and {} are free",
                                    FormatBytes(least), FormatBytes(available)));
  }
  return bytes / static_cast<uint64_t>(n_members) / kPageBytes * kPageBytes;
}

// Seconds of the fastest pass of `job` over the team.
template <typename Job>
double FastestPass(ThreadPool& pool, const Job& job) {
  double best_s = 0;
  const Clock::time_point start = Clock::now();
  for (int pass = 0;; ++pass) {
    const Clock::time_point begin = Clock::now();
    pool.Run(job);
    const Clock::time_point end = Clock::now();
    const double seconds = std::chrono::duration<double>(end - begin).count();
    if (pass == 0 || seconds < best_s) best_s = seconds;
    if (pass + 1 >= kMinPasses &&
        std::chrono::duration<double>(end - start).count() >= kMeasureSeconds) {
      return best_s;
    }
  }
}

}  // namespace

Result<MemoryBandwidth> MeasureMemoryBandwidth(ThreadPool& pool, bool all) {
  MemoryBandwidth result;
  result.n_threads = pool.size();
  result.last_cache_bytes = LastLevelCacheBytes(ReadCpuInfo());
  ROCFORGE_ASSIGN_OR_RETURN(const uint64_t slice,
                            ChooseSlice(pool.size(), result.last_cache_bytes));
  const uint64_t bytes = slice * static_cast<uint64_t>(pool.size());
  const Buffer buffer(bytes);
  if (buffer.data() == nullptr) {
    return ResourceExhausted(Format(
        "measuring memory bandwidth needs {} that the system does not give", FormatBytes(bytes)));
  }
  const uint64_t words = slice / sizeof(uint64_t);
  const auto part = [&](int member) {
    return buffer.data() + static_cast<uint64_t>(member) * words;
  };
  // Each member writes its own part first, so that it lies in the memory next to it.
  pool.Run([&](int member) { std::memset(part(member), 1, slice); });
  std::atomic<uint64_t> sink{0};  // keeps the reads
  const double read_s = FastestPass(pool, [&](int member) {
    sink.fetch_add(ReadAll(part(member), part(member) + words), std::memory_order_relaxed);
  });
  result.buffer_bytes = bytes;
  result.read_bytes_per_s = static_cast<double>(bytes) / read_s;
  if (!all) return result;
  const double write_s =
      FastestPass(pool, [&](int member) { std::memset(part(member), 2, slice); });
  const double copy_s = FastestPass(
      pool, [&](int member) { std::memcpy(part(member), part(member) + words / 2, slice / 2); });
  result.write_bytes_per_s = static_cast<double>(bytes) / write_s;
  result.copy_bytes_per_s = static_cast<double>(bytes) / copy_s;  // half read, half written
  return result;
}

Result<MemoryBandwidth> CachedMemoryBandwidth(const std::string& folder, int n_threads,
                                              bool measure_again) {
  Ceilings kept;
  kept.key = CpuCeilingsKey(n_threads);
  if (Result<Ceilings> loaded = LoadCeilings(folder, kept.key); loaded.ok()) {
    kept = std::move(*loaded);
  }
  const bool known = kept.read_bytes_per_s > 0;
  if (!known || measure_again) {
    ThreadPool pool(n_threads);
    ROCFORGE_ASSIGN_OR_RETURN(const MemoryBandwidth measured, MeasureMemoryBandwidth(pool));
    if (measured.read_bytes_per_s > kept.read_bytes_per_s) {
      kept.read_bytes_per_s = measured.read_bytes_per_s;
      kept.buffer_bytes = measured.buffer_bytes;
      kept.last_cache_bytes = measured.last_cache_bytes;
      kept.measured_at.clear();
      // Best effort: what cannot be kept is measured again.
      static_cast<void>(SaveCeilings(folder, kept));
    }
  }
  return MemoryBandwidth{kept.read_bytes_per_s, kept.write_bytes_per_s, kept.copy_bytes_per_s,
                         kept.buffer_bytes,     kept.last_cache_bytes,  n_threads};
}

}  // namespace rocforge::prof
