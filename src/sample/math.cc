#include "sample/math.h"

#include <algorithm>

namespace rocforge::sample {

// Both reductions keep eight independent results: a single one would be a chain of dependent
// instructions.

float MaxOf(std::span<const float> values) {
  float lane[8];
  std::fill(std::begin(lane), std::end(lane), kMinusInf);
  size_t i = 0;
  for (; i + 8 <= values.size(); i += 8) {
    for (size_t j = 0; j < 8; ++j) lane[j] = values[i + j] > lane[j] ? values[i + j] : lane[j];
  }
  for (; i < values.size(); ++i) lane[0] = values[i] > lane[0] ? values[i] : lane[0];
  return *std::max_element(std::begin(lane), std::end(lane));
}

double SumOf(std::span<const float> values) {
  double lane[8] = {};
  size_t i = 0;
  for (; i + 8 <= values.size(); i += 8) {
    for (size_t j = 0; j < 8; ++j) lane[j] += values[i + j];
  }
  for (; i < values.size(); ++i) lane[0] += values[i];
  return ((lane[0] + lane[1]) + (lane[2] + lane[3])) + ((lane[4] + lane[5]) + (lane[6] + lane[7]));
}

void ExpShifted(std::span<const float> values, float max, float* out) {
  for (size_t i = 0; i < values.size(); ++i) out[i] = ExpNegative(values[i] - max);
}

}  // namespace rocforge::sample
