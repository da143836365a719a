#include "base/cpu_info.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>

namespace rocforge {
namespace {

// The kernel's own list of flags, as words; "" where there is none.
std::string KernelFlags() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("flags") || line.starts_with("Features"))
      return line.substr(line.find(':') + 1) + " ";
  }
  return "";
}

TEST(CpuFeatures, AgreeWithTheKernel) {
  const std::string flags = KernelFlags();
  if (flags.empty()) GTEST_SKIP() << "/proc/cpuinfo lists no flags";
  const auto has = [&](const char* word) {
    return flags.find(std::string(" ") + word + " ") != std::string::npos;
  };
  const CpuFeatures& f = DetectCpu();
#if defined(__x86_64__)
  EXPECT_EQ(f.sse42, has("sse4_2"));
  EXPECT_EQ(f.avx, has("avx"));
  EXPECT_EQ(f.avx2, has("avx2"));
  EXPECT_EQ(f.fma, has("fma"));
  EXPECT_EQ(f.f16c, has("f16c"));
  EXPECT_EQ(f.bmi2, has("bmi2"));
  EXPECT_EQ(f.avx_vnni, has("avx_vnni"));
  EXPECT_EQ(f.avx512f, has("avx512f"));
  EXPECT_EQ(f.avx512bw, has("avx512bw"));
  EXPECT_EQ(f.avx512dq, has("avx512dq"));
  EXPECT_EQ(f.avx512vl, has("avx512vl"));
  EXPECT_EQ(f.avx512_vnni, has("avx512_vnni"));
  EXPECT_EQ(f.avx512_vbmi, has("avx512vbmi"));
  EXPECT_EQ(f.avx512_bf16, has("avx512_bf16"));
  EXPECT_EQ(f.avx512_fp16, has("avx512_fp16"));
  EXPECT_EQ(f.amx_tile, has("amx_tile"));
  EXPECT_EQ(f.amx_int8, has("amx_int8"));
  EXPECT_EQ(f.amx_bf16, has("amx_bf16"));
  EXPECT_FALSE(f.neon);
#elif defined(__aarch64__)
  EXPECT_EQ(f.neon, has("asimd"));
  EXPECT_EQ(f.fp16, has("asimdhp"));
  EXPECT_EQ(f.dotprod, has("asimddp"));
  EXPECT_EQ(f.i8mm, has("i8mm"));
  EXPECT_EQ(f.bf16, has("bf16"));
  EXPECT_EQ(f.sve, has("sve"));
  EXPECT_EQ(f.sve2, has("sve2"));
  EXPECT_FALSE(f.avx2);
#endif
}

TEST(CpuFeatures, NamesListExactlyTheTrueFlags) {
  CpuFeatures f;
  EXPECT_TRUE(CpuFeatureNames(f).empty());
  f.avx2 = true;
  f.dotprod = true;
  EXPECT_EQ(CpuFeatureNames(f), (std::vector<std::string>{"avx2", "dotprod"}));
}

TEST(CpuInfo, IsConsistent) {
  const CpuInfo info = ReadCpuInfo();
  EXPECT_FALSE(info.architecture.empty());
  EXPECT_GE(info.logical_cpus, info.physical_cores);
  EXPECT_GE(info.usable_cores, 1);
  for (const CacheInfo& cache : info.caches) {
    EXPECT_GE(cache.level, 1);
    EXPECT_GT(cache.bytes, 0u);
    EXPECT_GE(cache.instances, 1);
    EXPECT_LE(cache.instances * cache.shared_by_cpus, std::max(info.logical_cpus, 1) * 2);
  }
}

TEST(MemoryInfo, IsConsistent) {
  const MemoryInfo info = ReadMemoryInfo();
  EXPECT_GT(info.total_bytes, 0u);
  EXPECT_LE(info.available_bytes, info.total_bytes);
  EXPECT_GT(info.page_bytes, 0u);
  EXPECT_LE(info.huge_pages_free, info.huge_pages_total);
  if (info.cgroup_limit_bytes >= 0) {
    EXPECT_LT(static_cast<uint64_t>(info.cgroup_limit_bytes), info.total_bytes);
  }
}

}  // namespace
}  // namespace rocforge
