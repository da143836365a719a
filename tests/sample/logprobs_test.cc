#include "sample/logprobs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "sample/math.h"

namespace rocforge::sample {
namespace {

double ReferenceLogSumExp(std::span<const float> logits) {
  double max = -INFINITY;
  for (const float x : logits) max = std::max<double>(max, x);
  double sum = 0;
  for (const float x : logits) sum += std::exp(x - max);
  return max + std::log(sum);
}

TEST(ExpNegative, WithinItsBound) {
  double worst = 0;
  for (float x = 0; x >= -87.0f; x -= 0.000731f) {
    const double want = std::exp(static_cast<double>(x));
    worst = std::max(worst, std::abs(ExpNegative(x) - want) / want);
  }
  EXPECT_LT(worst, 2e-7);
  EXPECT_EQ(ExpNegative(0.0f), 1.0f);
  EXPECT_EQ(ExpNegative(-87.5f), 0.0f);
  EXPECT_EQ(ExpNegative(kMinusInf), 0.0f);
}

TEST(LogSoftmax, AgreesWithDoublePrecision) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 gen(seed);
  for (const size_t n : {1u, 2u, 7u, 8u, 511u, 512u, 513u, 50000u}) {
    std::normal_distribution<float> normal(3.0f, 4.0f);
    std::vector<float> logits(n);
    for (float& x : logits) x = normal(gen);
    if (n > 2) logits[n / 2] = kMinusInf;
    const double total = ReferenceLogSumExp(logits);
    EXPECT_NEAR(LogSumExp(logits), total, 1e-7 + 1e-7 * std::abs(total));
    std::vector<float> out(n);
    LogSoftmax(logits, out);
    for (size_t i = 0; i < n; ++i) {
      if (std::isinf(logits[i])) {
        ASSERT_EQ(out[i], kMinusInf);
      } else {
        ASSERT_NEAR(out[i], logits[i] - total, 2e-6);
      }
    }
    LogSoftmax(logits, logits);
    EXPECT_EQ(logits, out);
  }
}

TEST(LogSumExp, EdgeCases) {
  EXPECT_EQ(LogSumExp({}), -INFINITY);
  EXPECT_EQ(LogSumExp(std::vector<float>{kMinusInf, kMinusInf}), -INFINITY);
  EXPECT_TRUE(std::isnan(LogSumExp(std::vector<float>{1.0f, std::nanf("")})));
  EXPECT_NEAR(LogSumExp(std::vector<float>{3e38f, 3e38f}), 3e38, 1e31);
}

TEST(TopLogProbs, MatchesAFullSort) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 gen(seed);
  for (const int64_t n : {1, 5, 300, 4000}) {
    std::vector<float> logits(static_cast<size_t>(n));
    for (float& x : logits) x = static_cast<float>(gen() % 64) / 8;  // many ties
    std::vector<TokenLogProb> all;
    const double total = ReferenceLogSumExp(logits);
    for (int32_t i = 0; i < n; ++i) all.push_back({i, logits[static_cast<size_t>(i)]});
    std::stable_sort(all.begin(), all.end(),
                     [](const auto& a, const auto& b) { return a.logprob > b.logprob; });
    for (const int64_t k : {int64_t{0}, int64_t{1}, int64_t{20}, n, n + 1}) {
      std::vector<TokenLogProb> top;
      TopLogProbs(logits, k, &top);
      ASSERT_EQ(top.size(), static_cast<size_t>(std::min(k, n)));
      for (size_t i = 0; i < top.size(); ++i) {
        ASSERT_EQ(top[i].id, all[i].id);
        ASSERT_NEAR(top[i].logprob, all[i].logprob - total, 2e-6);
      }
    }
  }
}

}  // namespace
}  // namespace rocforge::sample
