// Elementary functions of vectors. Include after a vec.h. Errors are against the exact value, as
// measured by tests/kernels/cpu/activation_test.cc over all magnitudes; NaN gives NaN.
#pragma once

namespace rocforge::cpu {
namespace {

// e^x within 2 units in the last place; 0 below about -103.9, infinity above about 88.7. Cody and
// Waite's reduction (1980) and the polynomial of Moshier's Cephes (expf).
ROCFORGE_INLINE V Exp(V x) {
  // The second operand is what Min and Max return for NaN.
  x = Max(Set1(-104.0f), Min(Set1(89.0f), x));
  const V n = Round(Mul(x, Set1(1.44269504f)));
  V r = NegFma(n, Set1(0.693359375f), x);  // exact: 9 bits of ln 2, n below 2^8
  r = NegFma(n, Set1(-2.12194440e-4f), r);
  V p = Set1(1.9875691500e-4f);
  p = Fma(p, r, Set1(1.3981999507e-3f));
  p = Fma(p, r, Set1(8.3334519073e-3f));
  p = Fma(p, r, Set1(4.1665795894e-2f));
  p = Fma(p, r, Set1(1.6666665459e-1f));
  p = Fma(p, r, Set1(5.0000001201e-1f));
  return Ldexp(Add(Fma(p, Mul(r, r), r), Set1(1.0f)), n);
}

// tanh x within 3 units in the last place. Below 0.625 the polynomial of Cephes (tanhf).
ROCFORGE_INLINE V Tanh(V x) {
  const V a = Abs(x);
  const V big = Sub(Set1(1.0f), Div(Set1(2.0f), Add(Exp(Add(a, a)), Set1(1.0f))));
  const V x2 = Mul(x, x);
  V p = Set1(-5.70498872745e-3f);
  p = Fma(p, x2, Set1(2.06390887954e-2f));
  p = Fma(p, x2, Set1(-5.37397155531e-2f));
  p = Fma(p, x2, Set1(1.33314422036e-1f));
  p = Fma(p, x2, Set1(-3.33332819422e-1f));
  const V small = Fma(Mul(p, x2), x, x);
  const V signed_big = SelectLess(x, Zero(), Sub(Zero(), big), big);
  return SelectLess(a, Set1(0.625f), small, signed_big);
}

// x / (1 + e^(-a)) = x * sigmoid(a)
ROCFORGE_INLINE V TimesSigmoid(V x, V a) { return Div(x, Add(Set1(1.0f), Exp(Sub(Zero(), a)))); }

// 0.5 x (1 + tanh u) = x sigmoid(2 u), which does not cancel for negative x.
ROCFORGE_INLINE V GeluTanh(V x) {
  constexpr float kTwoRootTwoOverPi = 1.59576912f;
  const V cubic = Fma(Mul(Mul(x, x), x), Set1(0.044715f), x);
  return TimesSigmoid(x, Mul(cubic, Set1(kTwoRootTwoOverPi)));
}

// 0.5 x erfc(-x / sqrt 2), with the rational Chebyshev fit of erfc in Numerical Recipes (erfcc,
// fractional error below 1.2e-7).
ROCFORGE_INLINE V GeluErf(V x) {
  const V z = Mul(Abs(x), Set1(0.707106781f));
  const V t = Div(Set1(1.0f), Fma(z, Set1(0.5f), Set1(1.0f)));
  V p = Set1(0.17087277f);
  p = Fma(p, t, Set1(-0.82215223f));
  p = Fma(p, t, Set1(1.48851587f));
  p = Fma(p, t, Set1(-1.13520398f));
  p = Fma(p, t, Set1(0.27886807f));
  p = Fma(p, t, Set1(-0.18628806f));
  p = Fma(p, t, Set1(0.09678418f));
  p = Fma(p, t, Set1(0.37409196f));
  p = Fma(p, t, Set1(1.00002368f));
  p = Fma(p, t, Set1(-1.26551223f));
  const V tail = Mul(t, Exp(NegFma(z, z, p)));  // erfc(z), z >= 0
  const V erfc = SelectLess(x, Zero(), tail, Sub(Set1(2.0f), tail));
  return Mul(Mul(x, Set1(0.5f)), erfc);
}

}  // namespace
}  // namespace rocforge::cpu
