#include <algorithm>

#include "kernels/cpu/ref/ref.h"

namespace rocforge::cpu::ref {

void GatherRows(const op::Call& call, const Context&) {
  const op::Operand& x = call.in[0];
  const op::Operand& out = call.out[0];
  for (int64_t o = 0; o < out.desc.rows; ++o) {
    const float* row = x.f32() + call.step->output_rows[o] * x.desc.cols;
    std::copy_n(row, x.desc.cols, out.f32_out() + o * x.desc.cols);
  }
}

}  // namespace rocforge::cpu::ref
