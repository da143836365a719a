// Ops that move rows: embedding, gathering, and the sum over a token's experts.
#include <algorithm>

#include "kernels/cpu/common/drivers.h"
#include "kernels/cpu/common/parallel.h"
#include "kernels/cpu/ref/ref.h"
#include "quant/quant.h"

namespace rocforge::cpu::common {

void EmbedRows(const op::Call& call, const Context& context, const Primitives& isa) {
  const float scale = std::get<op::EmbedRows>(*call.params).scale;
  const op::Operand& table = call.in[0];
  const int type = static_cast<int>(table.desc.dtype);
  const auto decode = isa.matmul->decode[type] != nullptr ? isa.matmul->decode[type]
                                                          : quant::Decoder(table.desc.dtype);
  const int64_t d = call.out[0].desc.cols;
  const int64_t row_bytes = table.desc.row_bytes();
  float* out = call.out[0].f32_out();
  ForRows(context, call.out[0].desc.rows, d, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      decode(table.bytes() + call.step->token_ids[t] * row_bytes, out + t * d, d);
      if (scale != 1.0f) isa.vector->scale(out + t * d, scale, out + t * d, d);
    }
  });
}

void GatherRows(const op::Call& call, const Context& context, const Primitives&) {
  const float* x = call.in[0].f32();
  const int64_t cols = call.in[0].desc.cols;
  float* out = call.out[0].f32_out();
  ForRows(context, call.out[0].desc.rows, cols, [&](int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; ++o) {
      std::copy_n(x + call.step->output_rows[o] * cols, cols, out + o * cols);
    }
  });
}

void MoeCombine(const op::Call& call, const Context& context, const Primitives& isa) {
  const int32_t n_used = std::get<op::MoeCombine>(*call.params).n_used;
  const float* y = call.in[0].f32();
  const float* weights = call.in[1].f32();
  const int64_t cols = call.out[0].desc.cols;
  float* out = call.out[0].f32_out();
  ForRows(context, call.out[0].desc.rows, cols * n_used, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      const float* w = weights + t * n_used;
      const float* row = y + t * n_used * cols;
      isa.vector->scale(row, w[0], out + t * cols, cols);
      for (int32_t e = 1; e < n_used; ++e) {
        isa.vector->add_scaled(out + t * cols, row + e * cols, w[e], out + t * cols, cols);
      }
    }
  });
}

// Choosing experts is a few hundred comparisons a token and decides everything after it, so every
// instruction set uses the reference (double precision), a thread for a range of tokens.
void MoeRoute(const op::Call& call, const Context& context, const Primitives&) {
  const auto& params = std::get<op::MoeRoute>(*call.params);
  const int64_t cost = int64_t{params.n_experts} * (16 + params.n_used * params.n_used);
  const int64_t n_tokens = call.in[0].desc.rows;
  const int64_t pieces = std::clamp<int64_t>(n_tokens * cost / kSerialElements, 1, n_tokens);
  const int64_t scratch_bytes = AlignUp(params.n_experts * static_cast<int64_t>(sizeof(double)));
  ForItems(context, n_tokens == 0 ? 0 : pieces, false, [&](int member, int64_t piece) {
    const int64_t begin = n_tokens * piece / pieces;
    const int64_t rows = n_tokens * (piece + 1) / pieces - begin;
    op::Operand in[2];
    std::copy_n(call.in.begin(), call.in.size(), in);
    in[0].desc.rows = rows;
    in[0].data = call.in[0].f32_out() + begin * params.n_experts;
    op::Operand out[2] = {call.out[0], call.out[1]};
    out[0].desc.rows = out[1].desc.rows = rows;
    out[0].data = call.out[0].i32_out() + begin * params.n_used;
    out[1].data = call.out[1].f32_out() + begin * params.n_used;
    const Context piece_context{context.pool, context.scratch + member * scratch_bytes};
    ref::MoeRoute({call.params, {in, call.in.size()}, out, call.step, nullptr}, piece_context);
  });
}

int64_t MoeRouteScratchBytes(const op::Call& call, int n_threads) {
  const auto& params = std::get<op::MoeRoute>(*call.params);
  return n_threads * AlignUp(params.n_experts * static_cast<int64_t>(sizeof(double)));
}

}  // namespace rocforge::cpu::common
