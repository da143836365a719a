// Attention on GPUs against the reference CPU kernel: every kernel, ragged steps, all features.
#include <gtest/gtest.h>

#include <cmath>
#include <utility>
#include <vector>

#include "tests/kernels/gpu/op_harness.h"
#include "tests/kernels/gpu/test_device.h"
#include "tests/testing.h"

namespace rocforge::gpu {
namespace {

using testing::OpHarness;
using testing::TestStep;
using Lengths = std::vector<std::pair<int32_t, int32_t>>;  // {tokens of the step, in the cache}

// Scores of unit queries and keys are sums of at most 256 products, 0.64 * 16 in magnitudes after
// scaling by 1 / sqrt(256), formed in chains of 8 and a tree of 5: an error of some 13 * 2^-24 *
// 10, that is 8e-6 in the exponent and relative in each weight; FastExp2 adds 2^-21. Twice that.
constexpr float kTolerance = 2e-5f;

// The matrix units take queries and weights as f16. Rounding the queries moves a score by at most
// 2^-11 * sum |q k| <= 2^-11 * 0.64 * sqrt(256) = 5e-3 and usually by a tenth of it; that moves the
// result by as much times the mean distance of the values from it, 0.8; weights add 2^-11.
constexpr float kTileTolerance = 4e-3f;

// A q8_0 cache's keys and values are rounded to f16 there too.
constexpr float kQ8TileTolerance = 2 * kTileTolerance;

struct Case {
  int32_t heads = 1;
  int32_t kv_heads = 1;
  int32_t dim_k = 64;
  int32_t dim_v = 64;
  DType type = DType::kF16;
  int32_t window = 0;
  float softcap = 0.0f;
  bool sinks = false;
  int32_t page_size = 32;
};

class AttentionTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (const auto device = testing::OpenTestDevice(GetParam()); !device.ok())
      GTEST_SKIP() << device.status().message();
  }

  void Check(const Case& c, const Lengths& lengths, float tolerance) {
    SCOPED_TRACE(::testing::Message()
                 << c.heads << "/" << c.kv_heads << " heads of " << c.dim_k << "/" << c.dim_v
                 << ", " << Name(c.type) << ", window " << c.window << ", softcap " << c.softcap
                 << ", sinks " << c.sinks << ", pages of " << c.page_size);
    OpHarness h(GetParam());
    const auto step = TestStep::Make(lengths, c.page_size, h.random());
    op::Attention p;
    p.n_heads = c.heads;
    p.n_kv_heads = c.kv_heads;
    p.head_dim_k = c.dim_k;
    p.head_dim_v = c.dim_v;
    p.scale = 1.0f / std::sqrt(static_cast<float>(c.dim_k));
    p.softcap = c.softcap;
    p.window = c.window;
    p.has_sinks = c.sinks;
    const int64_t n_tokens = step->host.n_tokens;
    h.AddInput(n_tokens, int64_t{c.heads} * c.dim_k);
    if (c.sinks) h.AddInput(1, c.heads);
    h.AddOutput(n_tokens, int64_t{c.heads} * c.dim_v);
    h.SetKv(c.kv_heads, c.dim_k, c.dim_v, c.type);
    h.SetRepeats(2);  // what the first leaves behind must not disturb the second
    h.ExpectAgreement(p, {RowCount::Unit::kToken, 1}, *step, tolerance);
  }
};

const Lengths kDecode = {{1, 0}, {1, 30}, {1, 31}, {1, 32}, {1, 299}};

TEST_P(AttentionTest, DecodeByGroupSize) {
  for (const int32_t group : {1, 2, 3, 4, 5, 8, 12})
    Check({.heads = 2 * group, .kv_heads = 2}, kDecode, kTolerance);
}

TEST_P(AttentionTest, DecodeByHeadSize) {
  for (const auto& [k, v] :
       {std::pair(8, 8), {72, 72}, {80, 48}, {128, 128}, {96, 160}, {256, 256}}) {
    for (const int32_t group : {1, 4, 6})
      Check({.heads = group, .dim_k = k, .dim_v = v}, {{1, 70}, {1, 3}}, kTolerance);
  }
}

TEST_P(AttentionTest, DecodeOfF32) {
  for (const int32_t dim : {64, 128, 248}) {
    Check({.heads = 6, .kv_heads = 2, .dim_k = dim, .dim_v = dim, .type = DType::kF32},
          {{1, 77}, {1, 0}}, kTolerance);
  }
}

TEST_P(AttentionTest, DecodeWithWindowSoftCapAndSinks) {
  for (const int32_t window : {0, 1, 7, 64, 130}) {
    for (const float softcap : {0.0f, 1.5f}) {
      Check({.heads = 4, .kv_heads = 4, .window = window, .softcap = softcap, .sinks = true},
            kDecode, kTolerance);
      Check({.heads = 8, .kv_heads = 2, .window = window, .softcap = softcap}, kDecode, kTolerance);
    }
  }
}

// One long sequence: split over the device's blocks and merged by the last one.
TEST_P(AttentionTest, DecodeOfOneLongSequence) {
  Check({.heads = 1, .dim_k = 128, .dim_v = 128}, {{1, 1500}}, kTolerance);
  Check({.heads = 4, .dim_k = 128, .dim_v = 128, .sinks = true}, {{1, 1023}}, kTolerance);
  Check({.heads = 8, .dim_v = 32, .window = 700}, {{1, 1023}}, kTolerance);
}

TEST_P(AttentionTest, DraftsOfAFewTokens) {
  for (const int32_t group : {1, 3}) {
    Check({.heads = 2 * group, .kv_heads = 2}, {{4, 100}}, kTolerance);
    Check({.heads = 2 * group, .kv_heads = 2, .window = 9}, {{1, 40}, {3, 0}, {1, 7}}, kTolerance);
  }
}

// Blocks of twice the threads, where sequences fill the device unsplit: 200 blocks do on cards of
// up to 133 multiprocessors, the others on the simulator.
TEST_P(AttentionTest, DecodeOfSequencesThatFillTheDevice) {
  Lengths many(25, {1, 5});
  many[3] = {1, 300};
  many[17] = {1, 0};
  for (const DType type : {DType::kF16, DType::kQ8_0}) {
    Check({.heads = 8, .kv_heads = 2, .dim_k = 128, .dim_v = 128, .type = type}, kDecode,
          kTolerance);
    Check({.heads = 24, .kv_heads = 8, .dim_k = 96, .dim_v = 72, .type = type}, many, kTolerance);
    Check({.heads = 6,
           .kv_heads = 2,
           .dim_k = 128,
           .dim_v = 128,
           .type = type,
           .window = 40,
           .softcap = 1.5f,
           .sinks = true},
          {{1, 299}, {1, 0}, {1, 31}}, kTolerance);
  }
}

// The shape of the step says nothing of how tokens are spread: a sequence may have more than its
// share where others have none.
TEST_P(AttentionTest, UnevenTokens) {
  const Lengths lengths = {{0, 3}, {6, 50}, {0, 40}, {0, 1}, {1, 9}, {0, 2}, {0, 5}};
  Check({.heads = 2, .kv_heads = 2}, lengths, kTolerance);
  Check({.heads = 10, .kv_heads = 2}, lengths, kTolerance);
}

TEST_P(AttentionTest, PlainKernelTakesAnySize) {
  for (const auto& [k, v] : {std::pair(1, 3), {33, 64}, {250, 7}})
    Check({.heads = 2, .dim_k = k, .dim_v = v}, {{1, 20}, {3, 5}}, kTolerance);
  for (const DType type : {DType::kF16, DType::kQ8_0})
    Check({.heads = 2, .type = type, .page_size = 5}, {{1, 20}, {3, 5}}, kTolerance);
  Check({.heads = 2, .dim_k = 33, .dim_v = 7, .type = DType::kQ8_0}, {{3, 5}}, kTolerance);
}

TEST_P(AttentionTest, DecodeOfQ8) {
  constexpr DType kType = DType::kQ8_0;
  for (const int32_t group : {1, 3, 8})
    Check({.heads = 2 * group, .kv_heads = 2, .type = kType}, kDecode, kTolerance);
  for (const auto& [k, v] : {std::pair(8, 40), {80, 48}, {128, 128}, {96, 160}, {256, 256}}) {
    for (const int32_t group : {1, 4}) {
      Check({.heads = group, .dim_k = k, .dim_v = v, .type = kType}, {{1, 70}, {1, 3}}, kTolerance);
    }
  }
  for (const int32_t group : {1, 4}) {
    Check({.heads = 2 * group,
           .kv_heads = 2,
           .type = kType,
           .window = 40,
           .softcap = 1.5f,
           .sinks = true},
          {{1, 299}, {1, 0}, {1, 31}}, kTolerance);
    Check({.heads = group, .dim_k = 128, .dim_v = 128, .type = kType}, {{1, 1023}}, kTolerance);
    Check({.heads = 2 * group, .kv_heads = 2, .type = kType}, {{1, 40}, {3, 0}}, kTolerance);
  }
}

const Lengths kPrefill = {{70, 0}, {5, 60}, {33, 31}};

TEST_P(AttentionTest, PrefillByHeadSize) {
  for (const auto& [k, v] :
       {std::pair(16, 16), {64, 64}, {72, 40}, {80, 128}, {128, 128}, {136, 72}, {256, 256}})
    Check({.heads = 2, .dim_k = k, .dim_v = v}, kPrefill, kTileTolerance);
}

TEST_P(AttentionTest, PrefillByGroupSize) {
  for (const int32_t group : {3, 4, 7})
    Check({.heads = 2 * group, .kv_heads = 2}, {{40, 3}, {19, 0}}, kTileTolerance);
}

TEST_P(AttentionTest, PrefillWithWindowSoftCapAndSinks) {
  for (const int32_t window : {1, 20, 100}) {
    Check({.heads = 2, .window = window, .softcap = 2.0f, .sinks = true}, kPrefill, kTileTolerance);
    Check({.heads = 2, .dim_k = 256, .dim_v = 256, .window = window}, {{50, 90}}, kTileTolerance);
  }
  Check({.heads = 4, .kv_heads = 2, .softcap = 1.0f}, kPrefill, kTileTolerance);
  Check({.heads = 4, .kv_heads = 2, .sinks = true}, kPrefill, kTileTolerance);
}

// Long prompts beside sequences with one token and with none.
TEST_P(AttentionTest, PrefillAndDecodeInOneStep) {
  const Lengths lengths = {{1, 100}, {40, 20}, {1, 0}, {0, 9}, {6, 0}, {1, 33}, {2, 64}};
  for (const int32_t group : {1, 4})
    Check({.heads = 2 * group, .kv_heads = 2}, lengths, kTileTolerance);
  // More sequences than a wave has lanes.
  Lengths many(70, {1, 2});
  many[3] = {9, 30};
  many[68] = {30, 1};
  Check({.heads = 1}, many, kTileTolerance);
}

TEST_P(AttentionTest, PrefillOfQ8) {
  constexpr DType kType = DType::kQ8_0;
  for (const auto& [k, v] : {std::pair(64, 64), {72, 40}, {128, 128}, {136, 256}})
    Check({.heads = 2, .dim_k = k, .dim_v = v, .type = kType}, kPrefill, kQ8TileTolerance);
  Check({.heads = 6, .kv_heads = 2, .type = kType, .window = 20, .softcap = 2.0f, .sinks = true},
        {{40, 3}, {1, 33}}, kQ8TileTolerance);
}

TEST_P(AttentionTest, PrefillOfF32) {
  Check({.heads = 2, .type = DType::kF32}, kPrefill, kTolerance);
}

INSTANTIATE_TEST_SUITE_P(Devices, AttentionTest, ::testing::ValuesIn(testing::TestDevices()),
                         [](const auto& device) { return device.param; });

}  // namespace
}  // namespace rocforge::gpu
