// MoeMatMul against the reference CPU kernel.
#include <gtest/gtest.h>

#include "tests/kernels/gpu/matvec_harness.h"
#include "tests/kernels/gpu/test_device.h"
#include "tests/kernels/gpu/weight_data.h"

namespace rocforge::gpu {
namespace {

using testing::MatvecCase;
using testing::MatvecHarness;
using testing::TestColumns;

class MoeMatMulTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (const auto device = testing::OpenTestDevice(GetParam()); !device.ok())
      GTEST_SKIP() << device.status().message();
  }
};

TEST_P(MoeMatMulTest, EveryTypeUpAndDown) {
  MatvecHarness h(GetParam());
  for (const DType type : testing::WeightTypes()) {
    MatvecCase up{{type, type}, {6, 6}, TestColumns(type, 256), 2};
    up.n_experts = 4;
    up.n_used = 3;
    up.glu = {op::GluKind::kSilu};
    ASSERT_NO_FATAL_FAILURE(h.Expect(up));
    MatvecCase down{{type}, {7}, TestColumns(type, 256), 6};
    down.n_experts = 4;
    down.n_used = 3;
    down.x_per_expert = true;
    ASSERT_NO_FATAL_FAILURE(h.Expect(down));
  }
}

TEST_P(MoeMatMulTest, BiasesTypesAndManyTokens) {
  MatvecHarness h(GetParam());
  for (const int64_t n_x : {1, 5, 12}) {
    MatvecCase c{{DType::kMXFP4, DType::kMXFP4}, {5, 5}, 96, n_x, {true, true}};
    c.n_experts = 8;
    c.n_used = 2;
    c.glu = {op::GluKind::kSwigluOai, 1.702f, 7.0f};
    ASSERT_NO_FATAL_FAILURE(h.Expect(c));
    c.types = {DType::kQ4_K, DType::kQ6_K};
    c.cols = 256;
    ASSERT_NO_FATAL_FAILURE(h.Expect(c));
    c.glu = {op::GluKind::kNone};
    c.n_out = {5, 8};
    ASSERT_NO_FATAL_FAILURE(h.Expect(c));
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, MoeMatMulTest, ::testing::ValuesIn(testing::TestDevices()),
                         [](const auto& device) { return device.param; });

}  // namespace
}  // namespace rocforge::gpu
