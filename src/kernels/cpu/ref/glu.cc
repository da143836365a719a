#include <algorithm>
#include <cmath>
#include <numbers>

#include "kernels/cpu/ref/ref.h"

namespace rocforge::cpu::ref {
namespace {

double Sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }

double GeluTanh(double x) {
  const double inner = std::sqrt(2.0 / std::numbers::pi) * (x + 0.044715 * x * x * x);
  return 0.5 * x * (1.0 + std::tanh(inner));
}

double GeluErf(double x) { return 0.5 * x * std::erfc(-x / std::numbers::sqrt2); }

}  // namespace

double Activate(const op::Glu& glu, double gate, double up) {
  switch (glu.kind) {
    case op::GluKind::kNone:
      break;
    case op::GluKind::kSilu:
      return gate * Sigmoid(gate) * up;
    case op::GluKind::kGeluTanh:
      return GeluTanh(gate) * up;
    case op::GluKind::kGeluErf:
      return GeluErf(gate) * up;
    case op::GluKind::kSwigluOai: {
      const double limit = glu.limit;
      const double g = std::min(gate, limit);
      const double u = std::clamp(up, -limit, limit);
      return g * Sigmoid(glu.alpha * g) * (u + 1.0);
    }
  }
  return 0.0;
}

void Glu(const op::Call& call, const Context&) {
  const auto& params = std::get<op::Glu>(*call.params);
  const op::Operand& gate = call.in[0];
  const op::Operand& up = call.in[1];
  float* out = call.out[0].f32_out();
  for (int64_t i = 0; i < gate.desc.rows * gate.desc.cols; ++i) {
    out[i] = static_cast<float>(Activate(params, gate.f32()[i], up.f32()[i]));
  }
}

}  // namespace rocforge::cpu::ref
