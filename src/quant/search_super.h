// Two-level scales (internal to quant/): a super-block of 256 weights has an f16 scale, and its
// groups have integer multiples of it.
#pragma once

#include <algorithm>
#include <cstdlib>

#include "quant/search.h"
#include "quant/search_affine.h"

namespace rocforge::quant::search {

inline constexpr int kSuper = 256;

// The half nearest to `value`, but not zero unless value is.
inline uint16_t NonZeroHalf(float value) {
  const uint16_t half = FloatToHalf(std::min(std::max(value, -65504.0f), 65504.0f));
  return (half & 0x7fff) == 0 && value != 0.0f ? static_cast<uint16_t>(half | 1) : half;
}

// How many other scales are tried for weights that fit exactly but for rounding.
inline constexpr int kOtherScales = 12;

ROCFORGE_LANES bool FitsExactly(float error, const float* x, const float* w) {
  F8 squares{};
  for (int i = 0; i < kSuper; i += kLanes) squares += Load(w + i) * Load(x + i) * Load(x + i);
  return error <= Sum(squares) * kHalfRounding;
}

// ---- w = (d * multiple) * level ----

template <int kGroups>
struct SuperScales {
  uint16_t d = 0;
  int multiple[kGroups] = {};
  float error = 0.0f;
};

// The multiples of d that serve the groups best, found near the scales that the groups want.
template <int kGroups, typename Levels>
ROCFORGE_LANES SuperScales<kGroups> ChooseMultiples(const Levels& levels,
                                                    const IntegerLevels& multiples, const float* x,
                                                    const float* w, const float* wanted,
                                                    uint16_t d) {
  constexpr int kGroup = kSuper / kGroups;
  constexpr F8 kOffsets = {0.0f, -1.0f, 1.0f, -2.0f, 2.0f, -3.0f, 3.0f, 4.0f};
  const float scale = HalfToFloat(d);
  const float inverse = scale != 0.0f ? 1.0f / scale : 0.0f;
  SuperScales<kGroups> result{d, {}, 0.0f};
  for (int g = 0; g < kGroups; ++g) {
    const F8 candidates = multiples.Nearest(wanted[g] * inverse + kOffsets);
    const F8 errors =
        ScaleErrors(levels, x + g * kGroup, w + g * kGroup, kGroup, scale * candidates);
    const int best = SmallestLane(errors);
    result.multiple[g] = static_cast<int>(candidates[best]);
    result.error += errors[best];
  }
  return result;
}

// The d that fits best once levels and multiples stand.
template <int kGroups, typename Levels>
ROCFORGE_LANES float RefitScale(const Levels& levels, const float* x, const float* w,
                                const SuperScales<kGroups>& fit) {
  constexpr int kGroup = kSuper / kGroups;
  const float d = HalfToFloat(fit.d);
  F8 sum_xq{};
  F8 sum_qq{};
  for (int g = 0; g < kGroups; ++g) {
    const auto multiple = static_cast<float>(fit.multiple[g]);
    const float scale = d * multiple;
    const float inverse = scale != 0.0f ? 1.0f / scale : 0.0f;
    for (int i = g * kGroup; i < (g + 1) * kGroup; i += kLanes) {
      const F8 xi = Load(x + i);
      const F8 q = multiple * levels.Nearest(xi * inverse);
      const F8 wq = Load(w + i) * q;
      sum_xq += xi * wq;
      sum_qq += q * wq;
    }
  }
  const float squares = Sum(sum_qq);
  return squares > 0.0f ? Sum(sum_xq) / squares : 0.0f;
}

// Scales of a whole super-block: each group's own best scale, the common d that serves those, then
// d and multiples in turn while that helps.
template <int kGroups, typename Levels>
ROCFORGE_LANES SuperScales<kGroups> FitSuperScales(const Levels& levels,
                                                   const IntegerLevels& multiples, const float* x,
                                                   const float* w, bool weighted) {
  constexpr int kGroup = kSuper / kGroups;
  float wanted[kGroups];
  float curvature[kGroups];  // weight of the squared error of the group's scale
  for (int g = 0; g < kGroups; ++g) {
    const ScaleFit fit = FitScale(levels, x + g * kGroup, w + g * kGroup, kGroup, weighted);
    wanted[g] = fit.scale;
    curvature[g] = fit.scale != 0.0f ? fit.gain / (fit.scale * fit.scale) : 0.0f;
  }
  const float start = FitScale(multiples, wanted, curvature, kGroups, false).scale;
  auto best = ChooseMultiples<kGroups>(levels, multiples, x, w, wanted, NonZeroHalf(start));
  for (int pass = 0; pass < 2; ++pass) {
    const uint16_t d = NonZeroHalf(RefitScale(levels, x, w, best));
    if (d == best.d) break;
    const auto next = ChooseMultiples<kGroups>(levels, multiples, x, w, wanted, d);
    if (!(next.error < best.error)) break;
    best = next;
  }
  // An exact fit but for the rounding of d (constant weights): another d may round better.
  int largest = 0;
  for (const int multiple : best.multiple) largest = std::max(largest, std::abs(multiple));
  for (int k = 1; k < std::min(largest, kOtherScales) && FitsExactly(best.error, x, w); ++k) {
    const float share = static_cast<float>(largest) / static_cast<float>(largest - k);
    const auto next =
        ChooseMultiples<kGroups>(levels, multiples, x, w, wanted, NonZeroHalf(start * share));
    if (next.error < best.error) best = next;
  }
  return best;
}

// ---- w = (d * scale) * q - (dmin * min) ----

template <int kGroups>
struct SuperAffine {
  uint16_t d = 0;
  uint16_t dmin = 0;
  uint8_t scale[kGroups] = {};
  uint8_t min[kGroups] = {};
  float error = -1.0f;  // negative: none found yet
};

// Multiples of d and dmin for one group, and the error they leave.
struct Pair {
  float scale = 0.0f;
  float min = 0.0f;
  float error = -1.0f;  // negative: none tried yet
};

// One group's weights, and d and dmin as numbers.
struct PairSearch {
  const float* x;
  const float* w;
  int n;
  float max_level;
  float d;
  float dmin;

  ROCFORGE_LANES void Try(const F8& scales, const F8& mins, Pair* best) const {
    const F8 errors = AffineErrors(x, w, n, max_level, d * scales, -(dmin * mins));
    const int lane = SmallestLane(errors);
    if (best->error >= 0.0f && !(errors[lane] < best->error)) return;
    *best = {scales[lane], mins[lane], errors[lane]};
  }
};

// The multiples of d and dmin that serve the groups best, found near what the groups want. A group
// much smaller than its neighbours has few multiples near that; `thorough` tries all for it.
template <int kGroups>
ROCFORGE_LANES SuperAffine<kGroups> ChoosePairs(float max_level, float max_multiple, const float* x,
                                                const float* w, const AffineFit* wanted, uint16_t d,
                                                uint16_t dmin, bool thorough) {
  constexpr int kGroup = kSuper / kGroups;
  // Larger scales go with larger minima, so those pairs come first.
  constexpr F8 kScaleOffsets[] = {{0.0f, 0.0f, 0.0f, 1.0f, 1.0f, -1.0f, -1.0f, 1.0f},
                                  {-1.0f, 1.0f, -1.0f, 0.0f, 0.0f, 2.0f, 2.0f, -2.0f}};
  constexpr F8 kMinOffsets[] = {{0.0f, 1.0f, -1.0f, 0.0f, 1.0f, 0.0f, -1.0f, 2.0f},
                                {-2.0f, -1.0f, 1.0f, 2.0f, -2.0f, 1.0f, 2.0f, -2.0f}};
  constexpr F8 kCount = {0.0f, 1.0f, 2.0f, 3.0f, 4.0f, 5.0f, 6.0f, 7.0f};
  const IntegerLevels multiples{0.0f, max_multiple};
  const bool coarse = max_multiple < 32.0f;  // 4-bit multiples
  SuperAffine<kGroups> result{d, dmin, {}, {}, 0.0f};
  for (int g = 0; g < kGroups; ++g) {
    const PairSearch search{x + g * kGroup, w + g * kGroup, kGroup,
                            max_level,      HalfToFloat(d), HalfToFloat(dmin)};
    const float scale = search.d != 0.0f ? Round(wanted[g].scale / search.d) : 0.0f;
    const float min = search.dmin != 0.0f ? Round(-wanted[g].min / search.dmin) : 0.0f;
    Pair best;
    for (int pass = 0; pass < (coarse ? 2 : 1); ++pass) {
      search.Try(multiples.Nearest(scale + kScaleOffsets[pass]),
                 multiples.Nearest(min + kMinOffsets[pass]), &best);
    }
    if (coarse && thorough && best.error > 1.25f * wanted[g].error) {
      for (int row = 0; row < 16; ++row) {
        search.Try(kCount, Splat(static_cast<float>(row)), &best);
        search.Try(kCount + 8.0f, Splat(static_cast<float>(row)), &best);
      }
    }
    result.scale[g] = static_cast<uint8_t>(best.scale);
    result.min[g] = static_cast<uint8_t>(best.min);
    result.error += best.error;
  }
  return result;
}

// The d and dmin that fit best once levels and multiples stand: two linear equations.
template <int kGroups>
ROCFORGE_LANES void RefitPair(float max_level, const float* x, const float* w,
                              const SuperAffine<kGroups>& fit, float* d, float* dmin) {
  constexpr int kGroup = kSuper / kGroups;
  const IntegerLevels levels{0.0f, max_level};
  F8 lanes_aa{}, lanes_ab{}, lanes_bb{}, lanes_xa{}, lanes_xb{};
  for (int g = 0; g < kGroups; ++g) {
    const float scale = HalfToFloat(fit.d) * static_cast<float>(fit.scale[g]);
    const float min = -(HalfToFloat(fit.dmin) * static_cast<float>(fit.min[g]));
    const float inverse = scale != 0.0f ? 1.0f / scale : 0.0f;
    const auto b = static_cast<float>(fit.min[g]);
    for (int i = g * kGroup; i < (g + 1) * kGroup; i += kLanes) {
      const F8 xi = Load(x + i);
      const F8 wi = Load(w + i);
      const F8 a = static_cast<float>(fit.scale[g]) * levels.Nearest((xi - min) * inverse);
      lanes_aa += wi * a * a;
      lanes_ab += wi * a * b;
      lanes_bb += wi * (b * b);
      lanes_xa += wi * xi * a;
      lanes_xb += wi * xi * b;
    }
  }
  // Minimises sum w (x - d a + dmin b)^2. The determinant is a difference of like numbers, so it is
  // taken in doubles.
  const double aa = static_cast<double>(Sum(lanes_aa));
  const double ab = static_cast<double>(Sum(lanes_ab));
  const double bb = static_cast<double>(Sum(lanes_bb));
  const double xa = static_cast<double>(Sum(lanes_xa));
  const double xb = static_cast<double>(Sum(lanes_xb));
  const double determinant = aa * bb - ab * ab;
  if (determinant > 1e-5 * aa * bb) {
    *d = static_cast<float>((xa * bb - xb * ab) / determinant);
    *dmin = static_cast<float>((xa * ab - xb * aa) / determinant);
  } else if (aa > 0.0) {
    *d = static_cast<float>((xa + static_cast<double>(*dmin) * ab) / aa);
  }
}

// Replaces *best by the fit with d and dmin if that is better; says whether.
template <int kGroups>
ROCFORGE_LANES bool ImprovePairs(float max_level, float max_multiple, const float* x,
                                 const float* w, const AffineFit* wanted, float d, float dmin,
                                 bool thorough, SuperAffine<kGroups>* best) {
  const auto next = ChoosePairs<kGroups>(max_level, max_multiple, x, w, wanted, NonZeroHalf(d),
                                         NonZeroHalf(dmin), thorough);
  if (best->error >= 0.0f && !(next.error < best->error)) return false;
  *best = next;
  return true;
}

// As FitSuperScales, with minima.
template <int kGroups>
ROCFORGE_LANES SuperAffine<kGroups> FitSuperAffine(float max_level, float max_multiple,
                                                   const float* x, const float* w, bool weighted) {
  constexpr int kGroup = kSuper / kGroups;
  const IntegerLevels multiples{0.0f, max_multiple};
  AffineFit wanted[kGroups];
  float scales[kGroups];
  float mins[kGroups];
  float ones[kGroups];
  for (int g = 0; g < kGroups; ++g) {
    wanted[g] = FitAffine<true>(x + g * kGroup, w + g * kGroup, kGroup, max_level, weighted);
    scales[g] = wanted[g].scale;
    mins[g] = -wanted[g].min;
    ones[g] = 1.0f;
  }
  const float d = *std::max_element(scales, scales + kGroups) / max_multiple;
  const float dmin = *std::max_element(mins, mins + kGroups) / max_multiple;
  const auto improve = [&](float try_d, float try_dmin, bool thorough, auto* best)
                           __attribute__((always_inline)) {
                             return ImprovePairs<kGroups>(max_level, max_multiple, x, w, wanted,
                                                          try_d, try_dmin, thorough, best);
                           };
  SuperAffine<kGroups> best;
  improve(d, dmin, false, &best);
  improve(FitScale(multiples, scales, ones, kGroups, false).scale,
          FitScale(multiples, mins, ones, kGroups, false).scale, false, &best);
  const bool thorough = !FitsExactly(best.error, x, w);
  for (int pass = 0; pass < 2; ++pass) {
    float refit_d = HalfToFloat(best.d);
    float refit_dmin = HalfToFloat(best.dmin);
    RefitPair<kGroups>(max_level, x, w, best, &refit_d, &refit_dmin);
    if (!improve(refit_d, refit_dmin, thorough, &best)) break;
  }
  for (int k = 1; k < kOtherScales && FitsExactly(best.error, x, w); ++k) {
    const float share = max_multiple / (max_multiple - static_cast<float>(k));
    improve(d * share, dmin * share, false, &best);
  }
  return best;
}

}  // namespace rocforge::quant::search
