#include <algorithm>
#include <cmath>

#include "kernels/cpu/ref/ref.h"

namespace rocforge::cpu::ref {
namespace {

// The smallest normal half, as ggml has it: keeps a sum of vanishing weights from dividing by zero.
constexpr double kSmallestWeightSum = 0x1p-14;

void SoftmaxInPlace(double* values, int32_t n) {
  const double maximum = *std::max_element(values, values + n);
  double sum = 0;
  for (int32_t i = 0; i < n; ++i) sum += values[i] = std::exp(values[i] - maximum);
  for (int32_t i = 0; i < n; ++i) values[i] /= sum;
}

bool Contains(const int32_t* ids, int32_t n, int32_t id) {
  return std::find(ids, ids + n, id) != ids + n;
}

// The n_used indices of the largest values + bias, best first, the lowest index first among equals.
void SelectBest(const double* values, const float* bias, const op::MoeRoute& params, int32_t* ids) {
  for (int32_t e = 0; e < params.n_used; ++e) {
    int32_t best = -1;
    double best_value = 0;
    for (int32_t i = 0; i < params.n_experts; ++i) {
      const double value = values[i] + (bias != nullptr ? bias[i] : 0.0f);
      if (Contains(ids, e, i) || (best >= 0 && !(value > best_value))) continue;
      best = i;
      best_value = value;
    }
    ids[e] = best;
  }
}

void RouteToken(const op::MoeRoute& params, const float* logits, const float* bias, double* values,
                int32_t* ids, float* weights) {
  for (int32_t i = 0; i < params.n_experts; ++i) {
    values[i] = params.gating == op::MoeGating::kSigmoid
                    ? 1.0 / (1.0 + std::exp(-double{logits[i]}))
                    : logits[i];
  }
  if (params.gating == op::MoeGating::kSoftmax) SoftmaxInPlace(values, params.n_experts);
  SelectBest(values, bias, params, ids);

  double sum = 0;
  if (params.gating == op::MoeGating::kSoftmaxOfSelected) {
    double maximum = values[ids[0]];
    for (int32_t e = 1; e < params.n_used; ++e) maximum = std::max(maximum, values[ids[e]]);
    for (int32_t e = 0; e < params.n_used; ++e) {
      sum += values[ids[e]] = std::exp(values[ids[e]] - maximum);
    }
  } else {
    for (int32_t e = 0; e < params.n_used; ++e) sum += values[ids[e]];
    sum = params.normalise ? std::max(sum, kSmallestWeightSum) : 1.0;
  }
  for (int32_t e = 0; e < params.n_used; ++e) {
    weights[e] = static_cast<float>(values[ids[e]] / sum * params.scale);
  }
}

}  // namespace

void MoeRoute(const op::Call& call, const Context& context) {
  const auto& params = std::get<op::MoeRoute>(*call.params);
  const op::Operand& logits = call.in[0];
  const float* bias = params.has_selection_bias ? call.in[1].f32() : nullptr;
  for (int64_t t = 0; t < logits.desc.rows; ++t) {
    RouteToken(params, logits.f32() + t * params.n_experts, bias,
               reinterpret_cast<double*>(context.scratch),
               call.out[0].i32_out() + t * params.n_used,
               call.out[1].f32_out() + t * params.n_used);
  }
}

void MoeCombine(const op::Call& call, const Context&) {
  const int32_t n_used = std::get<op::MoeCombine>(*call.params).n_used;
  const float* y = call.in[0].f32();
  const float* weights = call.in[1].f32();
  const op::TensorDesc& desc = call.out[0].desc;
  for (int64_t t = 0; t < desc.rows; ++t) {
    for (int64_t c = 0; c < desc.cols; ++c) {
      double sum = 0;
      for (int32_t e = 0; e < n_used; ++e) {
        sum += double{weights[t * n_used + e]} * y[(t * n_used + e) * desc.cols + c];
      }
      call.out[0].f32_out()[t * desc.cols + c] = static_cast<float>(sum);
    }
  }
}

}  // namespace rocforge::cpu::ref
