#include "prof/memory_bandwidth.h"

#include <fstream>
#include <string>

#include "tests/testing.h"

namespace rocforge::prof {
namespace {

using ::rocforge::testing::ReadFileOrFail;
using ::rocforge::testing::TempDir;

TEST(MemoryBandwidthTest, MeasuresSomethingThatMemoryCanDo) {
  ThreadPool pool(2);
  const Result<MemoryBandwidth> measured = MeasureMemoryBandwidth(pool);
  if (measured.status().code() == StatusCode::kResourceExhausted) {
    GTEST_SKIP() << measured.status().message();
  }
  ASSERT_OK(measured);
  EXPECT_EQ(measured->n_threads, 2);
  EXPECT_GE(measured->buffer_bytes, 2 * measured->last_cache_bytes);
  // Sanitizers slow the loop down; no machine of today reads more than 10 TB/s from memory.
  EXPECT_GT(measured->read_bytes_per_s, 1e7);
  EXPECT_LT(measured->read_bytes_per_s, 1e13);
}

TEST(MemoryBandwidthTest, KeepsOneValuePerMachineAndThreads) {
  const TempDir dir;
  const std::string folder = dir.File("deep/cache");
  const Result<MemoryBandwidth> first = CachedMemoryBandwidth(folder, 1);
  if (!first.ok()) GTEST_SKIP() << first.status().message();
  const std::string file = folder + "/ceilings.json";
  const std::string text = ReadFileOrFail(file);
  const Result<MemoryBandwidth> again = CachedMemoryBandwidth(folder, 1);
  ASSERT_OK(again);
  // Written in whole bytes per second.
  EXPECT_NEAR(again->read_bytes_per_s, first->read_bytes_per_s, 1.0);
  EXPECT_EQ(again->buffer_bytes, first->buffer_bytes);
  EXPECT_EQ(ReadFileOrFail(file), text) << "the kept value was measured again";

  ASSERT_OK(CachedMemoryBandwidth(folder, 1, /*measure_again=*/true));
  const std::string replaced = ReadFileOrFail(file);
  EXPECT_EQ(replaced.find("read_bytes_per_s"), replaced.rfind("read_bytes_per_s")) << replaced;
}

TEST(MemoryBandwidthTest, BrokenCacheFilesAreMeasuredAnew) {
  const TempDir dir;
  std::ofstream(dir.File("ceilings.json")) << "{\"version\": 1, \"entries\": [7, {\xff";
  const Result<MemoryBandwidth> measured = CachedMemoryBandwidth(dir.path(), 1);
  if (!measured.ok()) GTEST_SKIP() << measured.status().message();
  EXPECT_GT(measured->read_bytes_per_s, 0);
}

TEST(MemoryBandwidthTest, AFolderThatCannotBeWrittenIsNoError) {
  const Result<MemoryBandwidth> measured = CachedMemoryBandwidth("/proc/rocforge-cannot", 1);
  if (measured.status().code() == StatusCode::kResourceExhausted) GTEST_SKIP();
  ASSERT_OK(measured);
  EXPECT_GT(measured->read_bytes_per_s, 0);
}

}  // namespace
}  // namespace rocforge::prof
