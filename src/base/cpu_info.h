// What this machine's CPU offers: instruction sets (for kernel dispatch), cores, caches, memory
// (for `rocforge devices`).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace rocforge {

// Instruction sets that a kernel may ask for. A flag is true only when the CPU has the instructions
// AND the operating system saves the registers they use (XCR0 on x86-64, AT_HWCAP on arm64), so a
// kernel may run iff its flags are true. Flags of other architectures are false.
struct CpuFeatures {
  // x86-64
  bool sse42 = false;
  bool avx = false;
  bool avx2 = false;
  bool fma = false;
  bool f16c = false;
  bool bmi2 = false;
  bool avx_vnni = false;       // 256-bit dpbusd with VEX encoding
  bool avx_vnni_int8 = false;  // signed x signed, unsigned x unsigned
  bool avx512f = false;
  bool avx512bw = false;
  bool avx512dq = false;
  bool avx512vl = false;
  bool avx512_vnni = false;
  bool avx512_vbmi = false;
  bool avx512_bf16 = false;
  bool avx512_fp16 = false;
  bool amx_tile = false;  // needs permission from the kernel (arch_prctl) before the first use
  bool amx_int8 = false;
  bool amx_bf16 = false;
  // arm64
  bool neon = false;
  bool fp16 = false;  // half-precision arithmetic
  bool dotprod = false;
  bool i8mm = false;
  bool bf16 = false;
  bool sve = false;
  bool sve2 = false;
};

// Detected once; thread-safe, cheap to call again.
const CpuFeatures& DetectCpu();

// Names of the flags that are true, in the order of the struct: {"sse42", "avx", ...}.
std::vector<std::string> CpuFeatureNames(const CpuFeatures& features);

struct CacheInfo {
  int level = 0;           // 1, 2, 3
  std::string type;        // "data", "instruction" or "unified"
  uint64_t bytes = 0;      // of one instance
  int instances = 0;       // in the whole machine
  int shared_by_cpus = 0;  // logical CPUs that share one instance
};

// Figures that the system does not tell are 0, "" or -1 where a line says so.
struct CpuInfo {
  std::string architecture;  // "x86_64", "aarch64"
  std::string model_name;
  int packages = 0;
  int physical_cores = 0;  // in the machine
  int logical_cpus = 0;    // in the machine
  int usable_cores = 0;    // physical cores that this process may use (affinity, cgroup quota)
  CpuFeatures features;
  std::vector<CacheInfo> caches;  // by level, then type
  int numa_nodes = 0;
};

struct MemoryInfo {
  uint64_t total_bytes = 0;
  uint64_t available_bytes = 0;     // what a new process can take without swapping
  int64_t cgroup_limit_bytes = -1;  // -1: no limit below total_bytes
  uint64_t page_bytes = 0;
  uint64_t huge_page_bytes = 0;  // size of one explicit huge page
  uint64_t huge_pages_total = 0;
  uint64_t huge_pages_free = 0;
  std::string transparent_huge_pages;  // "always", "madvise", "never", or "" if unknown
};

// Reads the system's files on each call (milliseconds); never fails, unknown facts stay empty.
CpuInfo ReadCpuInfo();
MemoryInfo ReadMemoryInfo();

}  // namespace rocforge
