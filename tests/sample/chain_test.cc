// What of a chain can be done where the logits are, and that it is the same.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "sample/random.h"
#include "sample/sampler.h"
#include "tests/sample/reference.h"
#include "tests/testing.h"

namespace rocforge::sample {
namespace {

using testing::RandomLogits;

TEST(Sampler, AmongTheNeededTokensItDrawsTheSame) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937_64 gen(seed);
  constexpr int64_t kVocab = 3000;
  SamplerParams params;
  params.seed = seed;
  params.top_k = 25;
  params.xtc_probability = 0.3f;
  ASSERT_EQ(TokensNeeded(params), 25);
  Sampler all = Sampler::Create(params, kVocab, 100).value();
  Sampler among = all;
  for (int i = 0; i < 200; ++i) {
    std::vector<float> logits = RandomLogits(&gen, kVocab, 2.0f);
    for (float& x : logits) x = std::round(x * 8) / 8;  // many equal ones
    std::vector<int32_t> ids(kVocab);
    std::iota(ids.begin(), ids.end(), 0);
    std::stable_sort(ids.begin(), ids.end(),
                     [&](int32_t a, int32_t b) { return logits[a] > logits[b]; });
    ids.resize(i % 2 == 0 ? 25 : 64);
    std::sort(ids.begin(), ids.end());
    std::vector<float> some;
    for (const int32_t id : ids) some.push_back(logits[id]);
    const auto expected = all.Sample(logits);
    const auto got = among.SampleAmong(ids, some);
    ASSERT_OK(expected);
    ASSERT_OK(got);
    ASSERT_EQ(*got, *expected);
    all.Accept(*expected);
    among.Accept(*got);
  }
}

TEST(Sampler, TokensNeededIsTopKOnlyWhereItComesFirst) {
  SamplerParams params;
  EXPECT_EQ(TokensNeeded(params), 40);
  const auto needed = [&](auto change) {
    SamplerParams changed = params;
    change(changed);
    return TokensNeeded(changed);
  };
  EXPECT_EQ(needed([](SamplerParams& p) { p.top_k = 0; }), 0);
  EXPECT_EQ(needed([](SamplerParams& p) { p.temperature = 0; }), 0);
  EXPECT_EQ(needed([](SamplerParams& p) { p.mirostat = 2; }), 0);
  EXPECT_EQ(needed([](SamplerParams& p) { p.logit_bias = {{1, 1.0f}}; }), 40);
  EXPECT_EQ(needed([](SamplerParams& p) { p.repetition_penalty = 1.1f; }), 40);
  EXPECT_EQ(needed([](SamplerParams& p) { p.dry_multiplier = 0.8f; }), 40);
  EXPECT_EQ(needed([](SamplerParams& p) { p.top_n_sigma = 1; }), 0);
  EXPECT_EQ(needed([](SamplerParams& p) { p.order = {SamplerKind::kMinP, SamplerKind::kTopK}; }),
            0);
  EXPECT_EQ(needed([](SamplerParams& p) { p.order = {}; }), 0);
}

// What NextEdits names, made in the order of its lists, is what the chain does before its first
// cut.
TEST(Sampler, EditsThenTheBestOfWhatIsLeft) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 gen(seed);
  constexpr int32_t kVocab = 60;
  SamplerParams params;
  params.seed = seed;
  params.top_k = 20;
  params.repetition_penalty = 1.3f;
  params.presence_penalty = 0.3f;
  params.frequency_penalty = 0.1f;
  params.penalty_last_n = 30;
  params.dry_multiplier = 0.8f;
  params.dry_allowed_length = 1;
  params.logit_bias = {{7, 2.0f}, {9, -INFINITY}, {7, -0.5f}, {9, 3.0f}, {8, -1e30f}};
  for (const char* order : {"penalties,dry,top_k,min_p,temperature", "dry,penalties,top_k,top_p"}) {
    params.order = ParseOrder(order).value();
    EXPECT_TRUE(EditsLogits(params));
    ASSERT_EQ(TokensNeeded(params), 20);
    Sampler all = Sampler::Create(params, kVocab, 100).value();
    Sampler among = all;
    for (int i = 0; i < 150; ++i) {
      const std::vector<float> logits = RandomLogits(&gen, kVocab, 2.0f);
      std::vector<float> edited = logits;
      for (const auto& list : among.NextEdits()) {
        std::vector<int32_t> named;
        for (const LogitEdit& edit : list) {
          float& x = edited[static_cast<size_t>(edit.token)];
          x = Edited(x, edit);
          named.push_back(edit.token);
        }
        std::sort(named.begin(), named.end());
        ASSERT_EQ(std::unique(named.begin(), named.end()), named.end()) << "named twice";
      }
      ASSERT_EQ(edited[9], -INFINITY);
      std::vector<int32_t> ids(kVocab);
      std::iota(ids.begin(), ids.end(), 0);
      std::stable_sort(ids.begin(), ids.end(),
                       [&](int32_t a, int32_t b) { return edited[a] > edited[b]; });
      ids.resize(20);
      std::sort(ids.begin(), ids.end());
      std::vector<float> some;
      for (const int32_t id : ids) some.push_back(edited[id]);
      const auto expected = all.Sample(logits);
      ASSERT_OK(expected);
      ASSERT_EQ(among.SampleAmong(ids, some).value(), *expected);
      all.Accept(*expected);
      among.Accept(*expected);
    }
  }
}

TEST(Sampler, AnEditBansOnlyIfItIsInfinite) {
  constexpr float kMost = std::numeric_limits<float>::max();
  EXPECT_EQ(Edited(1.0f, {0, 1, 1e300}), -kMost);
  EXPECT_EQ(Edited(1.0f, {0, 1, -1e300}), kMost);
  EXPECT_EQ(Edited(kMost, {0, 2, INFINITY}), -INFINITY);
  EXPECT_EQ(Edited(-INFINITY, {0, 2, -5}), -INFINITY);
  EXPECT_EQ(Edited(3.0f, {0, 2, 0.5}), 1.0f);
  EXPECT_EQ(Edited(-3.0f, {0, 2, 0.5}), -6.5f);
}

TEST(DeviceChain, IsOfCutsAndTemperature) {
  SamplerParams params;
  params.top_k = 0;
  params.repetition_penalty = 1.1f;
  params.xtc_probability = 0.5f;
  params.logit_bias = {{1, 1.0f}};
  DeviceChain chain = DeviceChainOf(params);
  EXPECT_EQ(chain.obstacle, "");
  EXPECT_EQ(chain.kinds, (std::vector<SamplerKind>{SamplerKind::kTopP, SamplerKind::kMinP,
                                                   SamplerKind::kXtc, SamplerKind::kTemperature}));
  params.mirostat = 2;  // cuts do not act
  EXPECT_EQ(DeviceChainOf(params).kinds, std::vector<SamplerKind>{SamplerKind::kTemperature});
  // The numbers that the sampler would have drawn with: of XTC, then of the token.
  params = {};
  params.xtc_probability = 0.5f;
  Sampler sampler = Sampler::Create(params, 10, 0).value();
  Random random(params.seed);
  const DrawNumbers numbers = sampler.NextDraw();
  EXPECT_EQ(numbers.xtc, random.NextUnit() < 0.5);
  EXPECT_EQ(numbers.unit, random.NextUnit());
  EXPECT_EQ(numbers.mirostat_mu, 10);
}

TEST(DeviceChain, OrdersThatADeviceCannotDo) {
  SamplerParams all;
  all.repetition_penalty = 1.1f;
  all.dry_multiplier = 1;
  all.top_n_sigma = 1;
  all.typical_p = 0.5f;
  all.xtc_probability = 0.5f;
  const auto obstacle = [&](const char* order) {
    SamplerParams params = all;
    params.order = ParseOrder(order).value();
    return DeviceChainOf(params).obstacle;
  };
  EXPECT_EQ(obstacle("dry,penalties,top_n_sigma,min_p,typical,top_p,top_k,xtc,temperature"), "");
  EXPECT_EQ(obstacle("temperature,penalties,top_n_sigma,typical,top_p,xtc"), "");
  EXPECT_EQ(obstacle("typical,min_p,temperature"), "");
  EXPECT_EQ(obstacle("top_k,penalties"), "penalties after top_k");
  EXPECT_EQ(obstacle("penalties,min_p,temperature,dry"), "dry after min_p");
  EXPECT_EQ(obstacle("top_p,top_n_sigma"), "top_n_sigma after top_p");
  EXPECT_EQ(obstacle("xtc,temperature,min_p"), "min_p after xtc");
  EXPECT_EQ(obstacle("typical,temperature,top_p"),
            "top_p after a temperature that follows another cut by mass");
  all.xtc_threshold = 0;
  EXPECT_EQ(obstacle("min_p,xtc"), "an xtc_threshold of 0");
  all.xtc_probability = 0;
  EXPECT_EQ(obstacle("min_p,xtc"), "");
}

}  // namespace
}  // namespace rocforge::sample
