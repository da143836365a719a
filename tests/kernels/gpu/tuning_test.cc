#include "kernels/gpu/tune/tuning.h"

#include <fstream>
#include <string>
#include <vector>

#include "kernels/gpu/tune/tuning_file.h"
#include "tests/kernels/gpu/matvec_harness.h"
#include "tests/kernels/gpu/test_device.h"
#include "tests/testing.h"

namespace rocforge::gpu {
namespace {

using ::rocforge::testing::MatvecCase;
using ::rocforge::testing::MatvecHarness;
using ::rocforge::testing::TempDir;

TEST(Tuning, Buckets) {
  const int64_t edges[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024};
  EXPECT_EQ(RowBucket(0), 0u);
  for (size_t i = 0; i < std::size(edges); ++i) {
    EXPECT_EQ(RowBucket(edges[i]), i);
    EXPECT_EQ(RowBucket(edges[i] + 1), i + 1);
  }
  EXPECT_EQ(RowBucket(int64_t{1} << 60), kSizeBuckets - 1);
  EXPECT_EQ(LengthBucket(64), 0u);
  EXPECT_EQ(LengthBucket(65), 1u);
  EXPECT_EQ(LengthBucket(4096), 6u);
}

TEST(Tuning, KeysNameTypesAndShapes) {
  op::MatMul p;
  p.n_weights = 2;
  p.glu.kind = op::GluKind::kSilu;
  const op::Params params = p;
  const op::Operand in[] = {{{DType::kF32, 1, 3, 256}, nullptr},
                            {{DType::kQ4_K, 1, 512, 256}, nullptr},
                            {{DType::kQ6_K, 1, 512, 256}, nullptr}};
  const op::Operand out[] = {{{DType::kF32, 1, 3, 512}, nullptr}};
  op::Call call{&params, in, out, nullptr, nullptr};
  EXPECT_EQ(TuneKey(call), "MatMul Q4_K+Q6_K 256 > 512+512 silu");
  EXPECT_EQ(ConfigsOf(nullptr, call), OpConfigs());
  Tuning tuning;
  tuning.Set(TuneKey(call), 2, {GemmUnit::kAuto, 3, 128, 0, 0});
  EXPECT_EQ(ConfigsOf(&tuning, call)[2].blocks, 3u);
  EXPECT_TRUE(ConfigsOf(&tuning, call)[1].is_default());
  const op::Params add = op::Add{};
  call.params = &add;
  EXPECT_EQ(TuneKey(call), "");
}

std::vector<TuningEntry> SomeEntries() {
  TuningEntry a;
  a.device = "Card \"X\" (gfx1100)";
  a.driver = "HIP 7.1";
  a.op = "MatMul Q4_K 4096 > 4096";
  a.config = {GemmUnit::kSkinny, 3, 256, 4, 8};
  a.bucket = 5;
  a.before_ns = 12000;
  a.after_ns = 9000;
  TuningEntry b;
  b.device = "Some CPU (8 cores)";
  b.driver = "cpu";
  b.op = "step Q4_K 4096";
  b.cpu_threads = 6;
  b.cpu_isa = "avx2";
  return {a, b};
}

TEST(TuningFile, RoundTripAndMerge) {
  const std::vector<TuningEntry> entries = SomeEntries();
  const TempDir dir;
  const std::string path = dir.File("new/tuning.json");
  ASSERT_OK(ReadTuningFile(path));
  EXPECT_TRUE(ReadTuningFile(path)->empty());
  ASSERT_OK(WriteTuningFile(path, entries));
  Result<std::vector<TuningEntry>> read = ReadTuningFile(path);
  ASSERT_OK(read);
  ASSERT_EQ(read->size(), 2u);
  EXPECT_TRUE((*read)[0].SameKey(entries[0]));
  EXPECT_EQ((*read)[0].config, entries[0].config);
  EXPECT_EQ((*read)[0].after_ns, 9000);
  EXPECT_EQ((*read)[1].cpu_threads, 6);
  EXPECT_EQ((*read)[1].cpu_isa, "avx2");
  std::vector<TuningEntry> more = {entries[0]};
  more[0].config = OpConfig();
  more.push_back(entries[0]);
  more[1].driver = "HIP 7.2";
  MergeTuning(more, &*read);
  ASSERT_EQ(read->size(), 3u);
  EXPECT_EQ((*read)[0].cpu_threads, 6);
  EXPECT_TRUE((*read)[1].config.is_default());
}

TEST(TuningFile, Refusals) {
  const std::string good = WriteTuning(SomeEntries());
  EXPECT_OK(ParseTuning(good));
  // Cut anywhere it is no JSON.
  for (size_t size = 0; size + 2 < good.size(); size += 3)
    EXPECT_EQ(ParseTuning(good.substr(0, size)).status().code(), StatusCode::kDataLoss) << size;
  const auto refused = [](const std::string& entries, const std::string& words) {
    const auto parsed =
        ParseTuning("{\"rocforge_tuning\": 1, \"entries\": [" + entries + "]}").status();
    EXPECT_EQ(parsed.code(), StatusCode::kDataLoss) << entries;
    EXPECT_NE(parsed.message().find(words), std::string::npos) << parsed.message();
  };
  const auto entry = [](const std::string& rest) {
    return R"({"device":"a","driver":"b","op":"c",)" + rest + "}";
  };
  refused("5", "entry 1: it is no object");
  refused("{}", "lacks 'device'");
  refused(entry(R"("bucket":0)"), "lacks 'config'");
  refused(entry(R"("bucket":12,"config":{})"), "'bucket'");
  refused(entry(R"("bucket":-1,"config":{})"), "'bucket'");
  refused(entry(R"("config":{"threads":100})"), "100 threads");
  refused(entry(R"("config":{"blocks":9})"), "9 blocks");
  refused(entry(R"("config":{"blocks":18446744073709551615})"), "too large");
  refused(entry(R"("config":{"unit":"warp"})"), "unknown unit");
  refused(entry(R"("config":{"parts":1.5})"), "no whole number");
  refused(entry(R"("config":[])"), "no object");
  EXPECT_EQ(ParseTuning("{}").status().code(), StatusCode::kDataLoss);
  EXPECT_EQ(ParseTuning("[]").status().code(), StatusCode::kDataLoss);
  EXPECT_EQ(ParseTuning(R"({"rocforge_tuning": 2, "entries": []})").status().code(),
            StatusCode::kUnsupported);
}

// Any configuration gives right results; those that a device cannot do are as if not tuned.
class TunedMatvec : public ::testing::TestWithParam<std::string> {};

TEST_P(TunedMatvec, EveryShapeOfLaunchIsRight) {
  MatvecHarness harness(GetParam());
  if (!harness.ok()) GTEST_SKIP();
  const OpConfig configs[] = {
      {GemmUnit::kAuto, 1, 64, 0, 0},    {GemmUnit::kAuto, 6, 1024, 0, 0},
      {GemmUnit::kMatvec, 3, 384, 0, 0}, {GemmUnit::kSkinny, 0, 0, 7, 0},
      {GemmUnit::kFew, 0, 0, 3, 0},      {GemmUnit::kWarpgroupWide, 8, 128, 1, 8}};
  for (const OpConfig& config : configs) {
    SCOPED_TRACE(ToText(config));
    MatvecCase c;
    c.types = {DType::kQ4_K, DType::kQ6_K};
    c.n_out = {33, 70};
    c.cols = 512;
    c.config = config;
    harness.Expect(c);  // a pair
    c.types = {DType::kQ8_0, DType::kQ8_0};
    c.n_out = {45, 45};
    c.glu.kind = op::GluKind::kSilu;
    harness.Expect(c);
    c.n_x = 5;
    harness.Expect(c);
    c.types = {DType::kF16};
    c.n_out = {21};
    c.glu.kind = op::GluKind::kNone;
    harness.Expect(c);
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, TunedMatvec,
                         ::testing::ValuesIn(::rocforge::testing::TestDevices()),
                         [](const auto& device) { return device.param; });

}  // namespace
}  // namespace rocforge::gpu
