#include <cmath>

#include "kernels/cpu/ref/ref.h"

namespace rocforge::cpu::ref {

void Add(const op::Call& call, const Context&) {
  const double scale_b = std::get<op::Add>(*call.params).scale_b;
  const op::Operand& a = call.in[0];
  const float* b = call.in[1].f32();
  for (int64_t i = 0; i < a.desc.rows * a.desc.cols; ++i) {
    call.out[0].f32_out()[i] = static_cast<float>(a.f32()[i] + scale_b * b[i]);
  }
}

void Scale(const op::Call& call, const Context&) {
  const double scale = std::get<op::Scale>(*call.params).scale;
  const op::Operand& x = call.in[0];
  for (int64_t i = 0; i < x.desc.rows * x.desc.cols; ++i) {
    call.out[0].f32_out()[i] = static_cast<float>(scale * x.f32()[i]);
  }
}

void SoftCap(const op::Call& call, const Context&) {
  const double cap = std::get<op::SoftCap>(*call.params).cap;
  const op::Operand& x = call.in[0];
  for (int64_t i = 0; i < x.desc.rows * x.desc.cols; ++i) {
    call.out[0].f32_out()[i] = static_cast<float>(cap * std::tanh(x.f32()[i] / cap));
  }
}

}  // namespace rocforge::cpu::ref
