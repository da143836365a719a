#include "quant/half.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

namespace rocforge::quant {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

// The definition of binary16, in doubles.
double HalfByDefinition(uint16_t half) {
  const int exponent = (half >> 10) & 31;
  const int mantissa = half & 1023;
  const double magnitude =
      exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
  return (half & 0x8000) != 0 ? -magnitude : magnitude;
}

TEST(Half, EveryPatternDecodesByDefinitionAndRoundTrips) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    const float value = HalfToFloat(half);
    if ((half & 0x7c00) == 0x7c00) {
      if ((half & 0x3ff) == 0) {
        EXPECT_EQ(value, (half & 0x8000) != 0 ? -kInf : kInf);
        EXPECT_EQ(FloatToHalf(value), half);
      } else {
        EXPECT_TRUE(std::isnan(value));
        EXPECT_EQ(FloatToHalf(value), half | 0x200);
      }
      continue;
    }
    ASSERT_EQ(static_cast<double>(value), HalfByDefinition(half)) << bits;
    ASSERT_EQ(std::signbit(value), (half & 0x8000) != 0) << bits;
    ASSERT_EQ(FloatToHalf(value), half) << bits;
  }
}

// At the middle of two neighbours the even one wins; a hair to either side, the nearer one.
TEST(Half, RoundsToNearestEven) {
  for (uint32_t bits = 0; bits < 0x7c00; ++bits) {
    const auto low = static_cast<uint16_t>(bits);
    const auto high = static_cast<uint16_t>(bits + 1);
    const double above = high == 0x7c00 ? 65536.0 : HalfByDefinition(high);
    const auto middle = static_cast<float>((HalfByDefinition(low) + above) / 2);  // exact
    const uint16_t even = (low & 1) == 0 ? low : high;
    ASSERT_EQ(FloatToHalf(middle), even) << bits;
    ASSERT_EQ(FloatToHalf(-middle), even | 0x8000) << bits;
    ASSERT_EQ(FloatToHalf(std::nextafterf(middle, 0.0f)), low) << bits;
    ASSERT_EQ(FloatToHalf(std::nextafterf(middle, kInf)), high) << bits;
  }
  EXPECT_EQ(FloatToHalf(std::numeric_limits<float>::max()), 0x7c00);
  EXPECT_EQ(FloatToHalf(std::numeric_limits<float>::denorm_min()), 0);
  EXPECT_EQ(FloatToHalf(-0.0f), 0x8000);
}

TEST(Bf16, EveryPatternRoundTripsAndRoundsToNearestEven) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto bf16 = static_cast<uint16_t>(bits);
    const float value = Bf16ToFloat(bf16);
    if (std::isnan(value)) {
      EXPECT_EQ(FloatToBf16(value), bf16 | 0x40);
      continue;
    }
    ASSERT_EQ(FloatToBf16(value), bf16);
    if (std::isinf(value)) continue;
    const auto middle = std::bit_cast<float>((bits << 16) + 0x8000u);
    const auto next = static_cast<uint16_t>(bits + 1);
    ASSERT_EQ(FloatToBf16(middle), (bits & 1) == 0 ? bf16 : next);
    ASSERT_EQ(FloatToBf16(std::bit_cast<float>((bits << 16) + 0x7fffu)), bf16);
    ASSERT_EQ(FloatToBf16(std::bit_cast<float>((bits << 16) + 0x8001u)), next);
  }
  // A NaN whose payload is in the low bits only must not become infinity.
  EXPECT_EQ(FloatToBf16(std::bit_cast<float>(0x7f800001u)), 0x7fc0);
}

TEST(SmallScales, ByDefinition) {
  for (int e = 0; e < 255; ++e) {
    const auto e8m0 = static_cast<uint8_t>(e);
    EXPECT_EQ(static_cast<double>(E8m0ToFloat(e8m0)), std::ldexp(1.0, e - 127));
    EXPECT_EQ(static_cast<double>(E8m0ToFloatHalf(e8m0)), std::ldexp(1.0, e - 128));
  }
  for (int x = 0; x < 127; ++x) {
    const int exponent = x >> 3;
    const int mantissa = x & 7;
    const double expected =
        exponent == 0 ? std::ldexp(mantissa, -9) : std::ldexp(8 + mantissa, exponent - 10);
    EXPECT_EQ(static_cast<double>(Ue4m3ToFloat(static_cast<uint8_t>(x))), expected);
  }
  EXPECT_EQ(Ue4m3ToFloat(0x7f), 0.0f);
}

}  // namespace
}  // namespace rocforge::quant
