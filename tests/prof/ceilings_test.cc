#include "prof/ceilings.h"

#include <cmath>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include "prof/cpu_ceilings.h"
#include "prof/memory_bandwidth.h"
#include "tests/testing.h"

namespace rocforge::prof {
namespace {

using ::rocforge::testing::ReadFileOrFail;
using ::rocforge::testing::TempDir;

Ceilings Sample(const std::string& device) {
  Ceilings c;
  c.key = {device, "1.2, gfx1100"};
  c.read_bytes_per_s = 960e9;
  c.launch_ns = 3900;
  c.buffer_bytes = 1 << 30;
  return c;
}

TEST(CeilingsTest, SavedFiguresComeBackUnderTheirKeyOnly) {
  const TempDir dir;
  const std::string folder = dir.File("deep/cache");
  const Ceilings a = Sample("card \"A\"");
  ASSERT_OK(SaveCeilings(folder, a));
  ASSERT_OK(SaveCeilings(folder, Sample("B")));
  const Result<Ceilings> got = LoadCeilings(folder, a.key);
  ASSERT_OK(got);
  EXPECT_EQ(got->read_bytes_per_s, 960e9);
  EXPECT_EQ(got->launch_ns, 3900);
  EXPECT_EQ(got->write_bytes_per_s, 0);
  EXPECT_EQ(got->buffer_bytes, uint64_t{1} << 30);
  EXPECT_EQ(got->measured_at.size(), 10u);
  EXPECT_EQ(LoadAllCeilings(folder).size(), 2u);
  CeilingsKey other = a.key;
  other.driver = "1.3, gfx1100";
  const Status missing = LoadCeilings(folder, other).status();
  EXPECT_EQ(missing.code(), StatusCode::kNotFound);
  EXPECT_NE(missing.message().find("devices --measure"), std::string::npos);
}

TEST(CeilingsTest, SavingMergesWithWhatWasKept) {
  const TempDir dir;
  ASSERT_OK(SaveCeilings(dir.path(), Sample("A")));
  Ceilings more;
  more.key = Sample("A").key;
  more.write_bytes_per_s = 5;
  more.launch_ns = std::numeric_limits<double>::quiet_NaN();
  ASSERT_OK(SaveCeilings(dir.path(), more));
  const Result<Ceilings> got = LoadCeilings(dir.path(), more.key);
  ASSERT_OK(got);
  EXPECT_EQ(got->read_bytes_per_s, 960e9);
  EXPECT_EQ(got->write_bytes_per_s, 5);
  EXPECT_EQ(got->launch_ns, 3900);
  EXPECT_FALSE(SaveCeilings(dir.path(), Ceilings()).ok());
  EXPECT_FALSE(SaveCeilings("/proc/rocforge-cannot", more).ok());
}

TEST(CeilingsTest, BrokenFilesAndFiguresAreAsIfNothingWasMeasured) {
  const TempDir dir;
  EXPECT_TRUE(LoadAllCeilings(dir.File("missing")).empty());
  for (const char* text : {"", "nonsense", "[]", "{\"version\": 2, \"entries\": []}",
                           "{\"version\": 1}", "{\"version\": 1, \"entries\": {\"device\": \"A\"}}",
                           "{\"version\": 1, \"entries\": [7, {}, {\"device\": 7}]}"}) {
    std::ofstream(dir.File("ceilings.json"), std::ios::trunc) << text;
    EXPECT_TRUE(LoadAllCeilings(dir.path()).empty()) << text;
  }
  std::ofstream(dir.File("ceilings.json"), std::ios::trunc)
      << R"({"version": 1, "entries": [{"device": "A", "driver": "d", "read_bytes_per_s": -1,
             "launch_ns": "fast", "copy_bytes_per_s": 7, "buffer_bytes": 1e300}]})";
  const std::vector<Ceilings> all = LoadAllCeilings(dir.path());
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].read_bytes_per_s, 0);
  EXPECT_EQ(all[0].launch_ns, 0);
  EXPECT_EQ(all[0].copy_bytes_per_s, 7);
}

TEST(CeilingsTest, BestOfTakesTheFasterFigure) {
  Ceilings a = Sample("A");
  Ceilings b = Sample("A");
  b.read_bytes_per_s = 1000e9;
  b.launch_ns = 4000;
  b.graph_node_ns = 700;
  const Ceilings best = BestOf(a, b);
  EXPECT_EQ(best.read_bytes_per_s, 1000e9);
  EXPECT_EQ(best.launch_ns, 3900);
  EXPECT_EQ(best.graph_node_ns, 700);
}

TEST(CeilingsTest, TheCpuIsMeasuredWhole) {
  ThreadPool pool(1);
  int calls = 0;
  const Result<Ceilings> measured =
      MeasureCpuCeilings(pool, [&](std::string_view what, int done, int total) {
        EXPECT_FALSE(what.empty());
        EXPECT_EQ(done, calls++);
        EXPECT_GT(total, done);
      });
  if (measured.status().code() == StatusCode::kResourceExhausted) {
    GTEST_SKIP() << measured.status().message();
  }
  ASSERT_OK(measured);
  EXPECT_EQ(calls, 4);
  EXPECT_EQ(measured->key, CpuCeilingsKey(1));
  for (const double rate :
       {measured->read_bytes_per_s, measured->write_bytes_per_s, measured->copy_bytes_per_s,
        measured->float_ops_per_s, measured->int8_ops_per_s}) {
    EXPECT_GT(rate, 1e7);
    EXPECT_LT(rate, 1e14);
  }
  EXPECT_GT(measured->launch_ns, 0);
  EXPECT_LT(measured->launch_ns, 1e6);
  EXPECT_EQ(measured->graph_node_ns, 0);
  // The cache of the read bandwidth is the same file.
  const TempDir dir;
  ASSERT_OK(SaveCeilings(dir.path(), *measured));
  const Result<MemoryBandwidth> kept = CachedMemoryBandwidth(dir.path(), 1);
  ASSERT_OK(kept);
  EXPECT_NEAR(kept->read_bytes_per_s, measured->read_bytes_per_s, 1.0);
}

}  // namespace
}  // namespace rocforge::prof
