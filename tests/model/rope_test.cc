#include "model/rope.h"

#include <gtest/gtest.h>

#include <cmath>

namespace rocforge::model {
namespace {

HParams Example(RopeScalingType type, float factor) {
  HParams hp;
  hp.rope_dim = 64;
  hp.rope_base = 1e6f;
  hp.rope_base_local = 1e4f;
  hp.rope_scaling.type = type;
  hp.rope_scaling.factor = factor;
  hp.rope_scaling.n_ctx_orig = 4096;
  return hp;
}

TEST(RopeTest, Linear) {
  const op::RopeTable table =
      RopeTableFor(Example(RopeScalingType::kLinear, 8.0f), LocalRopeSpec{}, false);
  EXPECT_EQ(table.rope_dim, 64);
  EXPECT_EQ(table.freq_base, 1e6f);
  EXPECT_EQ(table.freq_scale, 0.125f);
  EXPECT_EQ(table.ext_factor, 0.0f);
  EXPECT_EQ(table.attn_factor, 1.0f);
}

TEST(RopeTest, LocalLayers) {
  const HParams hp = Example(RopeScalingType::kLinear, 8.0f);
  const op::RopeTable scaled = RopeTableFor(hp, {.freq_base = 1e4f}, true);
  EXPECT_EQ(scaled.freq_base, 1e4f);
  EXPECT_EQ(scaled.freq_scale, 0.125f);
  const op::RopeTable unscaled = RopeTableFor(hp, {.freq_base = 1e4f, .unscaled = true}, true);
  EXPECT_EQ(unscaled.freq_scale, 1.0f);
  EXPECT_FALSE(SameTable(scaled, unscaled));
  EXPECT_TRUE(SameTable(scaled, RopeTableFor(hp, {.freq_base = 1e4f}, true)));
}

// The magnitude of cosines and sines must be the one of the paper, 0.1 ln(s) + 1, times the file's
// factor; RopeTable itself multiplies by 1 + 0.1 ln(1 / freq_scale).
TEST(RopeTest, YarnMagnitude) {
  for (const float factor : {1.0f, 4.0f, 32.0f, 0.5f}) {
    HParams hp = Example(RopeScalingType::kYarn, factor);
    hp.rope_scaling.attn_factor = 1.5f;
    hp.rope_scaling.beta_fast = 16.0f;
    const op::RopeTable table = RopeTableFor(hp, LocalRopeSpec{}, false);
    EXPECT_EQ(table.ext_factor, 1.0f);
    EXPECT_EQ(table.n_ctx_orig, 4096);
    EXPECT_EQ(table.beta_fast, 16.0f);
    const double magnitude =
        table.attn_factor * (1 + 0.1 * std::log(1 / static_cast<double>(table.freq_scale)));
    const double paper = factor <= 1 ? 1.0 : 0.1 * std::log(factor) + 1;
    EXPECT_NEAR(magnitude, 1.5 * paper, 1e-6) << factor;
  }
}

}  // namespace
}  // namespace rocforge::model
