// The gated activations of op.h (Glu), one element at a time.
#pragma once

#include "kernels/gpu/port/port.h"

namespace rocforge::port {

inline constexpr float kLog2E = 1.44269504088896340736f;

RF_DEVICE float Sigmoid(float x) { return 1.0f / (1.0f + FastExp2(-x * kLog2E)); }

// 1 - 2 / (e^2x + 1), which keeps its sign and saturates; near 0 the series x - x^3/3 keeps the
// relative error small.
RF_DEVICE float Tanh(float x) {
  const float squared = x * x;
  if (squared < 0.0025f) return x * (1.0f - squared * (1.0f / 3.0f - squared * (2.0f / 15.0f)));
  return 1.0f - 2.0f / (FastExp2(2.0f * kLog2E * x) + 1.0f);
}

// Abramowitz & Stegun 7.1.26 with the error of its polynomial, 1.5e-7.
RF_DEVICE float Erf(float x) {
  const float z = x < 0.0f ? -x : x;
  const float t = 1.0f / (1.0f + 0.3275911f * z);
  const float poly =
      t * (0.254829592f +
           t * (-0.284496736f + t * (1.421413741f + t * (-1.453152027f + t * 1.061405429f))));
  const float magnitude = 1.0f - poly * FastExp2(-z * z * kLog2E);
  return x < 0.0f ? -magnitude : magnitude;
}

// `kind` is an op::GluKind: 1 silu, 2 gelu_tanh, 3 gelu_erf, 4 swiglu_oai (launchers check that the
// numbers agree).
RF_DEVICE float GatedActivation(uint32_t kind, float gate, float up, float alpha, float limit) {
  switch (kind) {
    case 1:
      return gate * Sigmoid(gate) * up;
    case 2:
      return 0.5f * gate *
             (1.0f + Tanh(0.79788456080286535588f * gate * (1.0f + 0.044715f * gate * gate))) * up;
    case 3:
      return 0.5f * gate * (1.0f + Erf(gate * 0.70710678118654752440f)) * up;
    default: {
      const float g = gate < limit ? gate : limit;
      const float u = up < -limit ? -limit : up > limit ? limit : up;
      return g * Sigmoid(alpha * g) * (u + 1.0f);
    }
  }
}

}  // namespace rocforge::port
