#include <algorithm>
#include <cmath>
#include <numbers>

#include "kernels/cpu/ref/ref.h"

namespace rocforge::cpu::ref {
namespace {

// The pair index (a real number) whose angle turns `turns` times within n_ctx_orig positions.
double PairOfTurns(const op::RopeTable& p, double turns) {
  const double wavelength = static_cast<double>(p.n_ctx_orig) / (turns * 2.0 * std::numbers::pi);
  return static_cast<double>(p.rope_dim) * std::log(wavelength) / (2.0 * std::log(p.freq_base));
}

struct Angle {
  double theta;
  double magnitude;
};

Angle AngleOf(const op::RopeTable& p, const float* factors, int32_t position, int64_t j) {
  const double rope_dim = static_cast<double>(p.rope_dim);
  const double factor = factors == nullptr ? 1.0 : factors[j];
  const double frequency = std::pow(double{p.freq_base}, -2.0 * static_cast<double>(j) / rope_dim);
  const double extrapolated = position * frequency / factor;
  const double interpolated = p.freq_scale * extrapolated;
  if (p.ext_factor == 0.0f) return {interpolated, p.attn_factor};

  const double low = std::max(0.0, std::floor(PairOfTurns(p, p.beta_fast)));
  const double high = std::min(rope_dim - 1.0, std::ceil(PairOfTurns(p, p.beta_slow)));
  const double slope = (static_cast<double>(j) - low) / std::max(0.001, high - low);
  const double mix = (1.0 - std::clamp(slope, 0.0, 1.0)) * p.ext_factor;
  return {interpolated * (1.0 - mix) + extrapolated * mix,
          p.attn_factor * (1.0 + 0.1 * std::log(1.0 / p.freq_scale))};
}

}  // namespace

void RopeTable(const op::Call& call, const Context&) {
  const auto& params = std::get<op::RopeTable>(*call.params);
  const float* factors = params.has_factors ? call.in[0].f32() : nullptr;
  const op::Operand& out = call.out[0];
  for (int64_t t = 0; t < out.desc.rows; ++t) {
    for (int64_t j = 0; j < params.rope_dim / 2; ++j) {
      const Angle angle = AngleOf(params, factors, call.step->positions[t], j);
      float* pair = out.f32_out() + t * params.rope_dim + 2 * j;
      pair[0] = static_cast<float>(std::cos(angle.theta) * angle.magnitude);
      pair[1] = static_cast<float>(std::sin(angle.theta) * angle.magnitude);
    }
  }
}

double Rotated(const op::Rope& rope, const float* head, const float* table, int64_t column) {
  if (column >= rope.rope_dim) return head[column];
  const bool neox = rope.kind == op::RopeKind::kNeox;
  const int64_t half = rope.rope_dim / 2;
  const int64_t pair = neox ? column % half : column / 2;
  const int64_t first = neox ? pair : 2 * pair;
  const int64_t second = neox ? pair + half : 2 * pair + 1;
  const double cosine = table[2 * pair];
  const double sine = table[2 * pair + 1];
  return column == first ? head[first] * cosine - head[second] * sine
                         : head[first] * sine + head[second] * cosine;
}

void Rope(const op::Call& call, const Context&) {
  const auto& params = std::get<op::Rope>(*call.params);
  const op::Operand& x = call.in[0];
  const float* table = call.in[1].f32();
  const bool neox = params.kind == op::RopeKind::kNeox;
  for (int64_t t = 0; t < x.desc.rows; ++t) {
    const float* angles = table + t * params.rope_dim;
    for (int64_t c = 0; c < x.desc.cols; c += params.head_dim) {
      const float* head = x.f32() + t * x.desc.cols + c;
      float* out = call.out[0].f32_out() + t * x.desc.cols + c;
      for (int64_t j = 0; j < params.rope_dim / 2; ++j) {
        // Both of a pair are read before either is written: out may be x.
        const int64_t first = neox ? j : 2 * j;
        const int64_t second = neox ? j + params.rope_dim / 2 : 2 * j + 1;
        const double a = Rotated(params, head, angles, first);
        const double b = Rotated(params, head, angles, second);
        out[first] = static_cast<float>(a);
        out[second] = static_cast<float>(b);
      }
      for (int64_t i = params.rope_dim; i < params.head_dim; ++i) out[i] = head[i];
    }
  }
}

}  // namespace rocforge::cpu::ref
