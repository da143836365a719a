#include <cmath>

#include "kernels/cpu/ref/ref.h"

namespace rocforge::cpu::ref {
namespace {

// One group of n columns.
void NormGroup(const op::Norm& params, const float* x, const float* weight, const float* bias,
               float* out, int64_t n) {
  double mean = 0;
  if (params.kind == op::NormKind::kLayer) {
    for (int64_t i = 0; i < n; ++i) mean += x[i];
    mean /= static_cast<double>(n);
  }
  double square = 0;
  for (int64_t i = 0; i < n; ++i) square += (x[i] - mean) * (x[i] - mean);
  const double inverse = 1.0 / std::sqrt(square / static_cast<double>(n) + params.eps);
  for (int64_t i = 0; i < n; ++i) {
    double y = (x[i] - mean) * inverse;
    if (weight != nullptr) y *= weight[i];
    if (bias != nullptr) y += bias[i];
    out[i] = static_cast<float>(y);
  }
}

}  // namespace

void Norm(const op::Call& call, const Context&) {
  const auto& params = std::get<op::Norm>(*call.params);
  size_t next = 0;
  const op::Operand& x = call.in[next++];
  const float* weight = params.has_weight ? call.in[next++].f32() : nullptr;
  const float* bias = params.has_bias ? call.in[next++].f32() : nullptr;
  const int64_t group = params.group == 0 ? x.desc.cols : params.group;
  for (int64_t begin = 0; begin < x.desc.rows * x.desc.cols; begin += group) {
    NormGroup(params, x.f32() + begin, weight, bias, call.out[0].f32_out() + begin, group);
  }
}

}  // namespace rocforge::cpu::ref
