// The ceilings of a machine: what its memory, its launches and its matrix units reach at best when
// nothing else is asked of them. Reports divide by them. Measured once per device and driver and
// kept in a small JSON file (ceilings.json in the cache folder).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "rocforge/status.h"

namespace rocforge::prof {

// What a measurement is valid for. Another driver, another number of threads: another key.
struct CeilingsKey {
  std::string device;  // "NVIDIA H200", "AMD EPYC 9V74 (125 GiB)"
  std::string driver;  // "NVIDIA 13.0, sm_90a", "2 threads"
  bool operator==(const CeilingsKey&) const = default;
};

// Every figure is 0 where it was not measured or the device has no such thing.
struct Ceilings {
  CeilingsKey key;
  double read_bytes_per_s = 0;
  double write_bytes_per_s = 0;
  double copy_bytes_per_s = 0;       // bytes read plus bytes written
  double to_device_bytes_per_s = 0;  // from pinned memory of the host; GPUs only
  double to_host_bytes_per_s = 0;    // to pinned memory of the host; GPUs only
  double launch_ns = 0;      // of an empty kernel in a row of them; CPU: an empty job of the team
  double graph_node_ns = 0;  // of an empty kernel in a captured graph; GPUs only
  // 8-bit products with 32-bit sums; a multiply-add is two. GPU: dot products of four (dp4a,
  // v_dot4), which our kernels use, not the matrix unit's 8-bit rate, which they do not.
  double int8_ops_per_s = 0;
  double float_ops_per_s = 0;     // GPU: f16 products with f32 sums; CPU: f32
  uint64_t buffer_bytes = 0;      // what the memory figures were measured on
  uint64_t last_cache_bytes = 0;  // all last-level caches together; 0: unknown
  std::string measured_at;        // "2026-11-22"
};

// The key of this machine's CPU with a team of so many threads.
CeilingsKey CpuCeilingsKey(int n_threads);

// What `folder` keeps for the key. kNotFound, with what to do, if there is nothing; a file that
// cannot be read or parsed is nothing.
Result<Ceilings> LoadCeilings(const std::string& folder, const CeilingsKey& key);

// Everything that `folder` keeps, in the order of the file.
std::vector<Ceilings> LoadAllCeilings(const std::string& folder);

// Keeps the figures under their key: those that are not 0 replace what was kept, the others stay.
// The file is replaced whole, never half written. Errors name the file.
Status SaveCeilings(const std::string& folder, const Ceilings& ceilings);

// The larger of the two rates, the smaller of the two costs, for each figure that both have: what
// else a machine does can only make it look slower.
Ceilings BestOf(const Ceilings& a, const Ceilings& b);

}  // namespace rocforge::prof
