#include "kernels/gpu/launch/gemm_call.h"

#include <algorithm>
#include <limits>
#include <variant>

#include "base/format.h"
#include "kernels/gpu/launch/gemm_kernels.h"
#include "kernels/gpu/launch/launchers.h"
#include "kernels/gpu/layout/weights.h"

namespace rocforge::gpu {

Result<GemmOperands> GemmOperandsOf(const op::Call& call) {
  GemmOperands p;
  const bool* has_bias = nullptr;
  size_t at = 1;
  if (const auto* moe = std::get_if<op::MoeMatMul>(call.params)) {
    p.ids = static_cast<const int32_t*>(call.in[at++].data);
    p.rows_per_x = moe->x_per_expert ? 1 : static_cast<uint32_t>(moe->n_used);
    p.n_weights = static_cast<uint32_t>(moe->n_weights);
    p.glu = moe->glu;
    has_bias = moe->has_bias;
  } else {
    const auto& dense = std::get<op::MatMul>(*call.params);
    p.n_weights = static_cast<uint32_t>(dense.n_weights);
    p.glu = dense.glu;
    p.out_scale = dense.out_scale;
    if (dense.has_residual) p.residual = In(call, call.in.size() - 1);
    has_bias = dense.has_bias;
  }
  p.x = In(call, 0);
  for (uint32_t i = 0; i < p.n_weights; ++i) {
    const op::Operand& w = call.in[at++];
    if (!CanPack(w.desc.dtype))
      return Unsupported(Format("weights of type {} on a GPU", Name(w.desc.dtype)));
    p.weight[i] = DescribeWeight(w.desc, w.data);
  }
  for (uint32_t i = 0; i < p.n_weights; ++i) {
    if (has_bias[i]) p.bias[i] = In(call, at++);
  }
  for (size_t i = 0; i < call.out.size(); ++i) p.out[i] = Out(call, i);
  return p;
}

size_t FirstWeight(const op::Call& call) {
  return std::holds_alternative<op::MoeMatMul>(*call.params) ? 2 : 1;
}

GemmSizes GemmSizesOf(const op::Call& call) {
  GemmSizes s;
  op::GluKind glu = op::GluKind::kNone;
  const size_t first = FirstWeight(call);
  if (const auto* moe = std::get_if<op::MoeMatMul>(call.params)) {
    s.experts = true;
    s.n_weights = moe->n_weights;
    s.n_experts = call.in[first].desc.outer;
    glu = moe->glu.kind;
  } else {
    const auto& p = std::get<op::MatMul>(*call.params);
    s.n_weights = p.n_weights;
    glu = p.glu.kind;
  }
  s.glu = glu != op::GluKind::kNone;
  s.erf = glu == op::GluKind::kGeluErf;
  s.max_rows = call.out[0].desc.rows;
  s.cols = call.in[0].desc.cols;
  for (int32_t i = 0; i < s.n_weights; ++i)
    s.n_out[static_cast<size_t>(i)] = call.in[first + static_cast<size_t>(i)].desc.rows;
  return s;
}

GemmLayout GemmLayoutOf(const GemmSizes& s, const GemmOptions& options) {
  constexpr int64_t kAlign = 256;
  GemmLayout l;
  const auto take = [&l](int64_t bytes) {
    const int64_t at = l.end;
    l.end += RoundUp(bytes, kAlign);
    return at;
  };
  const int64_t rows = s.RowTiles(s.max_rows) * kGemmRows;
  l.x = take(rows * s.RowBytes());
  l.x_scale = take(rows * 4);
  if (s.experts) {
    l.row_of = take(rows * 4);
    l.first_tile = take((s.n_experts + 1) * 4);
    l.counts = take(s.n_experts * 4);
  }
  if (s.erf) l.gate_up = take(2 * s.max_rows * s.n_out[0] * 4);
  l.weight_bytes =
      std::min(s.n_experts * s.Columns(kGemmWideColumns) * s.ColumnBytes(),
               std::max(options.weight_bytes, int64_t{kGemmWideColumns} * s.ColumnBytes()));
  // The sums of a few rows lie there too.
  l.weight_bytes = std::max(l.weight_bytes, s.FewBytes());
  l.weights = take(l.weight_bytes);
  return l;
}

GateArgs GateOf(const op::Glu& glu) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kGeluLinear = 1.59576912160573071f;  // 2 sqrt(2 / pi)
  switch (glu.kind) {
    case op::GluKind::kGeluTanh:
      return {kGeluLinear, kGeluLinear * 0.044715f, kInfinity, 0.0f};
    case op::GluKind::kSwigluOai:
      return {glu.alpha, 0.0f, glu.limit, 1.0f};
    default:
      return {1.0f, 0.0f, kInfinity, 0.0f};
  }
}

}  // namespace rocforge::gpu
