// Elementwise functions, norms and rotations. Include after a vec.h.
#pragma once

#include "kernels/cpu/simd/math.h"
#include "kernels/cpu/simd/primitives.h"

namespace rocforge::cpu {
namespace {

// out[i] = f(a[i], b[i]) in whole vectors, then the rest; f sees zeros beyond the end.
template <typename F>
ROCFORGE_INLINE void Map2(const float* a, const float* b, float* out, int64_t n, F&& f) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) Store(out + i, f(Load(a + i), Load(b + i)));
  if (i < n) StorePartial(out + i, f(LoadPartial(a + i, n - i), LoadPartial(b + i, n - i)), n - i);
}
template <typename F>
ROCFORGE_INLINE void Map1(const float* a, float* out, int64_t n, F&& f) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) Store(out + i, f(Load(a + i)));
  if (i < n) StorePartial(out + i, f(LoadPartial(a + i, n - i)), n - i);
}

inline void GluSilu(const float* gate, const float* up, float, float, float* out, int64_t n) {
  Map2(gate, up, out, n, [](V g, V u) { return Mul(TimesSigmoid(g, g), u); });
}
inline void GluGeluTanh(const float* gate, const float* up, float, float, float* out, int64_t n) {
  Map2(gate, up, out, n, [](V g, V u) { return Mul(GeluTanh(g), u); });
}
inline void GluGeluErf(const float* gate, const float* up, float, float, float* out, int64_t n) {
  Map2(gate, up, out, n, [](V g, V u) { return Mul(GeluErf(g), u); });
}
inline void GluSwigluOai(const float* gate, const float* up, float alpha, float limit, float* out,
                         int64_t n) {
  const V a = Set1(alpha);
  const V most = Set1(limit);
  const V least = Set1(-limit);
  Map2(gate, up, out, n, [&](V gate_v, V up_v) {
    const V g = Min(most, gate_v);
    const V u = Max(least, Min(most, up_v));
    return Mul(TimesSigmoid(g, Mul(a, g)), Add(u, Set1(1.0f)));
  });
}

inline void AddScaled(const float* a, const float* b, float scale_b, float* out, int64_t n) {
  const V s = Set1(scale_b);
  Map2(a, b, out, n, [&](V x, V y) { return Fma(s, y, x); });
}
inline void Blend(const float* a, float scale_a, const float* b, float scale_b, float* out,
                  int64_t n) {
  const V sa = Set1(scale_a);
  const V sb = Set1(scale_b);
  Map2(a, b, out, n, [&](V x, V y) { return Fma(sb, y, Mul(sa, x)); });
}
inline void ScaleBy(const float* x, float scale, float* out, int64_t n) {
  const V s = Set1(scale);
  Map1(x, out, n, [&](V v) { return Mul(v, s); });
}
inline void SoftCap(const float* x, float cap, float* out, int64_t n) {
  const V c = Set1(cap);
  Map1(x, out, n, [&](V v) { return Mul(c, Tanh(Div(v, c))); });
}

// Sum of f(x[i]) in four accumulators; f maps 0 to 0 or `n` is a multiple of kLanes.
template <typename F>
ROCFORGE_INLINE float Sum(const float* x, int64_t n, F&& f) {
  V acc[4] = {Zero(), Zero(), Zero(), Zero()};
  int64_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
    for (int u = 0; u < 4; ++u) acc[u] = Add(acc[u], f(Load(x + i + u * kLanes), kLanes));
  }
  for (; i < n; i += kLanes) {
    const int64_t count = n - i < kLanes ? n - i : kLanes;
    acc[0] = Add(acc[0], f(LoadPartial(x + i, count), count));
  }
  return ReduceAdd(Add(Add(acc[0], acc[1]), Add(acc[2], acc[3])));
}

// out = (x - mean) * inverse * weight + bias
ROCFORGE_INLINE void ScaleAndShift(const float* x, float mean, float inverse, const float* weight,
                                   const float* bias, float* out, int64_t n) {
  const V m = Set1(mean);
  const V s = Set1(inverse);
  for (int64_t i = 0; i < n; i += kLanes) {
    const int64_t count = n - i < kLanes ? n - i : kLanes;
    V y = Mul(Sub(LoadPartial(x + i, count), m), s);
    if (weight != nullptr) y = Mul(y, LoadPartial(weight + i, count));
    if (bias != nullptr) y = Add(y, LoadPartial(bias + i, count));
    StorePartial(out + i, y, count);
  }
}

inline void NormRms(const float* x, const float* weight, const float* bias, float eps, float* out,
                    int64_t n) {
  const float square = Sum(x, n, [](V v, int64_t) { return Mul(v, v); });
  const float inverse = 1.0f / __builtin_sqrtf(square / static_cast<float>(n) + eps);
  ScaleAndShift(x, 0.0f, inverse, weight, bias, out, n);
}

inline void NormLayer(const float* x, const float* weight, const float* bias, float eps, float* out,
                      int64_t n) {
  const float mean = Sum(x, n, [](V v, int64_t) { return v; }) / static_cast<float>(n);
  const V m = Set1(mean);
  const float square = Sum(x, n, [&](V v, int64_t count) {
    V d = Sub(v, m);
    if (count < kLanes) {  // lanes beyond the end must not count
      float lanes[kLanes] = {};
      StorePartial(lanes, d, count);
      d = Load(lanes);
    }
    return Mul(d, d);
  });
  const float inverse = 1.0f / __builtin_sqrtf(square / static_cast<float>(n) + eps);
  ScaleAndShift(x, mean, inverse, weight, bias, out, n);
}

inline void RotateNormal(const float* x, const float* table, float* out, int64_t rope_dim) {
  int64_t i = 0;
  for (; i + kLanes <= rope_dim; i += kLanes) {
    const V v = Load(x + i);
    const V t = Load(table + i);
    Store(out + i, FmaSubAdd(v, DupEven(t), Mul(SwapPairs(v), DupOdd(t))));
  }
  for (; i < rope_dim; i += 2) {
    const float a = x[i];
    const float b = x[i + 1];
    out[i] = a * table[i] - b * table[i + 1];
    out[i + 1] = b * table[i] + a * table[i + 1];
  }
}

inline void RotateNeox(const float* x, const float* table, float* out, int64_t rope_dim) {
  const int64_t half = rope_dim / 2;
  int64_t j = 0;
  for (; j + kLanes <= half; j += kLanes) {
    V cosine, sine;
    Deinterleave(Load(table + 2 * j), Load(table + 2 * j + kLanes), &cosine, &sine);
    const V a = Load(x + j);
    const V b = Load(x + half + j);
    Store(out + j, NegFma(b, sine, Mul(a, cosine)));
    Store(out + half + j, Fma(b, cosine, Mul(a, sine)));
  }
  for (; j < half; ++j) {
    const float a = x[j];
    const float b = x[half + j];
    out[j] = a * table[2 * j] - b * table[2 * j + 1];
    out[half + j] = b * table[2 * j] + a * table[2 * j + 1];
  }
}

inline void ToF16(const float* x, uint16_t* out, int64_t n) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) StoreF16(out + i, Load(x + i));
  if (i < n) StoreF16Partial(out + i, LoadPartial(x + i, n - i), n - i);
}

constexpr VectorPrimitives MakeVectorPrimitives() {
  return {{nullptr, GluSilu, GluGeluTanh, GluGeluErf, GluSwigluOai},
          AddScaled,
          Blend,
          ScaleBy,
          SoftCap,
          NormRms,
          NormLayer,
          RotateNormal,
          RotateNeox,
          ToF16};
}

}  // namespace
}  // namespace rocforge::cpu
