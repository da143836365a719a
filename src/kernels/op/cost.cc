#include "kernels/op/cost.h"

#include <algorithm>

#include "kernels/op/kv_page.h"

namespace rocforge::op {
namespace {

// Elementary functions (exp, tanh, sqrt, division) count as one operation, like an addition.
constexpr double kNormOpsRms = 3;    // square, add, scale
constexpr double kNormOpsLayer = 5;  // add, subtract, square, add, scale
constexpr double kSoftmaxOps = 4;    // scale, subtract the maximum, exp, add
constexpr double kSoftCapOps = 3;    // divide, tanh, multiply
constexpr double kRotateOps = 3;     // per element: two products and a sum
constexpr double kAngleOps = 5;      // per pair: two for the angle, cos, sin, magnitude

double GluOps(GluKind kind) {
  switch (kind) {
    case GluKind::kNone:
      return 0;
    case GluKind::kSilu:
      return 4;  // exp, add, divide, product
    case GluKind::kGeluTanh:
      return 9;
    case GluKind::kGeluErf:
      return 5;
    case GluKind::kSwigluOai:
      return 9;
  }
  return 0;
}

double Elements(const TensorDesc& d) {
  return static_cast<double>(d.outer) * static_cast<double>(d.rows) * static_cast<double>(d.cols);
}

double BytesOf(const Operand& operand) { return static_cast<double>(operand.desc.bytes()); }

// All operands in full, each once: right for most ops.
Cost AllOperands(const Call& call) {
  Cost cost;
  for (const Operand& in : call.in) cost.bytes_read += BytesOf(in);
  for (const Operand& out : call.out) cost.bytes_written += BytesOf(out);
  return cost;
}

Cost Of(const EmbedRows& p, const Call& call) {
  const double tokens = static_cast<double>(call.out[0].desc.rows);
  Cost cost;
  cost.bytes_read = tokens * (static_cast<double>(call.in[0].desc.row_bytes()) + sizeof(int32_t));
  cost.bytes_written = BytesOf(call.out[0]);
  cost.ops = p.scale == 1.0f ? 0 : Elements(call.out[0].desc);
  return cost;
}

Cost Of(const Norm& p, const Call& call) {
  Cost cost = AllOperands(call);
  const double per_element = (p.kind == NormKind::kRms ? kNormOpsRms : kNormOpsLayer) +
                             (p.has_weight ? 1 : 0) + (p.has_bias ? 1 : 0);
  cost.ops = per_element * Elements(call.in[0].desc);
  return cost;
}

Cost Of(const MatMul& p, const Call& call) {
  Cost cost = AllOperands(call);
  const double rows = static_cast<double>(call.in[0].desc.rows);
  for (int i = 0; i < p.n_weights; ++i) {
    const TensorDesc& w = call.in[static_cast<size_t>(1 + i)].desc;
    cost.ops += rows * (2 * Elements(w) + (p.has_bias[i] ? static_cast<double>(w.rows) : 0));
  }
  const double out = Elements(call.out[0].desc);
  if (p.has_residual) cost.ops += (p.out_scale == 1.0f ? 1 : 2) * out;
  cost.ops += GluOps(p.glu.kind) * out;
  return cost;
}

Cost Of(const RopeTable&, const Call& call) {
  Cost cost = AllOperands(call);
  const TensorDesc& out = call.out[0].desc;
  cost.bytes_read += static_cast<double>(out.rows) * sizeof(int32_t);
  cost.ops = kAngleOps * Elements(out) / 2;
  return cost;
}

Cost Of(const Rope& p, const Call& call) {
  Cost cost = AllOperands(call);
  const TensorDesc& x = call.in[0].desc;
  cost.ops =
      kRotateOps * Elements(x) * static_cast<double>(p.rope_dim) / static_cast<double>(p.head_dim);
  return cost;
}

// Bytes of one token's key and value over all KV heads of the layer.
double KvBytesPerToken(const Call& call, int32_t n_kv_heads, int32_t dim_k, int32_t dim_v) {
  const DType type = call.kv->dtype;
  return static_cast<double>(n_kv_heads * (KvRowBytes(type, dim_k) + KvRowBytes(type, dim_v)));
}

Cost Of(const KvAppend& p, const Call& call) {
  const double tokens = call.step->n_tokens;
  Cost cost = AllOperands(call);
  cost.bytes_read += tokens * sizeof(int32_t);
  cost.bytes_written += tokens * KvBytesPerToken(call, p.n_kv_heads, p.head_dim_k, p.head_dim_v);
  return cost;
}

Cost Of(const RopeKvAppend& p, const Call& call) {
  const double tokens = call.step->n_tokens;
  const KvAppend& a = p.append;
  Cost cost = AllOperands(call);
  cost.bytes_read += tokens * sizeof(int32_t);
  cost.bytes_written += tokens * KvBytesPerToken(call, a.n_kv_heads, a.head_dim_k, a.head_dim_v);
  const double heads = static_cast<double>(call.in[0].desc.cols + call.in[1].desc.cols) /
                       static_cast<double>(p.rope.head_dim);
  cost.ops = kRotateOps * tokens * heads * static_cast<double>(p.rope.rope_dim);
  return cost;
}

Cost Of(const Attention& p, const Call& call) {
  const Step& step = *call.step;
  Cost cost = AllOperands(call);
  double scores = 0;     // (query, key) pairs of one head
  double positions = 0;  // of the cache, read by at least one query
  for (int32_t s = 0; s < step.n_seqs; ++s) {
    const int32_t count = step.seq_begin[s + 1] - step.seq_begin[s];
    const int32_t first = step.kv_len[s] - count;
    for (int32_t position = first; position < step.kv_len[s]; ++position) {
      scores += p.window > 0 ? std::min(position + 1, p.window) : position + 1;
    }
    if (count > 0) {
      positions += step.kv_len[s] - (p.window > 0 ? std::max(0, first - p.window + 1) : 0);
    }
  }
  cost.bytes_read += positions * KvBytesPerToken(call, p.n_kv_heads, p.head_dim_k, p.head_dim_v);
  const double per_score =
      2.0 * p.head_dim_k + 2.0 * p.head_dim_v + kSoftmaxOps + (p.softcap > 0.0f ? kSoftCapOps : 0);
  cost.ops = scores * p.n_heads * per_score;
  return cost;
}

Cost Of(const Glu& p, const Call& call) {
  Cost cost = AllOperands(call);
  cost.ops = GluOps(p.kind) * Elements(call.out[0].desc);
  return cost;
}

Cost Of(const Add& p, const Call& call) {
  Cost cost = AllOperands(call);
  cost.ops = (p.scale_b == 1.0f ? 1 : 2) * Elements(call.out[0].desc);
  return cost;
}

Cost Of(const Scale&, const Call& call) {
  Cost cost = AllOperands(call);
  cost.ops = Elements(call.out[0].desc);
  return cost;
}

Cost Of(const SoftCap&, const Call& call) {
  Cost cost = AllOperands(call);
  cost.ops = kSoftCapOps * Elements(call.out[0].desc);
  return cost;
}

Cost Of(const GatherRows&, const Call& call) {
  const TensorDesc& out = call.out[0].desc;
  Cost cost;
  cost.bytes_read = BytesOf(call.out[0]) + static_cast<double>(out.rows) * sizeof(int32_t);
  cost.bytes_written = BytesOf(call.out[0]);
  return cost;
}

Cost Of(const MoeRoute& p, const Call& call) {
  Cost cost = AllOperands(call);
  // Probabilities, then one comparison an expert for each choice.
  cost.ops = Elements(call.in[0].desc) * (kSoftmaxOps + p.n_used);
  return cost;
}

Cost Of(const MoeMatMul& p, const Call& call) {
  const double rows = static_cast<double>(call.out[0].desc.rows);
  Cost cost;
  cost.bytes_read = BytesOf(call.in[0]) + BytesOf(call.in[1]);
  for (int i = 0; i < p.n_weights; ++i) {
    const TensorDesc& w = call.in[static_cast<size_t>(2 + i)].desc;
    const double n_experts = static_cast<double>(w.outer);
    // Which experts are used is data. At most one per output row are, which is exact for one token.
    const double used = std::min(n_experts, rows);
    const double bias = p.has_bias[i] ? static_cast<double>(w.rows) : 0;
    cost.bytes_read += used * (static_cast<double>(w.rows * w.row_bytes()) + bias * sizeof(float));
    cost.ops += rows * (2 * Elements(w) / n_experts + bias);
  }
  for (const Operand& out : call.out) cost.bytes_written += BytesOf(out);
  cost.ops += GluOps(p.glu.kind) * Elements(call.out[0].desc);
  return cost;
}

Cost Of(const MoeCombine&, const Call& call) {
  Cost cost = AllOperands(call);
  cost.ops = 2 * Elements(call.in[0].desc);
  return cost;
}

}  // namespace

Cost CostOf(const Call& call) {
  return std::visit([&](const auto& params) { return Of(params, call); }, *call.params);
}

}  // namespace rocforge::op
