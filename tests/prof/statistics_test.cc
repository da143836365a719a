#include "prof/statistics.h"

#include <cmath>
#include <random>

#include "tests/testing.h"

namespace rocforge::prof {
namespace {

// Times of one kernel: a floor and a tail above it.
std::vector<double> Times(std::mt19937& random, size_t n, double floor, double spread) {
  std::exponential_distribution<double> tail(1 / spread);
  std::vector<double> samples(n);
  for (double& s : samples) s = floor + tail(random);
  return samples;
}

TEST(Statistics, SummaryOfKnownSamples) {
  std::vector<double> samples;
  for (int i = 100; i >= 0; --i) samples.push_back(i);
  const Summary s = Summarise(samples);
  EXPECT_EQ(s.n, 101);
  EXPECT_DOUBLE_EQ(s.avg, 50);
  EXPECT_EQ(s.min, 0);
  EXPECT_EQ(s.max, 100);
  EXPECT_DOUBLE_EQ(s.p50, 50);
  EXPECT_DOUBLE_EQ(s.p95, 95);
  EXPECT_DOUBLE_EQ(s.p99, 99);
  EXPECT_EQ(Summarise({}).n, 0);
  EXPECT_EQ(ValueOf(s, Metric::kP95), s.p95);
  EXPECT_STREQ(MetricName(Metric::kP99), "p99");
}

TEST(Statistics, QuantileIsLinearBetweenNeighbours) {
  EXPECT_DOUBLE_EQ(Quantile(std::vector<double>{1, 2}, 0.25), 1.25);
  EXPECT_DOUBLE_EQ(Quantile(std::vector<double>{3}, 0.99), 3);
}

// scipy.stats.mannwhitneyu(a, b, method="asymptotic").pvalue
TEST(Statistics, MannWhitneyAgreesWithScipy) {
  const std::vector<double> a = {19, 22, 16, 29, 24};
  const std::vector<double> b = {20, 11, 17, 12};
  EXPECT_NEAR(MannWhitney(a, b), 0.11134688653314041, 1e-12);
  EXPECT_NEAR(MannWhitney(b, a), 0.11134688653314041, 1e-12);
}

TEST(Statistics, MannWhitneyOfEqualOrNoSamplesIsOne) {
  const std::vector<double> same(10, 1.0);
  EXPECT_EQ(MannWhitney(same, same), 1);
  EXPECT_EQ(MannWhitney(same, {}), 1);
}

TEST(Statistics, AShiftIsSeenAndNoneIsNot) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  const std::vector<double> before = Times(random, 50, 1.0, 0.02);
  const std::vector<double> slower = Times(random, 50, 1.15, 0.02);
  EXPECT_LT(MannWhitney(before, slower), 1e-6);
  const Interval shifted = BootstrapRatio(before, slower, Metric::kP50);
  EXPECT_GT(shifted.low, 1.1);
  EXPECT_LT(shifted.high, 1.2);
  int false_alarms = 0;
  for (int i = 0; i < 100; ++i) {
    const std::vector<double> x = Times(random, 30, 1.0, 0.02);
    const std::vector<double> y = Times(random, 30, 1.0, 0.02);
    false_alarms += MannWhitney(x, y) < 0.01;
  }
  EXPECT_LE(false_alarms, 8);  // 1 is expected; 9 or more have a chance below 1e-6
}

TEST(Statistics, PairsNeedEightForAnInterval) {
  const std::vector<double> seven(7, 1.2);
  EXPECT_EQ(MedianOfRatios(seven).ratio, 1.2);
  EXPECT_EQ(MedianOfRatios(seven).interval.low, 0);
  EXPECT_TRUE(std::isinf(MedianOfRatios(seven).interval.high));
  const std::vector<double> eight = {1, 2, 3, 4, 5, 6, 7, 8};
  EXPECT_EQ(MedianOfRatios(eight).ratio, 4.5);
  EXPECT_EQ(MedianOfRatios(eight).interval.low, 1);
  EXPECT_EQ(MedianOfRatios(eight).interval.high, 8);
}

// The order statistics of the sign test's 99 % interval for 20 are the 4th and the 17th.
TEST(Statistics, IntervalOfPairsIsThatOfTheSignTest) {
  std::vector<double> ratios;
  for (int i = 20; i >= 1; --i) ratios.push_back(i);
  const PairedRatio r = MedianOfRatios(ratios);
  EXPECT_EQ(r.interval.low, 4);
  EXPECT_EQ(r.interval.high, 17);
}

}  // namespace
}  // namespace rocforge::prof
