// MatMul of few rows, every weight type, against the reference CPU kernel.
#include <gtest/gtest.h>

#include "tests/kernels/gpu/matvec_harness.h"
#include "tests/kernels/gpu/test_device.h"
#include "tests/kernels/gpu/weight_data.h"

namespace rocforge::gpu {
namespace {

using testing::MatvecCase;
using testing::MatvecHarness;
using testing::TestColumns;

class MatvecTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (const auto device = testing::OpenTestDevice(GetParam()); !device.ok())
      GTEST_SKIP() << device.status().message();
  }
};

TEST_P(MatvecTest, EveryType) {
  MatvecHarness h(GetParam());
  for (const DType type : testing::WeightTypes()) {
    for (const int64_t n_x : {1, 2, 4, 7, 8})
      ASSERT_NO_FATAL_FAILURE(h.Expect({{type}, {n_x == 1 ? 13 : 5}, TestColumns(type, 519), n_x}));
  }
}

// A row shorter than a wave's units, and rows longer than several steps of a wave.
TEST_P(MatvecTest, Shapes) {
  MatvecHarness h(GetParam());
  for (const DType type : {DType::kQ4_0, DType::kQ8_0, DType::kF16, DType::kQ6_K}) {
    for (const int64_t cols : {32, 96, 1056, 4640}) {
      for (const int64_t n_out : {1, 2, 37}) {
        ASSERT_NO_FATAL_FAILURE(
            h.Expect({{type}, {n_out}, TestColumns(type, cols), cols > 4000 ? 1 : 3}));
      }
    }
  }
}

TEST_P(MatvecTest, LongRows) {
  MatvecHarness h(GetParam());
  ASSERT_NO_FATAL_FAILURE(h.Expect({{DType::kQ4_K}, {3}, 16384, 1}));
  ASSERT_NO_FATAL_FAILURE(h.Expect({{DType::kQ4_K}, {3}, 16640, 1}));
  ASSERT_NO_FATAL_FAILURE(h.Expect({{DType::kF32}, {2}, 16385, 2}));
}

// The kernels of one row normalise x themselves.
TEST_P(MatvecTest, Norm) {
  MatvecHarness h(GetParam());
  const auto expect = [&](std::vector<DType> types, std::vector<int64_t> n_out, int64_t cols,
                          bool residual, op::GluKind glu) {
    MatvecCase c{std::move(types), std::move(n_out), cols};
    c.residual = residual;
    c.glu.kind = glu;
    c.norm = true;
    h.Expect(c);
  };
  for (const DType type : {DType::kQ4_0, DType::kQ8_0, DType::kQ4_K, DType::kQ5_K, DType::kQ6_K}) {
    const int64_t cols = TestColumns(type, 519);
    ASSERT_NO_FATAL_FAILURE(expect({type}, {13}, cols, true, op::GluKind::kNone));
    ASSERT_NO_FATAL_FAILURE(expect({type, type}, {7, 7}, cols, false, op::GluKind::kSilu));
  }
  // One oct of the norm's weights a thread and several, a pair, and types with launches of their
  // own.
  for (const int64_t cols : {256, 4096, 8448}) {
    ASSERT_NO_FATAL_FAILURE(expect({DType::kQ4_K}, {37}, cols, false, op::GluKind::kNone));
    ASSERT_NO_FATAL_FAILURE(
        expect({DType::kQ4_K, DType::kQ6_K}, {19, 6}, cols, false, op::GluKind::kNone));
    ASSERT_NO_FATAL_FAILURE(
        expect({DType::kQ8_0, DType::kQ5_K}, {19, 19}, cols, false, op::GluKind::kGeluTanh));
  }
}

TEST_P(MatvecTest, MergedWeights) {
  MatvecHarness h(GetParam());
  for (const int64_t n_x : {1, 3, 6}) {
    // Queries, keys and values of one type, and of the two types that K_M mixes have.
    ASSERT_NO_FATAL_FAILURE(
        h.Expect({{DType::kQ4_K, DType::kQ4_K, DType::kQ4_K}, {19, 6, 7}, 512, n_x}));
    ASSERT_NO_FATAL_FAILURE(h.Expect(
        {{DType::kQ4_K, DType::kQ4_K, DType::kQ6_K}, {19, 6, 7}, 512, n_x, {true, false, true}}));
    ASSERT_NO_FATAL_FAILURE(h.Expect(
        {{DType::kQ8_0, DType::kF16, DType::kIQ4_XS}, {5, 9, 3}, 256, n_x, {false, true, true}}));
    ASSERT_NO_FATAL_FAILURE(h.Expect({{DType::kQ5_K, DType::kQ6_K}, {8, 1}, 256, n_x}));
    // One launch for both types, whichever comes first; few rows and more than one a wave.
    ASSERT_NO_FATAL_FAILURE(
        h.Expect({{DType::kQ6_K, DType::kQ4_K}, {1, 1}, 512, n_x, {true, false}}));
    ASSERT_NO_FATAL_FAILURE(
        h.Expect({{DType::kQ6_K, DType::kQ4_K}, {70, 150}, 256, n_x, {true, true}}));
  }
}

TEST_P(MatvecTest, Epilogues) {
  MatvecHarness h(GetParam());
  for (const int64_t n_x : {1, 2, 5}) {
    for (const op::GluKind kind : {op::GluKind::kSilu, op::GluKind::kGeluTanh,
                                   op::GluKind::kGeluErf, op::GluKind::kSwigluOai}) {
      MatvecCase c{{DType::kQ4_0, DType::kQ4_0}, {11, 11}, 320, n_x};
      c.glu = {kind, 1.702f, 7.0f};
      ASSERT_NO_FATAL_FAILURE(h.Expect(c));
      c.bias = {true, true};
      ASSERT_NO_FATAL_FAILURE(h.Expect(c));
      c.types = {DType::kQ4_0, DType::kF16};  // not one kernel's
      ASSERT_NO_FATAL_FAILURE(h.Expect(c));
      c.types = {DType::kF32, DType::kF32};
      ASSERT_NO_FATAL_FAILURE(h.Expect(c));
    }
    for (const bool in_place : {false, true}) {
      for (const DType type : {DType::kQ6_K, DType::kBF16}) {
        MatvecCase c{{type}, {21}, 256, n_x, {true}};
        c.residual = true;
        c.residual_in_place = in_place;
        c.out_scale = -0.35f;
        ASSERT_NO_FATAL_FAILURE(h.Expect(c));
      }
    }
  }
}

// More rows than one launch takes.
TEST_P(MatvecTest, ManyRows) {
  MatvecHarness h(GetParam());
  ASSERT_NO_FATAL_FAILURE(h.Expect({{DType::kQ5_0}, {9}, 160, 17}));
  ASSERT_NO_FATAL_FAILURE(h.Expect({{DType::kF16}, {9}, 45, 13}));
}

INSTANTIATE_TEST_SUITE_P(Devices, MatvecTest, ::testing::ValuesIn(testing::TestDevices()),
                         [](const auto& device) { return device.param; });

}  // namespace
}  // namespace rocforge::gpu
