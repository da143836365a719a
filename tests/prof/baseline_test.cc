#include "prof/baseline.h"

#include <fstream>
#include <random>
#include <sstream>

#include "tests/testing.h"

namespace rocforge::prof {
namespace {

using testing::TempDir;

std::vector<double> Times(double floor, size_t n = 60, double spread = 0.01, uint32_t seed = 1) {
  std::mt19937 random(seed);
  std::exponential_distribution<double> tail(1 / (spread * floor));
  std::vector<double> samples(n);
  for (double& s : samples) s = floor + tail(random);
  return samples;
}

Baseline One(std::vector<double> samples) {
  Baseline b;
  b.suite = "matmul";
  b.hardware = {{"cpu", "Test CPU"}, {"threads", "2"}};
  b.context = {{"commit", "abc"}};
  b.series = {{"case", "s", false, std::move(samples)}};
  return b;
}

Change CompareOne(const Baseline& before, const Baseline& now) {
  const Comparison c = Compare(before, now, {});
  EXPECT_EQ(c.changes.size(), 1u);
  return c.changes[0];
}

std::string Read(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

void Write(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

TEST(Baseline, SurvivesItsFile) {
  const TempDir dir;
  Baseline saved = One(Times(1.0, 1000));
  saved.series.push_back({"kv \"f16\"", "bytes", true, {4096}});
  saved.series.push_back({"failed", "s", false, {}});
  ASSERT_OK(SaveBaseline(saved, dir.File("b.json")));
  const Result<Baseline> loaded = LoadBaseline(dir.File("b.json"));
  ASSERT_OK(loaded.status());
  EXPECT_EQ(loaded->suite, "matmul");
  EXPECT_EQ(loaded->hardware, saved.hardware);
  EXPECT_EQ(loaded->context, saved.context);
  ASSERT_EQ(loaded->series.size(), 2u);
  EXPECT_EQ(loaded->series[0].samples.size(), 256u);
  EXPECT_EQ(loaded->series[1].name, "kv \"f16\"");
  EXPECT_TRUE(loaded->series[1].exact);
  EXPECT_EQ(CompareOne(*loaded, One(saved.series[0].samples)).verdict, Verdict::kOk);
}

TEST(Baseline, CannotBeWrittenWhereThereIsNoFolder) {
  const TempDir dir;
  EXPECT_EQ(SaveBaseline(One({1}), dir.File("no/such/b.json")).code(), StatusCode::kUnavailable);
}

TEST(Baseline, ForeignAndDamagedFilesAreErrors) {
  const TempDir dir;
  const std::string path = dir.File("b.json");
  EXPECT_EQ(LoadBaseline(path).status().code(), StatusCode::kNotFound);
  ASSERT_OK(SaveBaseline(One(Times(1.0, 10)), path));
  const std::string good = Read(path);
  for (const std::string& bad :
       {std::string(), std::string("{}"), std::string("[1, 2]"), std::string("hello"),
        std::string("{\"format\": \"other\"}"), good.substr(0, good.size() / 2)}) {
    Write(path, bad);
    EXPECT_EQ(LoadBaseline(path).status().code(), StatusCode::kDataLoss) << bad;
  }
  const auto replaced = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
  };
  for (const std::string& bad :
       {replaced("\"version\": 1", "\"version\": 2"), replaced("\"samples\":[", "\"samples\":[-1,"),
        replaced("\"samples\":[", "\"samples\":[\"x\","), replaced("\"hardware\"", "\"software\""),
        replaced("\"suite\"", "\"sweet\""), replaced("\"results\"", "\"result\""),
        replaced("\"unit\"", "\"union\"")}) {
    Write(path, bad);
    EXPECT_EQ(LoadBaseline(path).status().code(), StatusCode::kDataLoss) << bad;
  }
}

// Any cut of a good file is refused, never read as a smaller baseline.
TEST(Baseline, NoPrefixOfAFileIsABaseline) {
  const TempDir dir;
  const std::string path = dir.File("b.json");
  ASSERT_OK(SaveBaseline(One({1, 2, 3}), path));
  const std::string good = Read(path);
  for (size_t n = 0; n + 2 < good.size(); n += 7) {
    Write(path, good.substr(0, n));
    EXPECT_FALSE(LoadBaseline(path).ok()) << n;
  }
}

TEST(Baseline, VerdictsOfTimes) {
  const Baseline before = One(Times(1.0));
  EXPECT_EQ(CompareOne(before, One(Times(1.0, 60, 0.01, 2))).verdict, Verdict::kOk);
  EXPECT_EQ(CompareOne(before, One(Times(1.05))).verdict, Verdict::kOk);
  const Change slower = CompareOne(before, One(Times(1.15)));
  EXPECT_EQ(slower.verdict, Verdict::kRegression);
  EXPECT_NEAR(slower.ratio, 1.15, 0.02);
  EXPECT_LT(slower.interval.low, 1.15);
  EXPECT_GT(slower.interval.high, 1.15);
  EXPECT_EQ(CompareOne(before, One(Times(0.8))).verdict, Verdict::kImproved);
}

TEST(Baseline, ABusyMachineIsNoRegression) {
  const Baseline before = One(Times(1.0));
  // Half of the samples wait for others, the best do not.
  std::vector<double> busy = Times(1.0);
  for (size_t i = 0; i < busy.size(); ++i) busy[i] *= i % 4 == 0 ? 1.0 : 1.5;
  const Change change = CompareOne(before, One(busy));
  EXPECT_EQ(change.verdict, Verdict::kNoisy);
  EXPECT_NE(change.note, "");
  // Few samples that scatter: the interval holds 1.
  EXPECT_EQ(CompareOne(One({1.0, 2.0, 1.1}), One({1.2, 2.4, 1.3})).verdict, Verdict::kNoisy);
}

TEST(Baseline, WhoWaitedForACoreIsNotSlower) {
  Baseline now = One(Times(1.5));
  EXPECT_EQ(CompareOne(One(Times(1.0)), now).verdict, Verdict::kRegression);
  now.series[0].waited = 0.3;
  const Change change = CompareOne(One(Times(1.0)), now);
  EXPECT_EQ(change.verdict, Verdict::kNoisy);
  EXPECT_EQ(change.note, "waited 30 % of the time for a core");
  // Nor has anything become faster than a baseline that waited.
  EXPECT_EQ(CompareOne(now, One(Times(1.0))).verdict, Verdict::kOk);
}

TEST(Baseline, ATailOfACalmRunIsARegression) {
  std::vector<double> tail = Times(1.0, 400, 0.001);
  for (size_t i = 0; i < tail.size(); i += 10) tail[i] *= 2;
  const Change change = CompareOne(One(Times(1.0, 400, 0.001)), One(tail));
  EXPECT_EQ(change.verdict, Verdict::kRegression);
  EXPECT_EQ(change.metric, Metric::kP95);
}

TEST(Baseline, CountsNeedNoStatistics) {
  const auto bytes = [](double n) {
    Baseline b = One({1});
    b.series = {{"kv", "bytes", true, {n}}};
    return b;
  };
  EXPECT_EQ(CompareOne(bytes(1000), bytes(1000)).verdict, Verdict::kOk);
  EXPECT_EQ(CompareOne(bytes(1000), bytes(1200)).verdict, Verdict::kRegression);
  EXPECT_EQ(CompareOne(bytes(1000), bytes(500)).verdict, Verdict::kImproved);
  EXPECT_TRUE(Compare(bytes(1000), bytes(1000), {}).warnings.empty());
}

TEST(Baseline, OtherHardwareIsNotCompared) {
  const Baseline before = One(Times(1.0));
  Baseline now = One(Times(2.0));
  now.hardware[0].second = "Other CPU";
  const Comparison c = Compare(before, now, {});
  ASSERT_EQ(c.mismatches.size(), 1u);
  EXPECT_EQ(c.mismatches[0], "cpu: Test CPU in the baseline, Other CPU now");
  EXPECT_EQ(c.changes[0].verdict, Verdict::kHardwareMismatch);
  EXPECT_FALSE(c.Failed());
  Baseline other_suite = One(Times(1.0));
  other_suite.suite = "dequant";
  EXPECT_TRUE(Compare(before, other_suite, {}).HardwareDiffers());
  Baseline gpu_too = One(Times(1.0));
  gpu_too.hardware.emplace_back("gpu", "Some GPU");
  EXPECT_TRUE(Compare(before, gpu_too, {}).HardwareDiffers());
  EXPECT_TRUE(Compare(gpu_too, before, {}).HardwareDiffers());
}

TEST(Baseline, ContextIsOnlyNoted) {
  Baseline now = One(Times(1.0));
  now.context[0].second = "def";
  const Comparison c = Compare(One(Times(1.0)), now, {});
  EXPECT_EQ(c.notes, std::vector<std::string>{"commit: abc in the baseline, def now"});
  EXPECT_EQ(c.changes[0].verdict, Verdict::kOk);
}

TEST(Baseline, WhatIsMissing) {
  const Baseline before = One(Times(1.0));
  const Comparison failed = Compare(before, One({}), {});
  EXPECT_EQ(failed.changes[0].verdict, Verdict::kMissing);
  EXPECT_TRUE(failed.Failed());
  Baseline other = One(Times(1.0));
  other.series[0].name = "new case";
  const Comparison added = Compare(before, other, {});
  ASSERT_EQ(added.changes.size(), 1u);
  EXPECT_EQ(added.changes[0].verdict, Verdict::kMissing);
  EXPECT_FALSE(added.Failed());
}

TEST(Baseline, FewSamplesAreSaid) {
  EXPECT_EQ(Compare(One(Times(1, 5)), One(Times(1, 5)), {}).warnings.size(), 1u);
  EXPECT_TRUE(Compare(One(Times(1, 9)), One(Times(1, 9)), {}).warnings.empty());
}

}  // namespace
}  // namespace rocforge::prof
