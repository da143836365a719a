// Vectors of four floats in GCC's and clang's portable vector extension: SSE2 on any x86-64, NEON
// on arm64, scalar code elsewhere. Also the list of what a vec.h has to provide; the other vec.h
// files do the same with intrinsics.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/cpu/simd/inline.h"

namespace rocforge::cpu {
namespace {

inline constexpr int kLanes = 4;
inline constexpr int kByteLanes = 16;

typedef float V __attribute__((vector_size(16)));
typedef int32_t VI __attribute__((vector_size(16)));
typedef uint8_t Bytes __attribute__((vector_size(16)));

// --- Memory. "Partial" touches only the first n <= kLanes elements; the others read as 0.
ROCFORGE_INLINE V Zero() { return V{}; }
ROCFORGE_INLINE V Set1(float a) { return V{a, a, a, a}; }
ROCFORGE_INLINE V Load(const float* p) {
  V v;
  std::memcpy(&v, p, sizeof(v));
  return v;
}
ROCFORGE_INLINE void Store(float* p, V v) { std::memcpy(p, &v, sizeof(v)); }
ROCFORGE_INLINE V LoadPartial(const float* p, int64_t n) {
  V v = Zero();
  for (int64_t i = 0; i < n; ++i) v[i] = p[i];
  return v;
}
ROCFORGE_INLINE void StorePartial(float* p, V v, int64_t n) {
  for (int64_t i = 0; i < n; ++i) p[i] = v[i];
}

// --- Arithmetic. Fma(a, b, c) = a * b + c and NegFma = c - a * b, fused where the machine can.
ROCFORGE_INLINE V Add(V a, V b) { return a + b; }
ROCFORGE_INLINE V Sub(V a, V b) { return a - b; }
ROCFORGE_INLINE V Mul(V a, V b) { return a * b; }
ROCFORGE_INLINE V Div(V a, V b) { return a / b; }
ROCFORGE_INLINE V Fma(V a, V b, V c) { return a * b + c; }
ROCFORGE_INLINE V NegFma(V a, V b, V c) { return c - a * b; }
ROCFORGE_INLINE V Select(VI mask, V a, V b) {
  return reinterpret_cast<V>((reinterpret_cast<VI>(a) & mask) | (reinterpret_cast<VI>(b) & ~mask));
}
// a < b ? x : y in each lane; y where a or b is NaN.
ROCFORGE_INLINE V SelectLess(V a, V b, V x, V y) { return Select(a < b, x, y); }
ROCFORGE_INLINE V Min(V a, V b) { return Select(a < b, a, b); }
ROCFORGE_INLINE V Max(V a, V b) { return Select(a > b, a, b); }
ROCFORGE_INLINE V Abs(V a) {
  return reinterpret_cast<V>(reinterpret_cast<VI>(a) &
                             VI{INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX});
}
// Nearest integer, |a| < 2^22: adding 1.5 * 2^23 leaves no bits below the point.
ROCFORGE_INLINE V Round(V a) { return (a + Set1(0x1.8p23f)) - Set1(0x1.8p23f); }
// x * 2^n for integral n in [-252, 252], in two steps so that neither factor over- or underflows.
ROCFORGE_INLINE V Ldexp(V x, V n) {
  const VI i = __builtin_convertvector(n, VI);
  const VI half = i >> 1;
  const V a = reinterpret_cast<V>((half + 127) << 23);
  const V b = reinterpret_cast<V>((i - half + 127) << 23);
  return x * a * b;
}

// --- Over lanes. The tree adds lane i to i + L/2, then i to i + L/4, ...: the same in both.
ROCFORGE_INLINE float ReduceAdd(V v) { return (v[0] + v[2]) + (v[1] + v[3]); }
ROCFORGE_INLINE void Reduce4(V a, V b, V c, V d, float* out) {
  const V lo = V{a[0], b[0], c[0], d[0]} + V{a[2], b[2], c[2], d[2]};
  const V hi = V{a[1], b[1], c[1], d[1]} + V{a[3], b[3], c[3], d[3]};
  Store(out, lo + hi);
}
ROCFORGE_INLINE float ReduceMax(V v) {
  float m = v[0];
  for (int i = 1; i < kLanes; ++i) m = v[i] > m ? v[i] : m;
  return m;
}
// Pairs (2j, 2j + 1): [a b] -> [a a], [b b], [b a].
ROCFORGE_INLINE V DupEven(V v) { return V{v[0], v[0], v[2], v[2]}; }
ROCFORGE_INLINE V DupOdd(V v) { return V{v[1], v[1], v[3], v[3]}; }
ROCFORGE_INLINE V SwapPairs(V v) { return V{v[1], v[0], v[3], v[2]}; }
// Even lanes a * b - c, odd lanes a * b + c.
ROCFORGE_INLINE V FmaSubAdd(V a, V b, V c) { return a * b + c * V{-1.0f, 1.0f, -1.0f, 1.0f}; }
// The even and odd elements of the 2 * kLanes floats a, b.
ROCFORGE_INLINE void Deinterleave(V a, V b, V* even, V* odd) {
  *even = V{a[0], a[2], b[0], b[2]};
  *odd = V{a[1], a[3], b[1], b[3]};
}

// --- Conversions, exact but for StoreF16 (nearest even).
ROCFORGE_INLINE float HalfToF32(uint16_t half) {
  // The exponent of a half moved to a float's place is 112 too small; the product repairs it, and
  // normalises subnormals on the way. Infinity and NaN need their exponent raised by hand.
  const uint32_t sign = (half & 0x8000u) << 16;
  const uint32_t magnitude = (half & 0x7fffu) << 13;
  const float scaled = __builtin_bit_cast(float, magnitude) * 0x1p112f;
  uint32_t bits = __builtin_bit_cast(uint32_t, scaled);
  if (magnitude >= 0x7c00u << 13) bits = magnitude | 0x7f800000u;
  return __builtin_bit_cast(float, bits | sign);
}
ROCFORGE_INLINE uint16_t F32ToHalf(float value) {
  const uint32_t bits = __builtin_bit_cast(uint32_t, value);
  const uint32_t sign = (bits >> 16) & 0x8000u;
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return static_cast<uint16_t>(sign | 0x7e00u);
  if (magnitude >= 0x477ff000u) return static_cast<uint16_t>(sign | 0x7c00u);
  if (magnitude < 0x38800000u) {  // subnormal half: let the float adder round at 2^-24
    const float shifted = __builtin_bit_cast(float, magnitude) + 0.5f;
    return static_cast<uint16_t>(sign | (__builtin_bit_cast(uint32_t, shifted) - 0x3f000000u));
  }
  const uint32_t odd = (magnitude >> 13) & 1u;
  return static_cast<uint16_t>(sign | ((magnitude - 0x38000000u + 0xfffu + odd) >> 13));
}
ROCFORGE_INLINE V LoadF16Partial(const uint16_t* p, int64_t n) {
  V v = Zero();
  for (int64_t i = 0; i < n; ++i) v[i] = HalfToF32(p[i]);
  return v;
}
typedef uint16_t U16x8 __attribute__((vector_size(16)));
// The low half of h, each element widened with zeros above it.
ROCFORGE_INLINE VI WidenLow(U16x8 h) {
  return reinterpret_cast<VI>(__builtin_shufflevector(h, U16x8{}, 0, 8, 1, 9, 2, 10, 3, 11));
}
ROCFORGE_INLINE VI WidenU16(const uint16_t* p) {
  typedef uint64_t U64x2 __attribute__((vector_size(16)));
  uint64_t bits;  // through a register: a short store read back by a long load would stall
  std::memcpy(&bits, p, sizeof(bits));
  return WidenLow(reinterpret_cast<U16x8>(U64x2{bits, 0}));
}
ROCFORGE_INLINE V LoadF16(const uint16_t* p) {
  const VI wide = WidenU16(p);
  const VI sign = (wide & 0x8000) << 16;
  const VI magnitude = (wide & 0x7fff) << 13;
  const V scaled = reinterpret_cast<V>(magnitude) * Set1(0x1p112f);
  const V special = reinterpret_cast<V>(magnitude | 0x7f800000);
  const V result = Select(magnitude >= (0x7c00 << 13), special, scaled);
  return reinterpret_cast<V>(reinterpret_cast<VI>(result) | sign);
}
ROCFORGE_INLINE void StoreF16Partial(uint16_t* p, V v, int64_t n) {
  for (int64_t i = 0; i < n; ++i) p[i] = F32ToHalf(v[i]);
}
ROCFORGE_INLINE void StoreF16(uint16_t* p, V v) { StoreF16Partial(p, v, kLanes); }
ROCFORGE_INLINE V LoadBF16Partial(const uint16_t* p, int64_t n) {
  VI v{};
  for (int64_t i = 0; i < n; ++i) v[i] = static_cast<int32_t>(static_cast<uint32_t>(p[i]) << 16);
  return reinterpret_cast<V>(v);
}
ROCFORGE_INLINE V LoadBF16(const uint16_t* p) { return reinterpret_cast<V>(WidenU16(p) << 16); }
ROCFORGE_INLINE VI WidenU8(const uint8_t* p) {
  int32_t bits;
  std::memcpy(&bits, p, sizeof(bits));
  const Bytes b = reinterpret_cast<Bytes>(VI{bits, 0, 0, 0});
  return WidenLow(reinterpret_cast<U16x8>(
      __builtin_shufflevector(b, Bytes{}, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)));
}
ROCFORGE_INLINE V FromU8(const uint8_t* p) { return __builtin_convertvector(WidenU8(p), V); }
ROCFORGE_INLINE V FromI8(const int8_t* p) {
  const VI wide = WidenU8(reinterpret_cast<const uint8_t*>(p));
  return __builtin_convertvector((wide << 24) >> 24, V);
}
// out[i] = bytes[i] * (i < 8 ? low : high) for 16 bytes.
ROCFORGE_INLINE void ScaleHalves(const uint8_t* bytes, float low, float high, float* out) {
  for (int i = 0; i < 16; i += kLanes) {
    Store(out + i, Mul(FromU8(bytes + i), Set1(i < 8 ? low : high)));
  }
}

// --- Nibbles. A Lut maps 4-bit codes to weights: d * q + m, or d * levels[q].
struct AffineLut {
  V d, m;
};
struct LevelsLut {
  const int8_t* levels;
  V d;
};
ROCFORGE_INLINE AffineLut MakeAffineLut(float d, float m) { return {Set1(d), Set1(m)}; }
// d * (q - kCentre)
template <int kCentre>
ROCFORGE_INLINE AffineLut MakeCentredLut(float d) {
  return {Set1(d), Set1(-kCentre * d)};
}
// d and m are two halves at p.
ROCFORGE_INLINE AffineLut MakeAffineLutF16(const uint8_t* p) {
  uint16_t dm[2];
  std::memcpy(dm, p, sizeof(dm));
  return {Set1(HalfToF32(dm[0])), Set1(HalfToF32(dm[1]))};
}
ROCFORGE_INLINE LevelsLut MakeLevelsLut(const int8_t* levels, const float*, float d) {
  return {levels, Set1(d)};
}
// Weights of the low and high nibbles of the kLanes bytes at p.
ROCFORGE_INLINE void Nibbles(const uint8_t* p, AffineLut lut, V* low, V* high) {
  const VI wide = WidenU8(p);
  *low = Fma(__builtin_convertvector(wide & 15, V), lut.d, lut.m);
  *high = Fma(__builtin_convertvector(wide >> 4, V), lut.d, lut.m);
}
ROCFORGE_INLINE void Nibbles(const uint8_t* p, LevelsLut lut, V* low, V* high) {
  VI lo, hi;
  for (int i = 0; i < kLanes; ++i) {
    lo[i] = lut.levels[p[i] & 15];
    hi[i] = lut.levels[p[i] >> 4];
  }
  *low = Mul(__builtin_convertvector(lo, V), lut.d);
  *high = Mul(__builtin_convertvector(hi, V), lut.d);
}
// The 16 weights of the 8 bytes at p: the low nibbles first.
ROCFORGE_INLINE void Nibbles16(const uint8_t* p, LevelsLut lut, V* w) {
  constexpr int kHalf = 8 / kLanes;
  for (int i = 0; i < kHalf; ++i) Nibbles(p + i * kLanes, lut, &w[i], &w[kHalf + i]);
}
// v + addend in the lanes i whose bit i of `bits` is set.
ROCFORGE_INLINE V AddWhere(V v, uint32_t bits, V addend) {
  const VI lane_bit = {1, 2, 4, 8};
  const int32_t b = static_cast<int32_t>(bits & 15);
  const VI set = (VI{b, b, b, b} & lane_bit) != 0;
  return v + reinterpret_cast<V>(reinterpret_cast<VI>(addend) & set);
}

}  // namespace
}  // namespace rocforge::cpu
