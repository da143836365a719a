// GPU ops against the reference CPU kernels: on the simulator always, on real devices where there
// are any.
#include <gtest/gtest.h>

#include "tests/kernels/gpu/op_harness.h"
#include "tests/kernels/gpu/test_device.h"
#include "tests/testing.h"

namespace rocforge::gpu {
namespace {

using testing::OpHarness;
using testing::TestStep;
using Unit = RowCount::Unit;

// Sums of at most a few hundred products of normal numbers in float, and functions good to 2^-21.
constexpr float kTolerance = 2e-5f;

class OpsTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (const auto device = testing::OpenTestDevice(GetParam()); !device.ok())
      GTEST_SKIP() << device.status().message();
  }
};

TEST_P(OpsTest, Norm) {
  for (const op::NormKind kind : {op::NormKind::kRms, op::NormKind::kLayer}) {
    for (const int64_t group : {0, 20}) {
      for (const bool affine : {false, true}) {
        OpHarness h(GetParam());
        const auto step = TestStep::Make({{3, 0}, {2, 5}}, 4, h.random());
        h.AddInput(5, 60);
        const int64_t width = group == 0 ? 60 : group;
        if (affine) h.AddInput(1, width);
        if (affine) h.AddInput(1, width);
        h.AddOutput(5, 60, affine ? 0 : -1);
        h.ExpectAgreement(op::Norm{kind, 1e-5f, group, affine, affine}, {Unit::kToken, 1}, *step,
                          kTolerance);
      }
    }
  }
}

// Sizes of every kernel that a launcher may choose, full and with idle threads.
TEST_P(OpsTest, NormOfManySizes) {
  for (const op::NormKind kind : {op::NormKind::kRms, op::NormKind::kLayer}) {
    for (const int64_t cols : {4, 36, 127, 2048, 2052, 5120, 8196, 16384, 16388}) {
      OpHarness h(GetParam());
      const auto step = TestStep::Make({{1, 0}, {1, 5}}, 4, h.random());
      h.AddInput(2, cols, 3.0f);
      h.AddInput(1, cols);
      h.AddOutput(2, cols);
      h.ExpectAgreement(op::Norm{kind, 1e-5f, 0, true, false}, {Unit::kToken, 1}, *step,
                        kTolerance);
    }
  }
}

TEST_P(OpsTest, Elementwise) {
  const auto run = [&](const op::Params& params, int n_inputs, int in_place) {
    OpHarness h(GetParam());
    const auto step = TestStep::Make({{7, 0}}, 4, h.random());
    for (int i = 0; i < n_inputs; ++i) h.AddInput(7, 131, 2.0f);
    h.AddOutput(7, 131, in_place);
    h.ExpectAgreement(params, {Unit::kToken, 1}, *step, kTolerance);
  };
  for (const int in_place : {-1, 0, 1}) {
    run(op::Add{0.3f}, 2, in_place);
    for (const op::GluKind kind : {op::GluKind::kSilu, op::GluKind::kGeluTanh,
                                   op::GluKind::kGeluErf, op::GluKind::kSwigluOai}) {
      run(op::Glu{kind, 1.702f, 1.5f}, 2, in_place);
    }
  }
  run(op::Scale{-2.5f}, 1, 0);
  run(op::SoftCap{1.3f}, 1, -1);
}

TEST_P(OpsTest, RowMoves) {
  OpHarness gather(GetParam());
  const auto step = TestStep::Make({{3, 0}, {1, 9}, {4, 2}}, 4, gather.random());
  gather.AddInput(8, 301);
  gather.AddOutput(3, 301);
  gather.ExpectAgreement(op::GatherRows{}, {Unit::kOutput, 1}, *step, 0.0f);
  OpHarness combine(GetParam());
  combine.AddInput(8 * 3, 65);
  combine.AddInput(8, 3);
  combine.AddOutput(8, 65);
  combine.ExpectAgreement(op::MoeCombine{3}, {Unit::kToken, 1}, *step, kTolerance);
}

TEST_P(OpsTest, RopeTable) {
  for (const bool yarn : {false, true}) {
    for (const bool factors : {false, true}) {
      OpHarness h(GetParam());
      const auto step = TestStep::Make({{5, 0}, {3, 4090}, {1, 100000}}, 4, h.random());
      op::RopeTable p;
      p.rope_dim = 64;
      p.freq_base = 500000.0f;
      p.freq_scale = yarn ? 0.25f : 1.0f;
      p.ext_factor = yarn ? 1.0f : 0.0f;
      p.n_ctx_orig = 8192;
      p.has_factors = factors;
      if (factors) {
        std::vector<float> values(32);
        for (float& v : values) v = 1.0f + static_cast<float>(h.random()() % 700) / 100.0f;
        h.AddInput(1, 32, values);
      }
      h.AddOutput(9, 64);
      h.ExpectAgreement(p, {Unit::kToken, 1}, *step, 2e-6f);
    }
  }
}

TEST_P(OpsTest, RopeAndCache) {
  for (const op::RopeKind kind : {op::RopeKind::kNormal, op::RopeKind::kNeox}) {
    for (const DType type : {DType::kF32, DType::kF16, DType::kQ8_0}) {
      const op::Rope rope{kind, 40, 32};
      const op::KvAppend append{0, 2, 40, 24};
      OpHarness alone(GetParam());
      const auto step = TestStep::Make({{3, 6}, {2, 0}}, 4, alone.random());
      alone.AddInput(5, 3 * 40);
      alone.AddInput(5, 32);
      alone.AddOutput(5, 3 * 40, 0);
      alone.ExpectAgreement(rope, {Unit::kToken, 1}, *step, kTolerance);

      OpHarness plain(GetParam());
      plain.AddInput(5, 2 * 40);
      plain.AddInput(5, 2 * 24);
      plain.SetKv(2, 40, 24, type);
      plain.ExpectAgreement(append, {Unit::kToken, 1}, *step, 0.0f);

      OpHarness fused(GetParam());
      fused.AddInput(5, 6 * 40);
      fused.AddInput(5, 2 * 40);
      fused.AddInput(5, 2 * 24);
      fused.AddInput(5, 32);
      fused.AddOutput(5, 6 * 40, 0);
      fused.SetKv(2, 40, 24, type);
      fused.ExpectAgreement(op::RopeKvAppend{rope, append}, {Unit::kToken, 1}, *step, kTolerance);
    }
  }
}

// Blocks of several heads, the last of them with fewer; 600 tokens fill an H200 so that they have
// eight.
TEST_P(OpsTest, RopeAndCacheOfAPrompt) {
  for (const int32_t tokens : {7, 30, 600}) {
    for (const DType type : {DType::kF16, DType::kQ8_0}) {
      const op::Rope rope{tokens == 7 ? op::RopeKind::kNormal : op::RopeKind::kNeox, 40, 32};
      const op::KvAppend append{0, 3, 40, 24};
      OpHarness h(GetParam());
      const auto step = TestStep::Make({{tokens, 3}}, 16, h.random());
      h.AddInput(tokens, 11 * 40);
      h.AddInput(tokens, 3 * 40);
      h.AddInput(tokens, 3 * 24);
      h.AddInput(tokens, 32);
      h.AddOutput(tokens, 11 * 40, 0);
      h.SetKv(3, 40, 24, type);
      h.ExpectAgreement(op::RopeKvAppend{rope, append}, {Unit::kToken, 1}, *step, kTolerance);
    }
  }
}

TEST_P(OpsTest, Attention) {
  struct Case {
    int32_t heads, kv_heads, dim_k, dim_v, window;
    float softcap;
    bool sinks;
    DType type;
  };
  for (const Case& c : {Case{4, 2, 64, 64, 0, 0.0f, false, DType::kF16},
                        Case{3, 3, 80, 48, 7, 0.0f, true, DType::kF32},
                        Case{8, 1, 32, 32, 0, 2.0f, false, DType::kF32},
                        Case{2, 1, 256, 256, 5, 0.0f, true, DType::kF16}}) {
    OpHarness h(GetParam());
    const auto step = TestStep::Make({{3, 0}, {1, 37}, {6, 11}}, 8, h.random());
    op::Attention p;
    p.n_heads = c.heads;
    p.n_kv_heads = c.kv_heads;
    p.head_dim_k = c.dim_k;
    p.head_dim_v = c.dim_v;
    p.scale = 0.2f;
    p.softcap = c.softcap;
    p.window = c.window;
    p.has_sinks = c.sinks;
    h.AddInput(10, int64_t{c.heads} * c.dim_k);
    if (c.sinks) h.AddInput(1, c.heads);
    h.AddOutput(10, int64_t{c.heads} * c.dim_v);
    h.SetKv(c.kv_heads, c.dim_k, c.dim_v, c.type);
    h.ExpectAgreement(p, {Unit::kToken, 1}, *step, kTolerance);
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, OpsTest, ::testing::ValuesIn(testing::TestDevices()),
                         [](const auto& device) { return device.param; });

}  // namespace
}  // namespace rocforge::gpu
