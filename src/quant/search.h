// How the encoders choose scales (internal to quant/).
//
// A format offers levels (the integers of a range, or a table) times a scale, plus a minimum where
// it has one. Given a scale, the best level of each weight is the nearest; given the levels, the
// best scale (and minimum) is a weighted least-squares fit. The error as a function of the scale
// has many local minima, so many scales are tried: eight at once, one a vector lane, each judged by
// the error that remains after its own least-squares fit. Everything is plain IEEE arithmetic in a
// fixed order, so that every machine and compiler writes the same bytes.
#pragma once

#include <cmath>
#include <cstdint>

#include "quant/half.h"
#include "quant/lanes.h"

namespace rocforge::quant::search {

// The integers of [lo, hi].
struct IntegerLevels {
  static constexpr bool kIntegers = true;
  float lo;
  float hi;
  ROCFORGE_LANES F8 Nearest(const F8& v) const { return Round(Max(Min(v, Splat(hi)), Splat(lo))); }
  // Positions of the nearest levels, counted from lo.
  ROCFORGE_LANES F8 NearestIndex(const F8& v) const { return Nearest(v) - lo; }
};

// The entries of a rising table.
template <int kCount>
struct TableLevels {
  static constexpr bool kIntegers = false;
  float lo;
  float hi;
  float middle[kCount - 1];  // between level k and k + 1
  float step[kCount - 1];    // from level k to k + 1

  explicit constexpr TableLevels(const int8_t (&levels)[kCount])
      : lo(levels[0]), hi(levels[kCount - 1]), middle{}, step{} {
    for (int k = 0; k + 1 < kCount; ++k) {
      middle[k] = 0.5f * static_cast<float>(levels[k] + levels[k + 1]);
      step[k] = static_cast<float>(levels[k + 1] - levels[k]);
    }
  }
  ROCFORGE_LANES F8 Nearest(const F8& v) const {
    F8 nearest = Splat(lo);
    for (int k = 0; k + 1 < kCount; ++k) {
      nearest += v > Splat(middle[k]) ? Splat(step[k]) : Splat(0.0f);
    }
    return nearest;
  }
  ROCFORGE_LANES F8 NearestIndex(const F8& v) const {
    F8 index{};
    for (int k = 0; k + 1 < kCount; ++k) {
      index += v > Splat(middle[k]) ? Splat(1.0f) : Splat(0.0f);
    }
    return index;
  }
};

// ---- weights times a scale ----

struct ScaleFit {
  float scale = 0.0f;
  float gain = 0.0f;  // by how much the weighted squared error is below that of all zeros
};

// A fit must beat the one found before by more than rounding noise: where many fit equally
// (constant weights), equal groups then choose equally.
inline constexpr float kBetter = 1.0f + 1e-6f;

// Tries eight inverse scales; keeps in *best the fit with the greatest gain.
template <typename Levels>
ROCFORGE_LANES void TryInverseScales(const Levels& levels, const float* x, const float* w, int n,
                                     const F8& inverse, ScaleFit* best) {
  F8 sum_xq{};
  F8 sum_qq{};
  for (int i = 0; i < n; ++i) {
    const F8 q = levels.Nearest(x[i] * inverse);
    const F8 wq = w[i] * q;
    sum_xq += x[i] * wq;
    sum_qq += q * wq;
  }
  const F8 scale = sum_qq > 0.0f ? sum_xq / sum_qq : Splat(0.0f);
  const F8 gain = scale * sum_xq;
  for (int lane = 0; lane < kLanes; ++lane) {
    if (gain[lane] > best->gain * kBetter) *best = {scale[lane], gain[lane]};
  }
}

// Weighted squared errors of eight scales, each with the nearest levels.
template <typename Levels>
ROCFORGE_LANES F8 ScaleErrors(const Levels& levels, const float* x, const float* w, int n,
                              const F8& scale) {
  const F8 inverse = scale != 0.0f ? 1.0f / scale : Splat(0.0f);
  F8 error{};
  for (int i = 0; i < n; ++i) {
    const F8 difference = x[i] - scale * levels.Nearest(x[i] * inverse);
    error += w[i] * difference * difference;
  }
  return error;
}

// Indices of the nearest levels, with the arithmetic of ScaleErrors. n is a multiple of kLanes,
// here and wherever elements go by lanes.
template <typename Levels>
ROCFORGE_LANES void NearestIndices(const Levels& levels, const float* x, int n, float scale,
                                   uint8_t* index) {
  const float inverse = scale != 0.0f ? 1.0f / scale : 0.0f;
  for (int i = 0; i < n; i += kLanes) {
    const F8 nearest = levels.NearestIndex(Load(x + i) * inverse);
    for (int lane = 0; lane < kLanes; ++lane) index[i + lane] = static_cast<uint8_t>(nearest[lane]);
  }
}

// The element of greatest magnitude, with its sign.
ROCFORGE_LANES float Extreme(const float* x, int n) {
  float extreme = 0.0f;
  float magnitude = 0.0f;
  for (int i = 0; i < n; ++i) {
    const float a = std::fabs(x[i]);
    if (a > magnitude) {
      magnitude = a;
      extreme = x[i];
    }
  }
  return extreme;
}

// The best scale found for x[n]; 0 when all weights are zero. The scale may be negative: the range
// of levels is not symmetric, and the extreme weight may want either end. `wide` searches further
// down: with uneven weights the extreme element may be worth clipping.
template <typename Levels>
ROCFORGE_LANES ScaleFit FitScale(const Levels& levels, const float* x, const float* w, int n,
                                 bool wide) {
  ScaleFit best;
  const float unit = 1.0f / Extreme(x, n);
  if (!std::isfinite(unit)) return best;
  // Where the extreme weight lands, as a part of the range: beyond the end it is clipped.
  constexpr F8 kSpread = {1.10f, 1.04f, 1.0f, 0.97f, 0.93f, 0.88f, 0.82f, 0.75f};
  constexpr F8 kClipped = {1.15f, 1.20f, 1.26f, 1.33f, 1.42f, 1.54f, 1.68f, 1.85f};
  TryInverseScales(levels, x, w, n, kSpread * (levels.lo * unit), &best);
  TryInverseScales(levels, x, w, n, kSpread * (levels.hi * unit), &best);
  if (wide) {
    TryInverseScales(levels, x, w, n, kClipped * (levels.lo * unit), &best);
    TryInverseScales(levels, x, w, n, kClipped * (levels.hi * unit), &best);
  }
  if constexpr (Levels::kIntegers) {
    // Weights that are small multiples of one number already are found exactly.
    constexpr F8 kWhole = {1.0f, 2.0f, 3.0f, 4.0f, 5.0f, 6.0f, 7.0f, 8.0f};
    TryInverseScales(levels, x, w, n, kWhole * unit, &best);
    if (levels.hi > 8.0f) TryInverseScales(levels, x, w, n, (kWhole + 8.0f) * unit, &best);
  }
  constexpr F8 kNear = {1.0f, 0.98f, 1.02f, 0.96f, 1.04f, 0.99f, 1.01f, 0.94f};
  for (int pass = 0; pass < (wide ? 2 : 1) && best.scale != 0.0f; ++pass) {
    TryInverseScales(levels, x, w, n, kNear / best.scale, &best);
  }
  return best;
}

// What rounding a scale to f16 costs at most, as a part of the squared weights. An error below it
// means that the weights would fit exactly, were it not for that rounding.
inline constexpr float kHalfRounding = 0x1p-22f;

// Moves `half` by `steps` halves in magnitude; stays finite, keeps the sign.
inline uint16_t StepMagnitude(uint16_t half, int steps) {
  const int moved = (half & 0x7fff) + steps;
  return static_cast<uint16_t>((half & 0x8000) |
                               (moved < 0 ? 0 : (moved > 0x7bff ? 0x7bff : moved)));
}

// The f16 scale with the least error near `scale`: the neighbours matter where halves are coarse
// (subnormal), and quite other scales where the weights fit exactly (constant weights can be one
// level or another times a scale that rounds better).
template <typename Levels>
ROCFORGE_LANES uint16_t BestHalfScale(const Levels& levels, const float* x, const float* w, int n,
                                      float scale) {
  uint16_t halves[kLanes];
  F8 scales{};
  for (int lane = 0; lane < kLanes; ++lane) {
    const int steps = (lane + 1) / 2 * (lane % 2 == 0 ? 1 : -1);  // 0, -1, 1, -2, 2, ...
    halves[lane] = StepMagnitude(FloatToHalf(scale), steps);
    scales[lane] = HalfToFloat(halves[lane]);
  }
  const F8 errors = ScaleErrors(levels, x, w, n, scales);
  const int near = SmallestLane(errors);
  float squares = 0.0f;
  for (int i = 0; i < n; ++i) squares += w[i] * x[i] * x[i];
  if (errors[near] > squares * kHalfRounding) return halves[near];
  const uint16_t nearest = halves[near];
  const float extreme = Extreme(x, n);
  for (int lane = 0; lane < kLanes; ++lane) {
    halves[lane] = FloatToHalf(extreme / static_cast<float>(lane + 1));
    scales[lane] = HalfToFloat(halves[lane]);
  }
  const F8 other_errors = ScaleErrors(levels, x, w, n, scales);
  const int other = SmallestLane(other_errors);
  return other_errors[other] < errors[near] ? halves[other] : nearest;
}

}  // namespace rocforge::quant::search
