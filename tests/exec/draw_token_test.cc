// What the CPU makes of a choice of tokens, which tests take as the definition.
#include "exec/draw_token.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "exec/executor.h"
#include "sample/sampler.h"

namespace rocforge::exec {
namespace {

// The sampler's definition, with its own numbers: the whole chain, and mirostat.
TEST(DrawToken, DrawsWhatTheSamplerDraws) {
  std::mt19937 random(5);
  std::normal_distribution<float> normal(0.0f, 2.0f);
  std::vector<float> logits(300);
  constexpr DrawStep kAll[] = {DrawStep::kTopNSigma,  DrawStep::kTopK, DrawStep::kTypical,
                               DrawStep::kTopP,       DrawStep::kMinP, DrawStep::kXtc,
                               DrawStep::kTemperature};
  constexpr DrawStep kMirostat[] = {DrawStep::kTemperature, DrawStep::kMirostat};
  for (const bool mirostat : {false, true}) {
    sample::SamplerParams params;
    params.seed = 9;
    params.top_n_sigma = 2.2f;
    params.top_k = 100;
    params.typical_p = 0.95f;
    params.top_p = 0.9f;
    params.min_p = 0.02f;
    params.xtc_probability = 0.5f;
    params.xtc_threshold = 0.06f;
    params.temperature = 1.4f;
    params.mirostat = mirostat ? 2 : 0;
    params.mirostat_tau = 3;
    sample::Sampler sampler = sample::Sampler::Create(params, 300, 0).value();
    sample::Sampler other = sampler;
    for (int i = 0; i < 200; ++i) {
      for (float& x : logits) x = normal(random);
      const sample::DrawNumbers numbers = other.NextDraw();
      TokenDraw draw;
      draw.unit = numbers.unit;
      draw.temperature = 1.4f;
      draw.top_n_sigma = 2.2f;
      draw.top_k = 100;
      draw.typical_p = 0.95f;
      draw.top_p = 0.9f;
      draw.min_p_log = std::log(0.02f);
      draw.xtc_threshold = numbers.xtc ? 0.06f : 1.0f;  // 1: nothing is above
      draw.mirostat_least = static_cast<float>(std::exp2(-numbers.mirostat_mu));
      draw.steps = mirostat ? PackDrawSteps(kMirostat) : PackDrawSteps(kAll);
      const DrawnToken drawn = DrawToken(logits, draw);
      EXPECT_EQ(drawn.token, sampler.Sample(logits).value()) << i;
      other.Observe(drawn.surprise);
    }
  }
  logits[7] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(DrawToken(logits, {}).token, kNoBestToken);
}

TEST(SelectTopTokens, KeepsTheLargestAndTheLowerAmongEquals) {
  std::vector<float> logits(200, 1.0f);
  logits[150] = 2.0f;
  logits[10] = -std::numeric_limits<float>::infinity();
  std::vector<TopToken> top(kTopTokens);
  SelectTopTokens(logits, top);
  EXPECT_EQ(top[9].token, 9);
  EXPECT_EQ(top[10].token, 11);
  EXPECT_EQ(top[62].token, 63);
  EXPECT_EQ(top[63].token, 150);
  logits[3] = std::numeric_limits<float>::quiet_NaN();
  SelectTopTokens(logits, top);
  EXPECT_EQ(top[0].token, kBrokenLogits);
}

}  // namespace
}  // namespace rocforge::exec
