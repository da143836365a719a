// Eight floats at once, in the compiler's portable vector types (internal to quant/).
#pragma once

#include <cstdint>
#include <cstring>

// Compiles a function once more for AVX2 and chooses at load time. Everything that it calls with
// vector arguments must be ROCFORGE_LANES (inlined): the two versions pass vectors differently.
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && \
    !defined(__clang__)
#define ROCFORGE_CLONES __attribute__((target_clones("avx2", "default")))
#else
#define ROCFORGE_CLONES
#endif
#define ROCFORGE_LANES inline __attribute__((always_inline))

namespace rocforge::quant::search {

inline constexpr int kLanes = 8;
using F8 = float __attribute__((vector_size(32)));

ROCFORGE_LANES F8 Splat(float v) { return F8{v, v, v, v, v, v, v, v}; }
ROCFORGE_LANES F8 Load(const float* p) {
  F8 v;
  std::memcpy(&v, p, sizeof(v));
  return v;
}
ROCFORGE_LANES F8 Max(const F8& a, const F8& b) { return a > b ? a : b; }
ROCFORGE_LANES F8 Min(const F8& a, const F8& b) { return a < b ? a : b; }
// To the nearest integer, ties to even, for |v| < 2^22.
ROCFORGE_LANES F8 Round(const F8& v) { return (v + 12582912.0f) - 12582912.0f; }
ROCFORGE_LANES float Round(float v) { return (v + 12582912.0f) - 12582912.0f; }
// In a fixed order, so that the result does not depend on the machine.
ROCFORGE_LANES float Sum(const F8& v) {
  return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]));
}
ROCFORGE_LANES int SmallestLane(const F8& v) {
  int best = 0;
  for (int lane = 1; lane < kLanes; ++lane) best = v[lane] < v[best] ? lane : best;
  return best;
}
ROCFORGE_LANES float Clamp(float v, float lo, float hi) { return v < lo ? lo : (v > hi ? hi : v); }

}  // namespace rocforge::quant::search
