// The search of search.h for formats with a scale and a minimum (internal to quant/):
// w = scale * q + min, q in 0..max_level.
#pragma once

#include <algorithm>

#include "quant/search.h"

namespace rocforge::quant::search {

struct AffineFit {
  float scale = 0.0f;
  float min = 0.0f;
  float error = 0.0f;  // weighted, squared
};

// x[n] with weights w[n], seen from their mean.
struct AffineData {
  const float* x;
  const float* w;
  int n;
  float sum_w;
  float mean;
  float lo;
  float hi;
  float variance;  // sum of w (x - mean)^2
  float noise;     // rounding errors of such sums; a fit that is better by less is no better
};

ROCFORGE_LANES AffineData Describe(const float* x, const float* w, int n) {
  AffineData data{x, w, n, 0.0f, 0.0f, x[0], x[0], 0.0f, 0.0f};
  float sum_wx = 0.0f;
  for (int i = 0; i < n; ++i) {
    data.sum_w += w[i];
    sum_wx += w[i] * x[i];
    data.lo = x[i] < data.lo ? x[i] : data.lo;
    data.hi = x[i] > data.hi ? x[i] : data.hi;
  }
  data.mean = sum_wx / data.sum_w;
  for (int i = 0; i < n; ++i) {
    const float centred = x[i] - data.mean;
    data.variance += w[i] * centred * centred;
  }
  data.noise = 1e-6f * data.variance + 1e-12f * data.mean * data.mean * data.sum_w;
  return data;
}

// Tries eight pairs (1 / scale, offset of level 0) and keeps the best least-squares fit. With
// kMinAtMostZero the minimum may not be positive.
template <bool kMinAtMostZero>
ROCFORGE_LANES void TryAffine(const AffineData& data, float max_level, const F8& inverse,
                              const F8& base, AffineFit* best) {
  F8 sum_q{};
  F8 sum_qq{};
  F8 sum_xq{};
  const IntegerLevels levels{0.0f, max_level};
  for (int i = 0; i < data.n; ++i) {
    const F8 q = levels.Nearest((data.x[i] - base) * inverse);
    const F8 wq = data.w[i] * q;
    sum_q += wq;
    sum_qq += q * wq;
    sum_xq += (data.x[i] - data.mean) * wq;
  }
  const F8 mean_q = sum_q / data.sum_w;
  const F8 spread = sum_qq - mean_q * sum_q;
  // Rounding noise of a difference of equal numbers must not pass for a spread.
  F8 scale = spread > sum_qq * 1e-6f ? sum_xq / spread : Splat(0.0f);
  F8 min = data.mean - scale * mean_q;
  F8 gain = scale * sum_xq;
  if constexpr (kMinAtMostZero) {
    const F8 sum_uncentred = sum_xq + data.mean * sum_q;
    const F8 scale_at_zero = sum_qq > 0.0f ? sum_uncentred / sum_qq : Splat(0.0f);
    const F8 gain_at_zero = scale_at_zero * sum_uncentred - data.mean * data.mean * data.sum_w;
    gain = min > 0.0f ? gain_at_zero : gain;
    scale = min > 0.0f ? scale_at_zero : scale;
    min = Min(min, Splat(0.0f));
  }
  for (int lane = 0; lane < kLanes; ++lane) {
    const float error = std::max(data.variance - gain[lane], 0.0f);
    if (error + data.noise < best->error) *best = {scale[lane], min[lane], error};
  }
}

// Weighted squared errors of eight pairs (scale, min), each with the nearest levels.
ROCFORGE_LANES F8 AffineErrors(const float* x, const float* w, int n, float max_level,
                               const F8& scale, const F8& min) {
  const F8 inverse = scale != 0.0f ? 1.0f / scale : Splat(0.0f);
  const IntegerLevels levels{0.0f, max_level};
  F8 error{};
  for (int i = 0; i < n; ++i) {
    const F8 q = levels.Nearest((x[i] - min) * inverse);
    const F8 difference = x[i] - (scale * q + min);
    error += w[i] * difference * difference;
  }
  return error;
}

// Levels of the nearest, with the arithmetic of AffineErrors.
ROCFORGE_LANES void NearestAffine(const float* x, int n, float max_level, float scale, float min,
                                  uint8_t* q) {
  const float inverse = scale != 0.0f ? 1.0f / scale : 0.0f;
  const IntegerLevels levels{0.0f, max_level};
  for (int i = 0; i < n; i += kLanes) {
    const F8 nearest = levels.Nearest((Load(x + i) - min) * inverse);
    for (int lane = 0; lane < kLanes; ++lane) q[i + lane] = static_cast<uint8_t>(nearest[lane]);
  }
}

// The best scale >= 0 and minimum found for levels 0..max_level. `wide` clips the ends further, as
// uneven weights may want it.
template <bool kMinAtMostZero>
ROCFORGE_LANES AffineFit FitAffine(const float* x, const float* w, int n, float max_level,
                                   bool wide) {
  AffineData data = Describe(x, w, n);
  // Sums of positive weights that are not centred are less exact.
  if (kMinAtMostZero && data.lo > 0.0f) data.noise += 1e-6f * data.mean * data.mean * data.sum_w;
  AffineFit best;
  best.min = kMinAtMostZero && data.mean > 0.0f ? 0.0f : data.mean;
  best.error = data.variance + (data.mean - best.min) * (data.mean - best.min) * data.sum_w;
  const float lo = kMinAtMostZero && data.lo > 0.0f ? 0.0f : data.lo;
  const float range = data.hi - lo;
  if (!std::isfinite(1.0f / range)) return best;
  const float step = range / max_level;
  // By how many steps the two ends are pulled in.
  constexpr F8 kLowEnds[] = {{0.0f, 0.4f, 0.0f, 0.4f, 0.8f, 0.0f, 0.8f, -0.3f},
                             {1.2f, 0.0f, 1.2f, 0.4f, 0.8f, 0.6f, 0.2f, 1.6f},
                             {2.2f, 0.0f, 2.2f, 1.0f, 1.8f, 3.0f, 0.0f, 3.0f}};
  constexpr F8 kHighEnds[] = {{0.0f, 0.0f, 0.4f, 0.4f, 0.0f, 0.8f, 0.8f, -0.3f},
                              {0.0f, 1.2f, 1.2f, 0.8f, 0.4f, 0.2f, 0.6f, 1.6f},
                              {0.0f, 2.2f, 2.2f, 1.8f, 1.0f, 0.0f, 3.0f, 3.0f}};
  // Two levels cannot be pulled in by three steps.
  for (int pass = 0; pass < (wide && max_level > 3.0f ? 3 : 2); ++pass) {
    const F8 low = kLowEnds[pass] * step;
    const F8 high = kHighEnds[pass] * step;
    TryAffine<kMinAtMostZero>(data, max_level, max_level / (range - (low + high)), lo + low, &best);
  }
  constexpr F8 kWhole = {1.0f, 2.0f, 3.0f, 4.0f, 5.0f, 6.0f, 7.0f, 8.0f};
  TryAffine<kMinAtMostZero>(data, max_level, kWhole / range, Splat(lo), &best);
  constexpr F8 kNear = {1.0f, 0.97f, 1.03f, 1.0f, 1.0f, 0.97f, 1.03f, 0.94f};
  constexpr F8 kShift = {0.0f, 0.0f, 0.0f, 0.25f, -0.25f, 0.25f, -0.25f, 0.0f};
  for (int pass = 0; pass < (wide ? 3 : 2) && best.scale > 0.0f; ++pass) {
    TryAffine<kMinAtMostZero>(data, max_level, kNear / best.scale, best.min + kShift * best.scale,
                              &best);
  }
  // Zero as a level: sparse weights want it exactly.
  if (best.scale > 0.0f) {
    constexpr F8 kAlign = {1.0f, 0.98f, 1.02f, 0.96f, 1.04f, 0.93f, 1.07f, 0.9f};
    const F8 scales = kAlign * best.scale;
    TryAffine<kMinAtMostZero>(data, max_level, 1.0f / scales, Round(best.min / scales) * scales,
                              &best);
  }
  return best;
}

// ---- scale and minimum as halves, of any sign ----

struct HalfPair {
  uint16_t scale;
  uint16_t min;
};

// `half` moved by `steps` halves up or down in value, within the finite ones.
inline uint16_t StepHalf(uint16_t half, int steps) {
  // Sign and magnitude as one rising integer.
  const int rank = (half & 0x8000) != 0 ? -(half & 0x7fff) : half & 0x7fff;
  const int moved = std::clamp(rank + steps, -0x7bff, 0x7bff);
  return static_cast<uint16_t>(moved < 0 ? 0x8000 | -moved : moved);
}

// Rounding the minimum shifts all weights, so the scale is fitted again for each minimum tried.
ROCFORGE_LANES HalfPair FitHalfPair(const float* x, const float* w, int n, float max_level,
                                    bool wide) {
  constexpr int kMinSteps[kLanes] = {0, 0, 0, 1, 1, -1, -1, 0};
  constexpr int kScaleSteps[kLanes] = {0, 1, -1, 0, -1, 0, 1, 2};
  const AffineFit fit = FitAffine<false>(x, w, n, max_level, wide);
  const uint16_t nearest_min = FloatToHalf(fit.min);
  HalfPair pairs[kLanes];
  F8 mins{};
  for (int lane = 0; lane < kLanes; ++lane) {
    pairs[lane].min = StepHalf(nearest_min, kMinSteps[lane]);
    mins[lane] = HalfToFloat(pairs[lane].min);
  }
  const IntegerLevels levels{0.0f, max_level};
  const float inverse = fit.scale != 0.0f ? 1.0f / fit.scale : 0.0f;
  // Equal weights want no scale of their own; the top level then serves to correct the minimum.
  const float at_least = fit.scale != 0.0f ? 0.0f : max_level;
  F8 sum_xq{};
  F8 sum_qq{};
  for (int i = 0; i < n; ++i) {
    const F8 q = Max(levels.Nearest((x[i] - mins) * inverse), Splat(at_least));
    const F8 wq = w[i] * q;
    sum_xq += (x[i] - mins) * wq;
    sum_qq += q * wq;
  }
  const F8 fitted = sum_qq > 0.0f ? sum_xq / sum_qq : Splat(0.0f);
  F8 scales{};
  for (int lane = 0; lane < kLanes; ++lane) {
    pairs[lane].scale = StepHalf(FloatToHalf(fitted[lane]), kScaleSteps[lane]);
    scales[lane] = HalfToFloat(pairs[lane].scale);
  }
  return pairs[SmallestLane(AffineErrors(x, w, n, max_level, scales, mins))];
}

}  // namespace rocforge::quant::search
