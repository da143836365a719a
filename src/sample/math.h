// The exponential and the sums that sampling needs over a whole vocabulary. Internal to sample/.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace rocforge::sample {

inline constexpr float kMinusInf = -std::numeric_limits<float>::infinity();

// e^x for x <= 0, relative error below 2e-7 down to -87, exactly 0 below (and for -infinity); NaN
// gives 0. Our own for two reasons: a loop of it vectorises, and it gives the same bits on every
// machine. Range reduction to [-ln 2 / 2, ln 2 / 2] (Cody and Waite 1980), Taylor's polynomial of
// degree 7, scaling through the exponent's bits.
inline float ExpNegative(float x) {
  constexpr float kLog2E = 1.44269504f;
  constexpr float kLn2High = 0.693359375f;  // 9 bits: n * kLn2High is exact
  constexpr float kLn2Low = -2.12194440e-4f;
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
  const float shifted = x * kLog2E + kRound;
  const float n = shifted - kRound;
  const float r = (x - n * kLn2High) - n * kLn2Low;
  float p = 1.0f / 5040;
  p = p * r + 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  // The low bits of `shifted` hold n; the shift drops all the others.
  const uint32_t scale = (std::bit_cast<uint32_t>(shifted) << 23) + 0x3F800000u;
  const float e = p * std::bit_cast<float>(scale);
  // What came of x < -87 is masked out; by bits, because GCC makes a branch of ?: and then does not
  // vectorise the caller's loop.
  const uint32_t mask = 0u - static_cast<uint32_t>(x >= -87.0f);
  return std::bit_cast<float>(std::bit_cast<uint32_t>(e) & mask);
}

// The largest value; -infinity if there is none. NaN are passed over.
float MaxOf(std::span<const float> values);

// Accumulated in double, in an order that depends on the size alone.
double SumOf(std::span<const float> values);

// out[i] = exp(values[i] - max), where max is at least every value.
void ExpShifted(std::span<const float> values, float max, float* out);

}  // namespace rocforge::sample
