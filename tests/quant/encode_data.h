// Deterministic weights on which encoders are compared with ggml's. Only integer operations and
// exactly rounded float operations, so that every machine and any other program (which only needs
// this header) makes the same bits.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace rocforge::quant::testing {

inline constexpr int kRowElements = 512;
inline constexpr int kRows = 48;

// splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t Next() {
    state_ += 0x9e3779b97f4a7c15ull;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }
  // In [0, 1).
  double Uniform() { return static_cast<double>(Next() >> 11) * 0x1p-53; }
  // Nearly normal, variance 1: the sum of 12 uniforms (no library function, hence the same bits
  // everywhere).
  double Normal() {
    double sum = -6.0;
    for (int i = 0; i < 12; ++i) sum += Uniform();
    return sum;
  }

 private:
  uint64_t state_;
};

inline constexpr std::array kDataSets = {"normal",   "heavy", "uniform", "outliers",  "tiny",
                                         "constant", "shift", "sparse",  "few_levels"};

inline double Sample(const std::string& set, int row, Random& random) {
  const double g = random.Normal();
  const double u = random.Uniform();
  if (set == "normal") return 0.02 * g;
  if (set == "heavy") return 0.02 * g * g * g;
  if (set == "uniform") return 2.0 * u - 1.0;
  if (set == "outliers") return (u < 1.0 / 128 ? 0.5 : 0.02) * g;
  if (set == "tiny") return 1e-6 * g;
  if (set == "constant") return 0.03 * (row - kRows / 2);
  if (set == "shift") return 0.5 + 0.1 * g;
  if (set == "sparse") return u < 0.9 ? 0.0 : 0.1 * g;
  return 0.01 * static_cast<int>(3 * g);  // few_levels
}

// kRows rows of kRowElements weights. Row 0 of every set is zero.
inline std::vector<float> MakeWeights(const std::string& set) {
  Random random(0x526f63666f726765ull);
  std::vector<float> weights(static_cast<size_t>(kRows) * kRowElements);
  for (int r = 0; r < kRows; ++r) {
    for (int i = 0; i < kRowElements; ++i) {
      const double w = Sample(set, r, random);
      weights[static_cast<size_t>(r) * kRowElements + static_cast<size_t>(i)] =
          r == 0 ? 0.0f : static_cast<float>(w);
    }
  }
  return weights;
}

// One row of importance weights, as an importance matrix has: positive and uneven.
inline std::vector<float> MakeImportance() {
  Random random(42);
  std::vector<float> importance(kRowElements);
  for (float& v : importance) {
    const double g = random.Normal();
    v = static_cast<float>(g * g + 0.01);
  }
  return importance;
}

// sqrt(sum w (a - b)^2 / sum w) over rows of `row_elements`; `importance` is one row, or empty for
// w = 1.
inline double RootMeanSquareError(const std::vector<float>& a, const std::vector<float>& b,
                                  const std::vector<float>& importance, size_t row_elements) {
  double error = 0.0;
  double weight = 0.0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double w = importance.empty() ? 1.0 : static_cast<double>(importance[i % row_elements]);
    const double difference = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    error += w * difference * difference;
    weight += w;
  }
  return std::sqrt(error / weight);
}

}  // namespace rocforge::quant::testing
