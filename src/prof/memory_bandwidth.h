// How fast this machine reads memory: the ceiling that decoding speed is compared with.
#pragma once

#include <cstdint>
#include <string>

#include "base/thread_pool.h"
#include "rocforge/status.h"

namespace rocforge::prof {

struct MemoryBandwidth {
  double read_bytes_per_s = 0;
  double write_bytes_per_s = 0;   // 0: not measured
  double copy_bytes_per_s = 0;    // bytes read plus bytes written; 0: not measured
  uint64_t buffer_bytes = 0;      // what was read; several times the last-level cache
  uint64_t last_cache_bytes = 0;  // all last-level caches together; 0: unknown
  int n_threads = 0;
};

// Reads a buffer well beyond the last-level cache with all threads of the pool, several times, and
// takes the fastest pass. Takes 0.2 to 0.4 s. kResourceExhausted where memory for a buffer that
// large is not available. `all`: also writes the buffer, and copies half of it to the other half.
Result<MemoryBandwidth> MeasureMemoryBandwidth(ThreadPool& pool, bool all = false);

// The measurement of this CPU model, memory size and number of threads that `folder` keeps
// (prof/ceilings.h), or a new one, which is then kept there. A folder that cannot
// be written is no error: the next call measures again. `measure_again` measures in any case and
// keeps the larger value: what else the machine does can only make it look slower.
Result<MemoryBandwidth> CachedMemoryBandwidth(const std::string& folder, int n_threads,
                                              bool measure_again = false);

}  // namespace rocforge::prof
