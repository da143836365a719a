// Vectors of eight floats: AVX2, FMA, F16C. What each function does: generic/vec.h.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/cpu/simd/inline.h"

namespace rocforge::cpu {
namespace {

inline constexpr int kLanes = 8;
inline constexpr int kByteLanes = 32;

using V = __m256;
typedef uint8_t Bytes __attribute__((vector_size(32)));

ROCFORGE_INLINE __m256i LaneNumbers() { return _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7); }
// All ones in the first n lanes.
ROCFORGE_INLINE __m256i FirstLanes(int64_t n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), LaneNumbers());
}

ROCFORGE_INLINE V Zero() { return _mm256_setzero_ps(); }
ROCFORGE_INLINE V Set1(float a) { return _mm256_set1_ps(a); }
ROCFORGE_INLINE V Load(const float* p) { return _mm256_loadu_ps(p); }
ROCFORGE_INLINE void Store(float* p, V v) { _mm256_storeu_ps(p, v); }
ROCFORGE_INLINE V LoadPartial(const float* p, int64_t n) {
  return _mm256_maskload_ps(p, FirstLanes(n));
}
ROCFORGE_INLINE void StorePartial(float* p, V v, int64_t n) {
  _mm256_maskstore_ps(p, FirstLanes(n), v);
}

ROCFORGE_INLINE V Add(V a, V b) { return _mm256_add_ps(a, b); }
ROCFORGE_INLINE V Sub(V a, V b) { return _mm256_sub_ps(a, b); }
ROCFORGE_INLINE V Mul(V a, V b) { return _mm256_mul_ps(a, b); }
ROCFORGE_INLINE V Div(V a, V b) { return _mm256_div_ps(a, b); }
ROCFORGE_INLINE V Fma(V a, V b, V c) { return _mm256_fmadd_ps(a, b, c); }
ROCFORGE_INLINE V NegFma(V a, V b, V c) { return _mm256_fnmadd_ps(a, b, c); }
ROCFORGE_INLINE V SelectLess(V a, V b, V x, V y) {
  return _mm256_blendv_ps(y, x, _mm256_cmp_ps(a, b, _CMP_LT_OQ));
}
ROCFORGE_INLINE V Min(V a, V b) { return _mm256_min_ps(a, b); }
ROCFORGE_INLINE V Max(V a, V b) { return _mm256_max_ps(a, b); }
ROCFORGE_INLINE V Abs(V a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
ROCFORGE_INLINE V Round(V a) {
  return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
ROCFORGE_INLINE V Ldexp(V x, V n) {
  const __m256i bias = _mm256_set1_epi32(127);
  const __m256i i = _mm256_cvtps_epi32(n);
  const __m256i half = _mm256_srai_epi32(i, 1);
  const __m256i rest = _mm256_sub_epi32(i, half);
  const V a = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(half, bias), 23));
  const V b = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(rest, bias), 23));
  return _mm256_mul_ps(_mm256_mul_ps(x, a), b);
}

ROCFORGE_INLINE __m128 AddHalves(V v) {
  return _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
}
ROCFORGE_INLINE float ReduceAdd(V v) {
  const __m128 a = AddHalves(v);
  const __m128 b = _mm_add_ps(a, _mm_movehl_ps(a, a));
  return _mm_cvtss_f32(_mm_add_ss(b, _mm_shuffle_ps(b, b, 1)));
}
ROCFORGE_INLINE void Reduce4(V a, V b, V c, V d, float* out) {
  const __m128 qa = AddHalves(a);
  const __m128 qb = AddHalves(b);
  const __m128 qc = AddHalves(c);
  const __m128 qd = AddHalves(d);
  const __m128 ab = _mm_add_ps(_mm_movelh_ps(qa, qb), _mm_movehl_ps(qb, qa));
  const __m128 cd = _mm_add_ps(_mm_movelh_ps(qc, qd), _mm_movehl_ps(qd, qc));
  _mm_storeu_ps(out, _mm_add_ps(_mm_shuffle_ps(ab, cd, 0x88), _mm_shuffle_ps(ab, cd, 0xdd)));
}
ROCFORGE_INLINE float ReduceMax(V v) {
  const __m128 a = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  const __m128 b = _mm_max_ps(a, _mm_movehl_ps(a, a));
  return _mm_cvtss_f32(_mm_max_ss(b, _mm_shuffle_ps(b, b, 1)));
}
ROCFORGE_INLINE V DupEven(V v) { return _mm256_moveldup_ps(v); }
ROCFORGE_INLINE V DupOdd(V v) { return _mm256_movehdup_ps(v); }
ROCFORGE_INLINE V SwapPairs(V v) { return _mm256_permute_ps(v, 0xb1); }
ROCFORGE_INLINE V FmaSubAdd(V a, V b, V c) { return _mm256_fmaddsub_ps(a, b, c); }
ROCFORGE_INLINE void Deinterleave(V a, V b, V* even, V* odd) {
  // Within 128-bit halves: a0 a2 b0 b2 | a4 a6 b4 b6, then the 64-bit quarters in order.
  const __m256 e = _mm256_shuffle_ps(a, b, 0x88);
  const __m256 o = _mm256_shuffle_ps(a, b, 0xdd);
  *even = _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(e), 0xd8));
  *odd = _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(o), 0xd8));
}

ROCFORGE_INLINE float HalfToF32(uint16_t half) {
  return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(half)));
}
ROCFORGE_INLINE V LoadF16(const uint16_t* p) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
ROCFORGE_INLINE V LoadF16Partial(const uint16_t* p, int64_t n) {
  uint16_t buffer[kLanes] = {};
  std::memcpy(buffer, p, static_cast<size_t>(n) * sizeof(uint16_t));
  return LoadF16(buffer);
}
ROCFORGE_INLINE void StoreF16(uint16_t* p, V v) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
}
ROCFORGE_INLINE void StoreF16Partial(uint16_t* p, V v, int64_t n) {
  uint16_t buffer[kLanes];
  StoreF16(buffer, v);
  std::memcpy(p, buffer, static_cast<size_t>(n) * sizeof(uint16_t));
}
ROCFORGE_INLINE V LoadBF16(const uint16_t* p) {
  const __m128i b = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(b), 16));
}
ROCFORGE_INLINE V LoadBF16Partial(const uint16_t* p, int64_t n) {
  uint16_t buffer[kLanes] = {};
  std::memcpy(buffer, p, static_cast<size_t>(n) * sizeof(uint16_t));
  return LoadBF16(buffer);
}
ROCFORGE_INLINE __m128i Load8Bytes(const void* p) {
  return _mm_loadl_epi64(static_cast<const __m128i*>(p));
}
ROCFORGE_INLINE V FromU8(const uint8_t* p) {
  return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(Load8Bytes(p)));
}
ROCFORGE_INLINE V FromI8(const int8_t* p) {
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(Load8Bytes(p)));
}

ROCFORGE_INLINE void ScaleHalves(const uint8_t* bytes, float low, float high, float* out) {
  for (int i = 0; i < 16; i += kLanes) {
    Store(out + i, Mul(FromU8(bytes + i), Set1(i < 8 ? low : high)));
  }
}

struct AffineLut {
  V d, m;
};
struct LevelsLut {
  __m128i levels;
  V d;
};
ROCFORGE_INLINE AffineLut MakeAffineLut(float d, float m) { return {Set1(d), Set1(m)}; }
template <int kCentre>
ROCFORGE_INLINE AffineLut MakeCentredLut(float d) {
  const V dv = Set1(d);
  return {dv, Mul(dv, Set1(-kCentre))};
}
ROCFORGE_INLINE AffineLut MakeAffineLutF16(const uint8_t* p) {
  int32_t pair;
  std::memcpy(&pair, p, sizeof(pair));
  const __m128 dm = _mm_cvtph_ps(_mm_cvtsi32_si128(pair));
  return {_mm256_broadcastss_ps(dm), _mm256_broadcastss_ps(_mm_movehdup_ps(dm))};
}
ROCFORGE_INLINE LevelsLut MakeLevelsLut(const int8_t* levels, const float*, float d) {
  return {_mm_loadu_si128(reinterpret_cast<const __m128i*>(levels)), Set1(d)};
}
ROCFORGE_INLINE void Nibbles(const uint8_t* p, AffineLut lut, V* low, V* high) {
  const __m256i codes = _mm256_cvtepu8_epi32(Load8Bytes(p));
  const __m256i lo = _mm256_and_si256(codes, _mm256_set1_epi32(15));
  *low = Fma(_mm256_cvtepi32_ps(lo), lut.d, lut.m);
  *high = Fma(_mm256_cvtepi32_ps(_mm256_srli_epi32(codes, 4)), lut.d, lut.m);
}
ROCFORGE_INLINE void Nibbles(const uint8_t* p, LevelsLut lut, V* low, V* high) {
  const __m128i mask = _mm_set1_epi8(15);
  const __m128i codes = Load8Bytes(p);
  const __m128i lo = _mm_shuffle_epi8(lut.levels, _mm_and_si128(codes, mask));
  const __m128i hi = _mm_shuffle_epi8(lut.levels, _mm_and_si128(_mm_srli_epi16(codes, 4), mask));
  *low = Mul(_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(lo)), lut.d);
  *high = Mul(_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(hi)), lut.d);
}
ROCFORGE_INLINE void Nibbles16(const uint8_t* p, LevelsLut lut, V* w) {
  constexpr int kHalf = 8 / kLanes;
  for (int i = 0; i < kHalf; ++i) Nibbles(p + i * kLanes, lut, &w[i], &w[kHalf + i]);
}
ROCFORGE_INLINE V AddWhere(V v, uint32_t bits, V addend) {
  const __m256i lane_bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
  const __m256i set = _mm256_cmpeq_epi32(
      _mm256_and_si256(_mm256_set1_epi32(static_cast<int>(bits)), lane_bit), lane_bit);
  return Add(v, _mm256_and_ps(addend, _mm256_castsi256_ps(set)));
}

}  // namespace
}  // namespace rocforge::cpu
