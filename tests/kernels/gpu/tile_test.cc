// Holds the matrix tiles of every port to tile.h and warpgroup.h.
#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "kernels/gpu/port/conformance_args.h"
#include "quant/half.h"
#include "tests/kernels/gpu/device_fixture.h"
#include "tests/testing.h"

namespace rocforge::port {
namespace {

constexpr uint32_t kDepth = 64;

class TileTest : public testing::DeviceFixture {
 protected:
  // Whole numbers whose products and sums f32 holds exactly.
  std::vector<float> RandomIntegers(size_t n) {
    std::vector<float> values(n);
    for (float& v : values) v = static_cast<float>(static_cast<int>(random_() % 511) - 255);
    return values;
  }

  std::vector<uint32_t> Run(const gpu::Kernel& kernel, const std::vector<uint16_t>& in,
                            const std::vector<uint32_t>& out_before, uint32_t n,
                            const gpu::LaunchShape& shape) {
    const gpu::Buffer in_buffer = Upload(in);
    const gpu::Buffer out_buffer = Upload(out_before);
    const auto pointer = [](const gpu::Buffer& b) {
      return reinterpret_cast<uint32_t*>(static_cast<uintptr_t>(b.ptr()));
    };
    const ConformanceArgs args{pointer(in_buffer), pointer(out_buffer), nullptr, n, 0};
    EXPECT_OK(stream_.Launch(kernel, shape, &args));
    return Download<uint32_t>(out_buffer);
  }

  void MultiplyOnAWave(float unit, bool filled);

  const uint32_t seed_ = std::random_device{}();
  ::testing::ScopedTrace trace_{__FILE__, __LINE__, ::testing::Message() << "seed " << seed_};
  std::mt19937 random_{seed_};
};

// A and the sums are `unit` times whole numbers.
void TileTest::MultiplyOnAWave(float unit, bool filled) {
  constexpr uint32_t kRows = 32;
  SCOPED_TRACE(filled ? "operands made in registers" : "operands from shared memory");
  std::vector<float> values = RandomIntegers(2 * kRows * kDepth);
  for (size_t i = 0; i < kRows * kDepth; ++i) values[i] *= unit;
  std::vector<uint16_t> in;
  for (size_t i = 0; i < values.size(); ++i) {
    // Even columns of 16 before odd ones in A, where B is filled.
    const size_t from = filled && i < kRows * kDepth ? i / 16 * 16 + 2 * (i % 8) + i % 16 / 8 : i;
    in.push_back(quant::FloatToHalf(values[from]));
  }
  std::vector<float> start = RandomIntegers(kRows * kRows);
  for (float& sum : start) sum *= unit;
  std::vector<uint32_t> out(2 * kRows * kRows, 0);
  std::memcpy(out.data(), start.data(), start.size() * 4);
  const auto kernel =
      modules_.Find("conformance_tile", filled ? "conformance_tile_filled" : "conformance_tile");
  ASSERT_OK(kernel);
  const auto block = 4 * static_cast<uint32_t>(device_->info().wave_size);
  out = Run(*kernel, in, out, 0, {1, 1, block, false});
  for (uint32_t m = 0; m < kRows; ++m) {
    for (uint32_t n = 0; n < kRows; ++n) {
      float expected = start[m * kRows + n];
      for (uint32_t k = 0; k < kDepth; ++k)
        expected += values[m * kDepth + k] * values[(kRows + n) * kDepth + k];
      ASSERT_EQ(std::bit_cast<float>(out[m * kRows + n]), expected) << m << " " << n;
      ASSERT_EQ(out[kRows * kRows + m * kRows + n], 1u) << "a lane for each sum";
    }
  }
}

TEST_P(TileTest, ProductsOfAWave) {
  for (const bool filled : {false, true}) MultiplyOnAWave(1, filled);
}

// Small weights of F16 models are subnormal: products are exact for them too.
TEST_P(TileTest, SubnormalHalvesCount) {
  for (const bool filled : {false, true}) MultiplyOnAWave(0x1p-24f, filled);
}

TEST_P(TileTest, ProductsOfAWarpgroup) {
  for (const auto& [columns, name] :
       {std::pair{128u, "conformance_warpgroup"}, std::pair{256u, "conformance_warpgroup_wide"},
        std::pair{32u, "conformance_warpgroup_registers_32"},
        std::pair{64u, "conformance_warpgroup_registers_64"}}) {
    const auto kernel = modules_.Find("conformance_tile", name);
    if (!kernel.ok()) GTEST_SKIP() << "no warpgroup unit";
    for (const uint32_t n_stages : {1u, 2u, 5u}) {
      // Stage by stage, row by row; element c of a row lies in chunk (c / 8) ^ (row % 8).
      const std::vector<float> a = RandomIntegers(n_stages * 64 * kDepth);
      const std::vector<float> b = RandomIntegers(n_stages * columns * kDepth);
      std::vector<uint16_t> in(a.size() + b.size());
      const auto swizzle = [&](const std::vector<float>& from, uint16_t* to) {
        for (size_t i = 0; i < from.size(); ++i) {
          const size_t row = i / kDepth;
          const size_t column = i % kDepth;
          to[row * kDepth + ((column / 8) ^ (row % 8)) * 8 + column % 8] =
              quant::FloatToHalf(from[i]);
        }
      };
      swizzle(a, in.data());
      swizzle(b, in.data() + a.size());
      // As conformance_tile.gpu.cc's WarpgroupTest.
      gpu::LaunchShape shape{1, 1, 160, false};
      shape.shared_bytes = 2 * (64 + columns) * 128 + 1024;
      ASSERT_OK(gpu::AllowShared(*device_, *kernel, shape.shared_bytes));
      const auto out =
          Run(*kernel, in, std::vector<uint32_t>(64 * columns, 0xDEADBEEF), n_stages, shape);
      for (uint32_t m = 0; m < 64; ++m) {
        for (uint32_t n = 0; n < columns; ++n) {
          float expected = 0;
          for (uint32_t s = 0; s < n_stages; ++s) {
            for (uint32_t k = 0; k < kDepth; ++k)
              expected += a[(s * 64 + m) * kDepth + k] * b[(s * columns + n) * kDepth + k];
          }
          ASSERT_EQ(std::bit_cast<float>(out[m * columns + n]), expected) << m << " " << n;
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, TileTest, ::testing::ValuesIn(testing::TestDevices()),
                         [](const auto& device) { return device.param; });

}  // namespace
}  // namespace rocforge::port
