// The choice of experts, and the best token of a row, against plain loops in double precision.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "kernels/cpu/kernels.h"
#include "kernels/gpu/launch/best_token.h"
#include "kernels/gpu/launch/bound_op.h"
#include "kernels/gpu/launch/modules.h"
#include "tests/kernels/gpu/device_fixture.h"
#include "tests/testing.h"

namespace rocforge::gpu {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

class RouteTest : public testing::DeviceFixture {
 protected:
  static void* Pointer(const Buffer& buffer) {
    return reinterpret_cast<void*>(static_cast<uintptr_t>(buffer.ptr()));
  }

  void ExpectAgreement(const op::MoeRoute& route, std::vector<float> logits);

  std::mt19937 random_{std::random_device{}()};
};

void RouteTest::ExpectAgreement(const op::MoeRoute& route, std::vector<float> logits) {
  const op::Params params = route;
  const int64_t tokens = static_cast<int64_t>(logits.size()) / route.n_experts;
  std::vector<float> bias(static_cast<size_t>(route.n_experts));
  std::normal_distribution<float> normal(0.0f, 0.3f);
  for (float& b : bias) b = normal(random_);
  const size_t n_out = static_cast<size_t>(tokens * route.n_used);
  std::vector<int32_t> ids(n_out, -7);
  std::vector<float> weights(n_out, -7.0f);
  const op::TensorDesc in_desc{DType::kF32, 1, tokens, route.n_experts};
  const op::TensorDesc bias_desc{DType::kF32, 1, 1, route.n_experts};
  const op::TensorDesc id_desc{DType::kI32, 1, tokens, route.n_used};
  const op::TensorDesc weight_desc{DType::kF32, 1, tokens, route.n_used};
  std::vector<op::Operand> in = {{in_desc, logits.data()}};
  if (route.has_selection_bias) in.push_back({bias_desc, bias.data()});
  std::vector<op::Operand> out = {{id_desc, ids.data()}, {weight_desc, weights.data()}};
  op::Call call{&params, in, out, nullptr, nullptr};
  const auto kernel = cpu::FindKernel(call, cpu::Isa::kReference);
  ASSERT_OK(kernel);
  ThreadPool pool(1);
  std::vector<double> scratch(
      static_cast<size_t>(cpu::ScratchBytes(call, cpu::Isa::kReference, 1)) / sizeof(double) + 8);
  (*kernel)(call, {&pool, reinterpret_cast<std::byte*>(scratch.data())});

  const Buffer device_logits = Upload(logits);
  const Buffer device_bias = Upload(bias);
  const Buffer device_ids = Upload(std::vector<int32_t>(n_out + 1, -7));
  const Buffer device_weights = Upload(std::vector<float>(n_out + 1, -7.0f));
  in[0].data = Pointer(device_logits);
  if (route.has_selection_bias) in[1].data = Pointer(device_bias);
  out[0].data = Pointer(device_ids);
  out[1].data = Pointer(device_weights);
  const auto bound = Bind(call, {RowCount::Unit::kToken, 1}, context_);
  ASSERT_OK(bound);
  ASSERT_OK((*bound)->Enqueue(stream_, {static_cast<int32_t>(tokens), 1, 1, 1}));
  const auto got_ids = Download<int32_t>(device_ids);
  const auto got_weights = Download<float>(device_weights);
  for (size_t i = 0; i < n_out; ++i) {
    ASSERT_EQ(got_ids[i], ids[i]) << "rank " << i;
    ASSERT_NEAR(got_weights[i], weights[i], 2e-6f * (1.0f + std::abs(weights[i]))) << i;
  }
  EXPECT_EQ(got_ids[n_out], -7);
  EXPECT_EQ(got_weights[n_out], -7.0f);
}

TEST_P(RouteTest, EveryGatingAgreesWithTheReference) {
  for (const auto& [n_experts, n_used] : {std::pair(4, 2), {64, 8}, {131, 5}, {7, 7}}) {
    for (const op::MoeGating gating :
         {op::MoeGating::kSoftmax, op::MoeGating::kSigmoid, op::MoeGating::kSoftmaxOfSelected}) {
      for (const bool flag : {false, true}) {
        std::normal_distribution<float> normal(0.0f, 2.0f);
        std::vector<float> logits(static_cast<size_t>(3 * n_experts));
        for (float& x : logits) x = normal(random_);
        SCOPED_TRACE(::testing::Message() << n_experts << " experts, gating "
                                          << static_cast<int>(gating) << ", flag " << flag);
        // The bias is defined for probabilities.
        const bool bias = flag && gating == op::MoeGating::kSigmoid;
        ExpectAgreement({n_experts, n_used, gating, flag, flag ? 2.5f : 1.0f, bias}, logits);
      }
    }
  }
}

TEST_P(RouteTest, EqualLogitsGoToTheLowestIndex) {
  std::vector<float> logits(70, 1.0f);
  logits[69] = 2.0f;
  ExpectAgreement({70, 4, op::MoeGating::kSoftmax, true, 1.0f, false}, logits);
  ExpectAgreement({70, 4, op::MoeGating::kSoftmaxOfSelected, true, 1.0f, false}, logits);
}

// An id outside the experts would read foreign memory in the next op.
TEST_P(RouteTest, NanLogitsStillGiveValidExperts) {
  const op::Params params = op::MoeRoute{5, 3, op::MoeGating::kSoftmaxOfSelected, true, 1, false};
  const Buffer logits = Upload(std::vector<float>(5, std::nanf("")));
  const Buffer ids = Upload(std::vector<int32_t>(3, -7));
  const Buffer weights = Upload(std::vector<float>(3, 0.0f));
  const std::vector<op::Operand> in = {{{DType::kF32, 1, 1, 5}, Pointer(logits)}};
  const std::vector<op::Operand> out = {{{DType::kI32, 1, 1, 3}, Pointer(ids)},
                                        {{DType::kF32, 1, 1, 3}, Pointer(weights)}};
  const auto bound =
      Bind({&params, in, out, nullptr, nullptr}, {RowCount::Unit::kToken, 1}, context_);
  ASSERT_OK(bound);
  ASSERT_OK((*bound)->Enqueue(stream_, {1, 1, 1, 1}));
  EXPECT_EQ(Download<int32_t>(ids), (std::vector<int32_t>{0, 1, 2}));
  EXPECT_TRUE(std::isnan(Download<float>(weights)[0]));
}

TEST_P(RouteTest, BestTokenOfEveryRow) {
  for (const size_t n_vocab : {size_t{5}, size_t{257}, size_t{9001}}) {
    std::normal_distribution<float> normal;
    std::vector<float> logits(7 * n_vocab);
    for (float& x : logits) x = normal(random_);
    const auto row = [&](size_t r) {
      return logits.begin() + static_cast<std::ptrdiff_t>(r * n_vocab);
    };
    row(1)[static_cast<std::ptrdiff_t>(n_vocab) - 1] = 50.0f;  // the last one
    row(2)[2] = row(2)[4] = 60.0f;                             // equal: the lower one
    row(3)[3] = std::nanf("");
    row(4)[0] = kInfinity;
    std::fill_n(row(5), n_vocab, -kInfinity);
    row(6)[1] = -kInfinity;
    std::vector<int32_t> expected;
    for (size_t r = 0; r < 7; ++r) {
      expected.push_back(
          r >= 3 && r <= 5
              ? -1
              : static_cast<int32_t>(
                    std::max_element(row(r), row(r) + static_cast<std::ptrdiff_t>(n_vocab)) -
                    row(r)));
    }
    const Buffer device_logits = Upload(logits);
    const Buffer parts = Buffer::Allocate(device_, BestTokenPartBytes(7)).value();
    const Buffer tokens = Upload(std::vector<int32_t>(7, -9));
    const auto bound = BindBestToken(device_logits.ptr(), static_cast<int64_t>(n_vocab),
                                     parts.ptr(), tokens.ptr(), context_);
    ASSERT_OK(bound);
    ASSERT_OK((*bound)->Enqueue(stream_, {7, 7, 7, 1}));
    EXPECT_EQ(Download<int32_t>(tokens), expected) << n_vocab;
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, RouteTest, ::testing::ValuesIn(testing::TestDevices()),
                         [](const auto& device) { return device.param; });

}  // namespace
}  // namespace rocforge::gpu
