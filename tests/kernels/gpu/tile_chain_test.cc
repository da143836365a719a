// Holds every port to tile_chain.h: two chained products against float64.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <random>
#include <span>
#include <vector>

#include "device/gpu/device.h"
#include "kernels/gpu/launch/modules.h"
#include "kernels/gpu/port/conformance_args.h"
#include "quant/half.h"
#include "tests/kernels/gpu/test_device.h"
#include "tests/testing.h"

namespace rocforge::port {
namespace {

constexpr size_t kColumns = 64;

class TileChainTest : public ::testing::TestWithParam<std::string> {};

TEST_P(TileChainTest, ScoresThenValues) {
  auto opened = testing::OpenTestDevice(GetParam());
  if (!opened.ok()) GTEST_SKIP() << opened.status().message();
  const std::shared_ptr<gpu::Device> device = std::move(*opened);
  const auto modules = gpu::Modules::Load(device);
  ASSERT_OK(modules);
  const auto stream = gpu::Stream::Create(device);
  ASSERT_OK(stream);
  const auto kernel = modules->Find("conformance_chain", "conformance_chain");
  ASSERT_OK(kernel);

  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<uint16_t> halves(3 * 16 * kColumns);
  for (uint16_t& h : halves) h = quant::FloatToHalf(normal(random));
  const auto at = [&](size_t matrix, size_t row, size_t column) {
    return static_cast<double>(quant::HalfToFloat(halves[(matrix * 16 + row) * kColumns + column]));
  };

  std::vector<float> got(288 + 16 * kColumns, std::nanf(""));
  const auto in = gpu::Buffer::Allocate(device, static_cast<int64_t>(halves.size() * 2));
  const auto out = gpu::Buffer::Allocate(device, static_cast<int64_t>(got.size() * 4));
  ASSERT_OK(in);
  ASSERT_OK(out);
  ASSERT_OK(stream->CopyToDevice(in->ptr(), std::as_bytes(std::span(halves))));
  ASSERT_OK(stream->CopyToDevice(out->ptr(), std::as_bytes(std::span(got))));
  const ConformanceArgs args{reinterpret_cast<const uint32_t*>(static_cast<uintptr_t>(in->ptr())),
                             reinterpret_cast<uint32_t*>(static_cast<uintptr_t>(out->ptr())),
                             nullptr, 0, 0};
  ASSERT_OK(stream->Launch(*kernel, {1, 1, static_cast<uint32_t>(device->info().wave_size), false},
                           &args));
  ASSERT_OK(stream->CopyToHost(std::as_writable_bytes(std::span(got)), out->ptr()));
  ASSERT_OK(stream->Synchronize());

  for (size_t q = 0; q < 16; ++q) {
    double most = -1e30;
    double sum = 0;
    std::vector<double> o(kColumns);
    for (size_t k = 0; k < 16; ++k) {
      double score = 0;
      for (size_t c = 0; c < kColumns; ++c) score += at(0, q, c) * at(1, k, c);
      // 64 exact products of at most 20, summed in float: 64 * 2^-24 * 64.
      ASSERT_NEAR(got[16 * q + k], score, 3e-4) << "score " << q << " " << k;
      most = std::max(most, score);
      sum += score;
      const double p = quant::HalfToFloat(quant::FloatToHalf(got[16 * q + k]));
      for (size_t c = 0; c < kColumns; ++c) o[c] += p * at(2, k, c);
    }
    ASSERT_NEAR(got[256 + q], most, 3e-4) << "maximum " << q;
    ASSERT_NEAR(got[272 + q], sum, 5e-3) << "sum " << q;
    for (size_t c = 0; c < kColumns; ++c)
      ASSERT_NEAR(got[288 + kColumns * q + c], o[c], 1e-3) << "output " << q << " " << c;
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, TileChainTest, ::testing::ValuesIn(testing::TestDevices()),
                         [](const auto& device) { return device.param; });

}  // namespace
}  // namespace rocforge::port
