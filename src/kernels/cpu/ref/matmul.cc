#include "kernels/cpu/ref/ref.h"
#include "quant/quant.h"

namespace rocforge::cpu::ref {
namespace {

double Dot(const float* a, const float* b, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += double{a[i]} * b[i];
  return sum;
}

// Decodes row o of expert e.
const float* DecodeWeightRow(const op::Operand& w, int64_t e, int64_t o, float* out) {
  const std::byte* row = w.bytes() + (e * w.desc.rows + o) * w.desc.row_bytes();
  quant::Decoder(w.desc.dtype)(row, out, w.desc.cols);
  return out;
}

}  // namespace

void MatMul(const op::Call& call, const Context& context) {
  const auto& params = std::get<op::MatMul>(*call.params);
  const op::Operand& x = call.in[0];
  const int64_t k = x.desc.cols;
  float* row[2] = {reinterpret_cast<float*>(context.scratch),
                   reinterpret_cast<float*>(context.scratch) + k};

  size_t next = static_cast<size_t>(1 + params.n_weights);
  const float* bias[op::MatMul::kMaxWeights] = {};
  for (int i = 0; i < params.n_weights; ++i) {
    if (params.has_bias[i]) bias[i] = call.in[next++].f32();
  }
  const float* residual = params.has_residual ? call.in[next++].f32() : nullptr;

  const bool glu = params.glu.kind != op::GluKind::kNone;
  const int n_outputs = glu ? 1 : params.n_weights;
  const int weights_per_output = glu ? 2 : 1;
  for (int i = 0; i < n_outputs; ++i) {
    const int64_t n = call.out[static_cast<size_t>(i)].desc.cols;
    float* out = call.out[static_cast<size_t>(i)].f32_out();
    for (int64_t o = 0; o < n; ++o) {
      for (int j = 0; j < weights_per_output; ++j) {
        DecodeWeightRow(call.in[static_cast<size_t>(1 + i + j)], 0, o, row[j]);
      }
      for (int64_t r = 0; r < x.desc.rows; ++r) {
        double y[2] = {};
        for (int j = 0; j < weights_per_output; ++j) {
          y[j] = Dot(x.f32() + r * k, row[j], k);
          if (bias[i + j] != nullptr) y[j] += bias[i + j][o];
        }
        double value = glu ? Activate(params.glu, y[0], y[1]) : y[0];
        if (residual != nullptr) value = residual[r * n + o] + params.out_scale * value;
        out[r * n + o] = static_cast<float>(value);
      }
    }
  }
}

void MoeMatMul(const op::Call& call, const Context& context) {
  const auto& params = std::get<op::MoeMatMul>(*call.params);
  const op::Operand& x = call.in[0];
  const int32_t* ids = call.in[1].i32();
  const int64_t k = x.desc.cols;
  float* row = reinterpret_cast<float*>(context.scratch);

  size_t next = static_cast<size_t>(2 + params.n_weights);
  const float* bias[op::MoeMatMul::kMaxWeights] = {};
  for (int i = 0; i < params.n_weights; ++i) {
    if (params.has_bias[i]) bias[i] = call.in[next++].f32();
  }

  const bool glu = params.glu.kind != op::GluKind::kNone;
  const int n_outputs = glu ? 1 : params.n_weights;
  const int weights_per_output = glu ? 2 : 1;
  for (int i = 0; i < n_outputs; ++i) {
    const op::TensorDesc& desc = call.out[static_cast<size_t>(i)].desc;
    float* out = call.out[static_cast<size_t>(i)].f32_out();
    for (int64_t r = 0; r < desc.rows; ++r) {
      const float* x_row = x.f32() + (params.x_per_expert ? r : r / params.n_used) * k;
      for (int64_t o = 0; o < desc.cols; ++o) {
        double y[2] = {};
        for (int j = 0; j < weights_per_output; ++j) {
          const op::Operand& w = call.in[static_cast<size_t>(2 + i + j)];
          y[j] = Dot(x_row, DecodeWeightRow(w, ids[r], o, row), k);
          if (bias[i + j] != nullptr) y[j] += bias[i + j][ids[r] * w.desc.rows + o];
        }
        out[r * desc.cols + o] = static_cast<float>(glu ? Activate(params.glu, y[0], y[1]) : y[0]);
      }
    }
  }
}

}  // namespace rocforge::cpu::ref
