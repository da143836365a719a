// Norms, activations, additions: against the reference, in place, and the accuracy of the
// elementary functions over all magnitudes.
#include <cmath>

#include "base/format.h"
#include "kernels/cpu/simd/tables.h"
#include "tests/kernels/cpu/harness.h"

namespace rocforge::cpu {
namespace {

std::vector<Tensor> Normals(Random& random, int n, int64_t rows, int64_t cols) {
  std::vector<Tensor> tensors;
  for (int i = 0; i < n; ++i) tensors.push_back(RandomF32(random, rows, cols, 3.0f));
  return tensors;
}

// Runs the case on every instruction set, out of place and in place of each input listed.
template <typename F>
void CheckCase(OpCase c, const std::vector<int>& in_places, F&& tolerance,
               const std::string& what) {
  const Tensor expected = RunCase(c, Isa::kReference, 1)[0];
  for (Isa isa : FastIsas()) {
    c.in_place = -1;
    const Tensor one = RunCase(c, isa, 1)[0];
    ExpectNear(
        one, expected, [&](int64_t i) { return tolerance(i, expected); },
        Format("{} {}", IsaName(isa), what));
    for (int in_place : in_places) {
      c.in_place = in_place;
      for (int threads : {1, 3}) {
        ExpectSameBits(RunCase(c, isa, threads)[0], one,
                       Format("{} {} in place of {}", IsaName(isa), what, in_place));
      }
    }
  }
}

// Sizes around the vectors, and one above the size at which the team is called.
std::vector<std::pair<int64_t, int64_t>> Sizes(Random& random) {
  return {{1, 1},   {1, 3},  {3, 5},   {2, 16},
          {1, 17},  {5, 31}, {7, 100}, {random.Int(1, 20), random.Int(1, 200)},
          {70, 577}};
}

TEST(Elementwise, AddScaleAndSoftCap) {
  Random random;
  for (auto [rows, cols] : Sizes(random)) {
    const op::TensorDesc out{DType::kF32, 1, rows, cols};
    const std::vector<Tensor> in = Normals(random, 2, rows, cols);
    const auto add_tolerance = [&](int64_t i, const Tensor&) {
      return 2 * kU * (std::abs(in[0].at(i)) + 2 * std::abs(in[1].at(i)));
    };
    CheckCase({op::Add{}, in, {out}}, {0, 1}, add_tolerance, "add");
    CheckCase({op::Add{-1.7f}, in, {out}}, {0, 1}, add_tolerance, "scaled add");
    const auto ulps = [](double n) {
      return [n](int64_t i, const Tensor& e) { return 2 * n * kU * std::abs(e.at(i)) + 1e-40; };
    };
    CheckCase({op::Scale{0.3f}, {in[0]}, {out}}, {0}, ulps(1), "scale");
    CheckCase({op::SoftCap{2.5f}, {in[0]}, {out}}, {0}, ulps(5), "soft cap");
  }
}

TEST(Elementwise, Glu) {
  Random random;
  for (auto [rows, cols] : Sizes(random)) {
    std::vector<Tensor> in = Normals(random, 2, rows, cols);
    for (op::GluKind kind : {op::GluKind::kSilu, op::GluKind::kGeluTanh, op::GluKind::kGeluErf,
                             op::GluKind::kSwigluOai}) {
      // Relative to gate * up: the tails of gelu are small differences there, not here.
      CheckCase(
          {op::Glu{kind}, in, {{DType::kF32, 1, rows, cols}}}, {0, 1},
          [&](int64_t i, const Tensor& e) {
            return 16 * kU * std::abs(e.at(i)) +
                   8 * kU * std::abs(in[0].at(i)) * (std::abs(in[1].at(i)) + 1);
          },
          op::GluName(kind));
    }
  }
}

TEST(Elementwise, Norm) {
  Random random;
  for (op::NormKind kind : {op::NormKind::kRms, op::NormKind::kLayer}) {
    for (auto [rows, cols] : Sizes(random)) {
      for (int64_t groups : {1, 3}) {
        const int64_t group = cols;
        OpCase c;
        c.in.push_back(RandomF32(random, rows, group * groups, 2.0f));
        for (int64_t i = 0; i < c.in[0].elements(); ++i) c.in[0].buffer.f32()[i] += 0.5f;
        const bool affine = random.Int(0, 1) == 1;
        c.params = op::Norm{.kind = kind,
                            .eps = 1e-3f,
                            .group = groups == 1 ? 0 : group,
                            .has_weight = affine,
                            .has_bias = affine};
        if (affine) {
          c.in.push_back(RandomF32(random, 1, group));
          c.in.push_back(RandomF32(random, 1, group));
        }
        c.out.push_back(c.in[0].desc);
        // The sum has 4 accumulators of 4 lanes: n / 16 + 8 roundings. For the layer norm the
        // deviation inherits the mean's error, relative to the largest value (8 here) over the
        // deviation, which 1e-3 under the root keeps above 0.03.
        const double roundings = static_cast<double>(group) / 16 + 16;
        const double amplified = kind == op::NormKind::kRms ? 8 : 8 * 8 / 0.03;
        CheckCase(
            c, {0},
            [&](int64_t i, const Tensor& e) {
              return kU * roundings * (std::abs(e.at(i)) + 1) * amplified;
            },
            "norm");
      }
    }
  }
}

// --- Accuracy of the elementary functions, in units of the last place of the exact result.

const Primitives* PrimitivesOf(Isa isa) {
  static constexpr Primitives kGeneric{&kGenericMatMul, &kGenericAttention, &kGenericVector};
#if defined(__x86_64__)
  static constexpr Primitives kAvx2{&kAvx2MatMul, &kAvx2Attention, &kAvx2Vector};
  static constexpr Primitives kAvx512{&kAvx512MatMul, &kAvx512Attention, &kAvx512Vector};
  if (isa == Isa::kAvx2) return &kAvx2;
  if (isa == Isa::kAvx512) return &kAvx512;
#endif
  return isa == Isa::kGeneric ? &kGeneric : nullptr;
}

double UlpsOff(float actual, double exact) {
  const double ulp = std::ldexp(1.0, std::max(std::ilogb(exact), -126) - 23);
  return std::abs(actual - exact) / ulp;
}

constexpr int kGrid = 200000;

TEST(Accuracy, Exp) {
  for (Isa isa : FastIsas()) {
    double worst = 0;
    for (int i = 0; i < kGrid; ++i) {
      const float x = -90.0f * static_cast<float>(i) / kGrid;
      float s[2] = {0.0f, x};  // the maximum is 0, so s becomes {1, e^x}
      float maximum = 0;
      float sum = 0;
      PrimitivesOf(isa)->attention->softmax(s, 2, 1.0f, 0.0f, &maximum, &sum);
      ASSERT_EQ(s[0], 1.0f);
      worst = std::max(worst, UlpsOff(s[1], std::exp(double{x})));
    }
    std::printf("exp %s: %.2f ulp\n", IsaName(isa), worst);
    EXPECT_LE(worst, 2.0) << IsaName(isa);
  }
}

TEST(Accuracy, Tanh) {
  for (Isa isa : FastIsas()) {
    double worst = 0;
    for (int i = -kGrid; i <= kGrid; ++i) {
      const float x =
          std::copysign(std::pow(2.0f, -20.0f + 25.0f * static_cast<float>(std::abs(i)) / kGrid),
                        static_cast<float>(i));
      float y = 0;
      PrimitivesOf(isa)->vector->soft_cap(&x, 1.0f, &y, 1);
      worst = std::max(worst, UlpsOff(y, std::tanh(double{x})));
    }
    std::printf("tanh %s: %.2f ulp\n", IsaName(isa), worst);
    EXPECT_LE(worst, 3.0) << IsaName(isa);
  }
}

// Relative error for positive x; for negative x, where the functions decay like e^-x^2, the error
// relative to x.
TEST(Accuracy, Activations) {
  for (Isa isa : FastIsas()) {
    for (op::GluKind kind : {op::GluKind::kSilu, op::GluKind::kGeluTanh, op::GluKind::kGeluErf}) {
      double worst = 0;
      for (int i = -kGrid; i <= kGrid; ++i) {
        const float x =
            std::copysign(std::pow(2.0f, -20.0f + 26.0f * static_cast<float>(std::abs(i)) / kGrid),
                          static_cast<float>(i));
        const float one = 1.0f;
        float y = 0;
        PrimitivesOf(isa)->vector->glu[static_cast<int>(kind)](&x, &one, 0, 0, &y, 1);
        double exact = x / (1 + std::exp(-double{x}));
        if (kind == op::GluKind::kGeluErf) exact = 0.5 * x * std::erfc(-x / std::sqrt(2.0));
        if (kind == op::GluKind::kGeluTanh) {
          const double u = std::sqrt(2 / M_PI) * (x + 0.044715 * std::pow(double{x}, 3));
          exact = x / (1 + std::exp(-2 * u));
        }
        worst = std::max(worst, std::abs(y - exact) / (2 * kU * std::abs(x)));
      }
      std::printf("%s %s: %.2f ulp of x\n", op::GluName(kind), IsaName(isa), worst);
      EXPECT_LE(worst, kind == op::GluKind::kGeluErf ? 4.0 : 3.0) << IsaName(isa);
    }
  }
}

TEST(Accuracy, NotANumberPropagates) {
  for (Isa isa : FastIsas()) {
    const float x = std::nanf("");
    const float one = 1.0f;
    for (int kind = 1; kind < kGluKinds; ++kind) {
      float y = 0;
      PrimitivesOf(isa)->vector->glu[kind](&x, &one, 1.0f, 7.0f, &y, 1);
      EXPECT_TRUE(std::isnan(y)) << IsaName(isa) << " " << kind;
    }
    float y = 0;
    PrimitivesOf(isa)->vector->soft_cap(&x, 1.0f, &y, 1);
    EXPECT_TRUE(std::isnan(y)) << IsaName(isa);
  }
}

}  // namespace
}  // namespace rocforge::cpu
