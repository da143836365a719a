// Holds every port to the specification of port.h: the simulator always, with waves of 32 and 64
// lanes; real drivers where the machine has them.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <memory>
#include <numeric>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "kernels/gpu/port/conformance_args.h"
#include "tests/kernels/gpu/device_fixture.h"
#include "tests/testing.h"

namespace rocforge::port {
namespace {

constexpr uint32_t kPoison = 0xDEADBEEF;

float AsFloat(uint32_t bits) { return std::bit_cast<float>(bits); }
uint32_t AsBits(float value) { return std::bit_cast<uint32_t>(value); }

class PortTest : public testing::DeviceFixture {
 protected:
  uint32_t wave() const { return static_cast<uint32_t>(device_->info().wave_size); }

  bool emulated() const { return device_->info().name.starts_with("amdsim"); }

  // Runs a conformance kernel; the output starts poisoned.
  std::vector<uint32_t> Run(const char* name, const std::vector<uint32_t>& in, size_t n_out,
                            uint32_t parameter, gpu::LaunchShape shape, uint32_t n) {
    const auto kernel = modules_.Find("conformance", name);
    EXPECT_OK(kernel);
    if (!kernel.ok()) return std::vector<uint32_t>(n_out, kPoison);
    const gpu::Buffer in_buffer = Upload(in);
    const gpu::Buffer out_buffer = Upload(std::vector<uint32_t>(n_out, kPoison));
    const gpu::Buffer counter_buffer = Upload(counter_);
    const auto pointer = [](const gpu::Buffer& b) {
      return reinterpret_cast<uint32_t*>(static_cast<uintptr_t>(b.ptr()));
    };
    const ConformanceArgs args{pointer(in_buffer), pointer(out_buffer), pointer(counter_buffer), n,
                               parameter};
    EXPECT_OK(stream_.Launch(*kernel, shape, &args));
    std::vector<uint32_t> out = Download<uint32_t>(out_buffer);
    counter_ = Download<uint32_t>(counter_buffer);
    return out;
  }

  std::vector<uint32_t> Random(size_t n) {
    std::vector<uint32_t> values(n);
    for (uint32_t& v : values) v = static_cast<uint32_t>(random_());
    return values;
  }

  const uint32_t seed_ = std::random_device{}();
  ::testing::ScopedTrace trace_{__FILE__, __LINE__, ::testing::Message() << "seed " << seed_};
  std::mt19937 random_{seed_};
  std::vector<uint32_t> counter_ = {0, 0};
};

TEST_P(PortTest, Geometry) {
  const auto out = Run("conformance_geometry", {}, 8 * 768, 0, {3, 2, 128}, 0);
  for (uint32_t i = 0; i < 768; ++i) {
    const uint32_t thread = i % 128;
    const std::vector<uint32_t> expected = {thread, i / 128 % 3, thread % wave(), thread / wave(),
                                            128,    3,           i / 384,         2};
    EXPECT_EQ(std::vector<uint32_t>(out.begin() + 8 * i, out.begin() + 8 * i + 8), expected) << i;
  }
}

TEST_P(PortTest, ShufflesAndBallots) {
  const auto in = Random(512);
  for (uint32_t mask = 1; mask < wave(); ++mask) {
    const auto out = Run("conformance_shuffle_xor", in, 512, mask, {2, 1, 256}, 512);
    for (uint32_t i = 0; i < 512; ++i) ASSERT_EQ(out[i], in[i ^ mask]) << i;
  }
  const auto few = Run("conformance_shuffle_few", in, 512, 0, {2, 1, 256}, 512);
  for (uint32_t i = 0; i < 512; ++i) {
    uint32_t sum = 0;
    uint32_t factor = 1;
    for (const uint32_t mask : {1u, 2u, 3u, 4u, 5u, 7u, 8u, 15u, 16u}) {
      sum += factor * in[i ^ mask];
      factor *= 2;
    }
    ASSERT_EQ(few[i], i % wave() < 5 ? sum : kPoison) << i;
  }
  const auto shuffled = Run("conformance_shuffle", in, 512, 0, {2, 1, 256}, 512);
  for (uint32_t i = 0; i < 512; ++i)
    ASSERT_EQ(shuffled[i], in[i / wave() * wave() + in[i] % wave()]);
  const auto among = Run("conformance_shuffle_among", in, 512, 0, {2, 1, 256}, 512);
  for (uint32_t i = 0; i < 512; ++i) {
    uint32_t sum = 0;
    for (const uint32_t n : {4u, 8u, 16u, 32u}) sum += in[i / n * n + in[i] % n];
    ASSERT_EQ(among[i], sum) << i;
  }
  const auto uniform = Run("conformance_uniform", in, 512, 0, {2, 1, 256}, 512);
  for (uint32_t i = 0; i < 512; ++i) ASSERT_EQ(uniform[i], in[i / wave()] + i % wave()) << i;
  const auto ballot = Run("conformance_ballot", in, 1024, 0, {2, 1, 256}, 512);
  for (uint32_t i = 0; i < 512; ++i) {
    uint64_t expected = 0;
    for (uint32_t lane = 0; lane < wave(); ++lane) {
      expected |= static_cast<uint64_t>(in[i / wave() * wave() + lane] & 1u) << lane;
    }
    ASSERT_EQ(ballot[2 * i] | static_cast<uint64_t>(ballot[2 * i + 1]) << 32, expected);
  }
}

TEST_P(PortTest, BarrierOrdersSharedMemory) {
  const auto in = Random(384);
  for (uint32_t rounds : {1u, 2u, 5u}) {
    const auto out = Run("conformance_barrier", in, 384, rounds, {2, 1, 192}, 384);
    for (uint32_t i = 0; i < 384; ++i) {
      const uint32_t mirrored = i / 192 * 192 + 191 - i % 192;
      ASSERT_EQ(out[i], in[rounds % 2 == 1 ? mirrored : i]);
    }
  }
}

TEST_P(PortTest, SharedBarrierLetsLoadsGoOn) {
  const auto in = Random(2 * 192);
  for (uint32_t rounds : {1u, 3u, 6u}) {
    const auto out = Run("conformance_shared_barrier", in, 384, rounds, {2, 1, 192}, 384);
    for (uint32_t i = 0; i < 384; ++i) {
      const uint32_t mirrored = 191 - i % 192;
      uint32_t sum = 0;
      for (uint32_t r = 0; r < rounds; ++r) sum += in[i / 192 * 192 + (mirrored + r) % 192];
      ASSERT_EQ(out[i], sum) << i;
    }
  }
}

TEST_P(PortTest, GridBarrierOrdersTheGrid) {
  // The AMD emulator runs one block after the other, so it takes a cooperative grid of one only.
  const uint32_t n_blocks = emulated() ? 1 : 7;
  constexpr uint32_t kRounds = 5;
  const auto in = Random(n_blocks);
  const auto out =
      Run("conformance_grid_barrier", in, n_blocks, kRounds, {n_blocks, 1, 64, true}, n_blocks);
  std::vector<uint32_t> value = in;
  for (uint32_t round = 0; round < kRounds; ++round) {
    const std::vector<uint32_t> before = value;
    for (uint32_t b = 0; b < n_blocks; ++b) value[b] += before[(b + 1) % n_blocks];
  }
  EXPECT_EQ(out, value);
}

TEST_P(PortTest, AsyncCopiesArrive) {
  const auto in = Random(2 * 192 * 4);
  const auto out = Run("conformance_copy", in, in.size(), 0, {2, 1, 192}, 0);
  for (uint32_t i = 0; i < in.size(); ++i) {
    const uint32_t block = i / (192 * 4);
    const uint32_t chunk = 191 - i / 4 % 192;
    ASSERT_EQ(out[i], in[block * 192 * 4 + chunk * 4 + i % 4]) << i;
  }
}

TEST_P(PortTest, AllThreadsOfTheLastBlockReadTheOthers) {
  for (const uint32_t threads : {64u, 256u}) {
    for (const uint32_t blocks : {1u, 2u, 9u, 40u}) {
      const auto in = Random(blocks * threads);
      const auto out = Run("conformance_last_block", in, (blocks + 1) * threads, 0,
                           {blocks, 1, threads}, blocks * threads);
      for (uint32_t t = 0; t < threads; ++t) {
        uint32_t sum = 0;
        for (uint32_t b = 0; b < blocks; ++b) sum += in[b * threads + t];
        ASSERT_EQ(out[t], sum) << "thread " << t << " of " << blocks << " blocks";
      }
      EXPECT_EQ(std::accumulate(out.begin(), out.begin() + threads, 0u),
                std::accumulate(in.begin(), in.end(), 0u));
      EXPECT_EQ(counter_[0], 0u);
    }
  }
}

TEST_P(PortTest, Dot4IsExactAndWraps) {
  auto in = Random(3 * 256);
  in[0] = in[1] = 0x80808080u;
  in[2] = 0x7FFFFFFFu;
  const auto out = Run("conformance_dot4", in, 256, 0, {1, 1, 256}, 256);
  for (uint32_t i = 0; i < 256; ++i) {
    int64_t sum = static_cast<int32_t>(in[3 * i + 2]);
    for (int b = 0; b < 4; ++b) {
      sum +=
          static_cast<int8_t>(in[3 * i] >> (8 * b)) * static_cast<int8_t>(in[3 * i + 1] >> (8 * b));
    }
    ASSERT_EQ(out[i], static_cast<uint32_t>(sum)) << i;
  }
}

TEST_P(PortTest, LookUpsTakeBytesOfTables) {
  const auto in = Random(5 * 256);
  const auto out = Run("conformance_look_up", in, 3 * 256, 0, {1, 1, 256}, 256);
  for (uint32_t i = 0; i < 256; ++i) {
    const auto entry = [&](uint32_t k) { return in[5 * i + k / 4] >> (8 * (k % 4)) & 0xFF; };
    const uint32_t codes = in[5 * i + 4];
    uint32_t of_8 = 0, low = 0, high = 0;
    for (uint32_t b = 0; b < 4; ++b) {
      of_8 |= entry(codes >> (4 * b) & 7) << (8 * b);
      low |= entry(codes >> (8 * b) & 15) << (8 * b);
      high |= entry(codes >> (8 * b + 4) & 15) << (8 * b);
    }
    ASSERT_EQ(out[3 * i], of_8) << i;
    ASSERT_EQ(out[3 * i + 1], low) << i;
    ASSERT_EQ(out[3 * i + 2], high) << i;
  }
}

TEST_P(PortTest, FastMathKeepsItsBounds) {
  std::vector<uint32_t> in(1024);
  std::uniform_real_distribution<float> range(0.001f, 100.0f);
  for (uint32_t& v : in) v = AsBits(range(random_));
  const auto out = Run("conformance_math", in, 6 * 1024, 0, {4, 1, 256}, 1024);
  for (uint32_t i = 0; i < 1024; ++i) {
    const double x = AsFloat(in[i]);
    const uint32_t* row = &out[6 * i];
    const double bound = 0x1p-21;
    EXPECT_NEAR(AsFloat(row[0]) / std::exp2(x), 1.0, bound) << x;
    EXPECT_NEAR(AsFloat(row[1]), std::log2(x), bound * std::max(1.0, std::abs(std::log2(x)))) << x;
    EXPECT_NEAR(AsFloat(row[2]) * x, 1.0, bound) << x;
    EXPECT_NEAR(AsFloat(row[3]) * std::sqrt(x), 1.0, bound) << x;
    const float square = AsFloat(in[i]) * AsFloat(in[i]);
    EXPECT_EQ(AsFloat(row[4]), static_cast<float>(x * x - static_cast<double>(square))) << x;
    EXPECT_EQ(row[5], 0u);
  }
}

// Nearest even by comparing the two neighbours in double precision.
uint16_t NearestHalf(float value) {
  if (std::isnan(value)) return 0;
  const auto to_double = [](uint16_t bits) -> double {
    const int exponent = bits >> 10 & 31;
    const double fraction = bits & 1023;
    const double magnitude =
        exponent == 0 ? fraction * 0x1p-24 : std::ldexp(1024 + fraction, exponent - 25);
    return (bits & 0x8000) != 0 ? -magnitude : magnitude;
  };
  uint16_t best = 0;
  double best_error = std::numeric_limits<double>::infinity();
  const uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  // 0x7C00 stands for 65536, the first value that does not fit, in the comparison: infinity.
  for (uint32_t magnitude = 0; magnitude <= 0x7C00; ++magnitude) {
    const auto bits = static_cast<uint16_t>(sign | magnitude);
    const double error = std::abs(to_double(bits) - static_cast<double>(value));
    if (error < best_error || (error == best_error && (bits & 1) == 0)) {
      best = bits;
      best_error = error;
    }
  }
  return best;
}

TEST_P(PortTest, ConversionsRoundToNearestEven) {
  std::vector<uint32_t> in = {0x00000000, 0x80000000, 0x7F800000, 0xFF800000, 0x7FC00000,
                              0x33000000, 0x33000001, 0x387FC000, 0x387FE000, 0x387FF000,
                              0x38800000, 0x477FE000, 0x477FEFFF, 0x477FF000, 0x3F801000,
                              0x3F803000, 0x3F808000, 0x3F818000, 0x00000001, 0x7F7FFFFF};
  while (in.size() < 256) in.push_back(static_cast<uint32_t>(random_()));
  for (size_t i = 128; i < 256; ++i)
    in[i] = (in[i] & 0x8FFFFFFFu) | 0x30000000u;  // in the range of half
  const auto out = Run("conformance_convert", in, 4 * 256, 0, {1, 1, 256}, 256);
  for (uint32_t i = 0; i < 256; ++i) {
    const float x = AsFloat(in[i]);
    const uint32_t* row = &out[4 * i];
    if (std::isnan(x)) {
      EXPECT_TRUE((row[0] & 0x7C00) == 0x7C00 && (row[0] & 0x3FF) != 0) << std::hex << in[i];
      EXPECT_TRUE(std::isnan(AsFloat(row[1] << 16)));
    } else {
      EXPECT_EQ(row[0], std::isinf(x) || std::abs(x) >= 65520.0f
                            ? (std::signbit(x) ? 0xFC00u : 0x7C00u)
                            : NearestHalf(x))
          << std::hex << in[i];
      const uint32_t low = in[i] & 0xFFFFu;
      const bool up = low > 0x8000u || (low == 0x8000u && (in[i] >> 16 & 1u) != 0);
      EXPECT_EQ(row[1], (in[i] >> 16) + (up ? 1 : 0)) << std::hex << in[i];
    }
    EXPECT_EQ(row[3], in[i] << 16);
    const float half = AsFloat(row[2]);
    if (std::isnan(half) || std::isinf(half)) continue;
    EXPECT_EQ(NearestHalf(half), in[i] & 0xFFFFu);
  }
}

TEST_P(PortTest, StreamsAndAtomics) {
  const auto in = Random(4 * 200);
  EXPECT_EQ(Run("conformance_stream", in, 800, 0, {1, 1, 256}, 800), in);
  std::vector<uint32_t> small(700);
  for (uint32_t& v : small) v = static_cast<uint32_t>(random_() % 1000);
  const uint32_t total = std::accumulate(small.begin(), small.end(), 0u);
  counter_ = {0, 0};
  const auto out = Run("conformance_atomics", small, 700, total, {3, 1, 256}, 700);
  EXPECT_EQ(counter_[0], total);
  EXPECT_EQ(AsFloat(counter_[1]), 350.0f);
  for (uint32_t ok : out) EXPECT_EQ(ok, 1u);
}

TEST_P(PortTest, AddsInSharedMemory) {
  const auto in = Random(2 * 256);
  const auto out = Run("conformance_shared_add", in, 16, 0, {2, 1, 256}, 512);
  std::vector<uint32_t> expected(16);
  for (size_t i = 0; i < in.size(); ++i) expected[i / 256 * 8 + in[i] % 8] += in[i];
  EXPECT_EQ(out, expected);
}

TEST_P(PortTest, PrefetchesChangeNothing) {
  const auto in = Random(3 * 256);
  for (const uint32_t chunks : {1u, 7u, 190u})
    EXPECT_EQ(Run("conformance_prefetch", in, in.size(), chunks, {3, 1, 256}, 3 * 256), in);
}

TEST_P(PortTest, ClockMovesForward) {
  if (emulated()) GTEST_SKIP() << "the AMD emulator has no clock instruction";
  const auto out = Run("conformance_clock", {1}, 3, 100000, {1, 1, 64}, 1);
  EXPECT_EQ(out[0], 1u);
  EXPECT_EQ(out[1], 1u);
}

INSTANTIATE_TEST_SUITE_P(Devices, PortTest, ::testing::ValuesIn(testing::TestDevices()),
                         [](const auto& device) { return device.param; });

}  // namespace
}  // namespace rocforge::port
