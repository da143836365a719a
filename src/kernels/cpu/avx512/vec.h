// Vectors of sixteen floats: AVX-512 F, BW, DQ, VL. What each function does: generic/vec.h.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/cpu/simd/inline.h"

namespace rocforge::cpu {
namespace {

inline constexpr int kLanes = 16;
inline constexpr int kByteLanes = 32;

using V = __m512;
typedef uint8_t Bytes __attribute__((vector_size(32)));

ROCFORGE_INLINE __mmask16 FirstLanes(int64_t n) {
  return static_cast<__mmask16>((1u << static_cast<uint32_t>(n)) - 1u);
}

ROCFORGE_INLINE V Zero() { return _mm512_setzero_ps(); }
ROCFORGE_INLINE V Set1(float a) { return _mm512_set1_ps(a); }
ROCFORGE_INLINE V Load(const float* p) { return _mm512_loadu_ps(p); }
ROCFORGE_INLINE void Store(float* p, V v) { _mm512_storeu_ps(p, v); }
ROCFORGE_INLINE V LoadPartial(const float* p, int64_t n) {
  return _mm512_maskz_loadu_ps(FirstLanes(n), p);
}
ROCFORGE_INLINE void StorePartial(float* p, V v, int64_t n) {
  _mm512_mask_storeu_ps(p, FirstLanes(n), v);
}

ROCFORGE_INLINE V Add(V a, V b) { return _mm512_add_ps(a, b); }
ROCFORGE_INLINE V Sub(V a, V b) { return _mm512_sub_ps(a, b); }
ROCFORGE_INLINE V Mul(V a, V b) { return _mm512_mul_ps(a, b); }
ROCFORGE_INLINE V Div(V a, V b) { return _mm512_div_ps(a, b); }
ROCFORGE_INLINE V Fma(V a, V b, V c) { return _mm512_fmadd_ps(a, b, c); }
ROCFORGE_INLINE V NegFma(V a, V b, V c) { return _mm512_fnmadd_ps(a, b, c); }
ROCFORGE_INLINE V SelectLess(V a, V b, V x, V y) {
  return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), y, x);
}
ROCFORGE_INLINE V Min(V a, V b) { return _mm512_min_ps(a, b); }
ROCFORGE_INLINE V Max(V a, V b) { return _mm512_max_ps(a, b); }
ROCFORGE_INLINE V Abs(V a) { return _mm512_abs_ps(a); }
ROCFORGE_INLINE V Round(V a) {
  return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
ROCFORGE_INLINE V Ldexp(V x, V n) { return _mm512_scalef_ps(x, n); }

ROCFORGE_INLINE __m256 AddHalves(V v) {
  return _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
}
ROCFORGE_INLINE __m128 AddQuarters(V v) {
  const __m256 half = AddHalves(v);
  return _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
}
ROCFORGE_INLINE float ReduceAdd(V v) {
  const __m128 a = AddQuarters(v);
  const __m128 b = _mm_add_ps(a, _mm_movehl_ps(a, a));
  return _mm_cvtss_f32(_mm_add_ss(b, _mm_shuffle_ps(b, b, 1)));
}
ROCFORGE_INLINE void Reduce4(V a, V b, V c, V d, float* out) {
  const __m128 qa = AddQuarters(a);
  const __m128 qb = AddQuarters(b);
  const __m128 qc = AddQuarters(c);
  const __m128 qd = AddQuarters(d);
  const __m128 ab = _mm_add_ps(_mm_movelh_ps(qa, qb), _mm_movehl_ps(qb, qa));
  const __m128 cd = _mm_add_ps(_mm_movelh_ps(qc, qd), _mm_movehl_ps(qd, qc));
  _mm_storeu_ps(out, _mm_add_ps(_mm_shuffle_ps(ab, cd, 0x88), _mm_shuffle_ps(ab, cd, 0xdd)));
}
ROCFORGE_INLINE float ReduceMax(V v) { return _mm512_reduce_max_ps(v); }
ROCFORGE_INLINE V DupEven(V v) { return _mm512_moveldup_ps(v); }
ROCFORGE_INLINE V DupOdd(V v) { return _mm512_movehdup_ps(v); }
ROCFORGE_INLINE V SwapPairs(V v) { return _mm512_permute_ps(v, 0xb1); }
ROCFORGE_INLINE V FmaSubAdd(V a, V b, V c) { return _mm512_fmaddsub_ps(a, b, c); }
ROCFORGE_INLINE void Deinterleave(V a, V b, V* even, V* odd) {
  const __m512i i = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  *even = _mm512_permutex2var_ps(a, i, b);
  *odd = _mm512_permutex2var_ps(a, _mm512_add_epi32(i, _mm512_set1_epi32(1)), b);
}

ROCFORGE_INLINE float HalfToF32(uint16_t half) {
  return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(half)));
}
ROCFORGE_INLINE V LoadF16(const uint16_t* p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
ROCFORGE_INLINE V LoadF16Partial(const uint16_t* p, int64_t n) {
  return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(FirstLanes(n), p));
}
ROCFORGE_INLINE void StoreF16(uint16_t* p, V v) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
}
ROCFORGE_INLINE void StoreF16Partial(uint16_t* p, V v, int64_t n) {
  _mm256_mask_storeu_epi16(p, FirstLanes(n), _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
}
ROCFORGE_INLINE V WidenBF16(__m256i b) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(b), 16));
}
ROCFORGE_INLINE V LoadBF16(const uint16_t* p) {
  return WidenBF16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
ROCFORGE_INLINE V LoadBF16Partial(const uint16_t* p, int64_t n) {
  return WidenBF16(_mm256_maskz_loadu_epi16(FirstLanes(n), p));
}
ROCFORGE_INLINE __m128i Load16Bytes(const void* p) {
  return _mm_loadu_si128(static_cast<const __m128i*>(p));
}
ROCFORGE_INLINE V FromU8(const uint8_t* p) {
  return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(Load16Bytes(p)));
}
ROCFORGE_INLINE V FromI8(const int8_t* p) {
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(Load16Bytes(p)));
}

ROCFORGE_INLINE void ScaleHalves(const uint8_t* bytes, float low, float high, float* out) {
  const V factors = _mm512_insertf32x8(_mm512_set1_ps(low), _mm256_set1_ps(high), 1);
  Store(out, Mul(FromU8(bytes), factors));
}

// A permutation reads only the low four bits of its index, so a register of the sixteen possible
// weights turns nibbles into finished weights in one instruction, with no mask and no conversion.
using AffineLut = __m512;
using LevelsLut = __m512;
ROCFORGE_INLINE AffineLut MakeAffineLut(float d, float m) {
  const V codes = _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  return _mm512_fmadd_ps(codes, _mm512_set1_ps(d), _mm512_set1_ps(m));
}
template <int kCentre>
ROCFORGE_INLINE AffineLut MakeCentredLut(float d) {
  constexpr float c = kCentre;
  const V codes = _mm512_setr_ps(-c, 1 - c, 2 - c, 3 - c, 4 - c, 5 - c, 6 - c, 7 - c, 8 - c, 9 - c,
                                 10 - c, 11 - c, 12 - c, 13 - c, 14 - c, 15 - c);
  return _mm512_mul_ps(codes, _mm512_set1_ps(d));
}
ROCFORGE_INLINE AffineLut MakeAffineLutF16(const uint8_t* p) {
  int32_t pair;
  std::memcpy(&pair, p, sizeof(pair));
  const __m128 dm = _mm_cvtph_ps(_mm_cvtsi32_si128(pair));
  const V codes = _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  return _mm512_fmadd_ps(codes, _mm512_broadcastss_ps(dm),
                         _mm512_permutexvar_ps(_mm512_set1_epi32(1), _mm512_castps128_ps512(dm)));
}
ROCFORGE_INLINE LevelsLut MakeLevelsLut(const int8_t*, const float* levels, float d) {
  return _mm512_mul_ps(_mm512_loadu_ps(levels), _mm512_set1_ps(d));
}
ROCFORGE_INLINE void Nibbles(const uint8_t* p, __m512 lut, V* low, V* high) {
  const __m512i codes = _mm512_cvtepu8_epi32(Load16Bytes(p));
  *low = _mm512_permutexvar_ps(codes, lut);
  *high = _mm512_permutexvar_ps(_mm512_srli_epi32(codes, 4), lut);
}
ROCFORGE_INLINE void Nibbles16(const uint8_t* p, LevelsLut lut, V* w) {
  uint64_t packed;
  std::memcpy(&packed, p, sizeof(packed));
  const __m128i bytes =
      _mm_set_epi64x(static_cast<int64_t>(packed >> 4), static_cast<int64_t>(packed));
  *w = _mm512_permutexvar_ps(_mm512_cvtepu8_epi32(bytes), lut);
}
ROCFORGE_INLINE V AddWhere(V v, uint32_t bits, V addend) {
  return _mm512_mask_add_ps(v, static_cast<__mmask16>(bits & 0xffffu), v, addend);
}

}  // namespace
}  // namespace rocforge::cpu
