#include "kernels/cpu/ref/ref.h"
#include "quant/quant.h"

namespace rocforge::cpu::ref {

void EmbedRows(const op::Call& call, const Context&) {
  const auto& params = std::get<op::EmbedRows>(*call.params);
  const op::Operand& table = call.in[0];
  const op::Operand& out = call.out[0];
  const quant::DecodeFn decode = quant::Decoder(table.desc.dtype);
  const int64_t d = out.desc.cols;
  for (int64_t t = 0; t < out.desc.rows; ++t) {
    float* row = out.f32_out() + t * d;
    decode(table.bytes() + call.step->token_ids[t] * table.desc.row_bytes(), row, d);
    for (int64_t i = 0; i < d; ++i) row[i] = static_cast<float>(double{params.scale} * row[i]);
  }
}

}  // namespace rocforge::cpu::ref
