// Matrix times a few vectors, any type, in float: the plain version (op.h: MatMul, MoeMatMul).
//   A wave per output element; x grows to float products, nothing is rounded on the way.
#include "kernels/gpu/ops/activation.h"
#include "kernels/gpu/ops/matvec_args.h"
#include "kernels/gpu/ops/unit.h"
#include "kernels/gpu/wave/reduce.h"

namespace rocforge::port {
namespace {

using gpu::MatvecArgs;

// x . row, in every lane.
RF_DEVICE float DotRow(const Weight& w, const uint8_t* row, const float* x, uint32_t cols) {
  float sum = 0.0f;
  for (uint32_t unit = LaneId(); unit < w.n_units; unit += kWaveSize) {
    const uint32_t left = cols - unit * gpu::kUnit;
    const float* xu = x + unit * gpu::kUnit;
    DispatchType(w.type, [&]<uint32_t kType>() {
      float values[gpu::kUnit];
      LoadFloats<kType>(w, row, unit, values);
#pragma unroll
      for (uint32_t i = 0; i < gpu::kUnit; ++i) sum = Fma(values[i], i < left ? xu[i] : 0.0f, sum);
    });
  }
  return WaveSum(sum);
}

RF_DEVICE float Value(const MatvecArgs& args, uint32_t i, uint32_t o, uint32_t r) {
  const Weight& w = args.weight[i];
  const uint64_t expert = args.ids != nullptr ? static_cast<uint64_t>(args.ids[r]) : 0;
  const uint8_t* row = w.data + expert * w.expert_bytes + static_cast<uint64_t>(o) * w.row_bytes;
  const float* x = args.x + static_cast<uint64_t>(r / args.rows_per_x) * args.cols;
  const float sum = DotRow(w, row, x, args.cols);
  return args.bias[i] != nullptr ? sum + args.bias[i][expert * w.n_rows + o] : sum;
}

}  // namespace

// x of the grid: waves over the rows of all weights; y: rows of x.
RF_KERNEL(matvec_plain, gpu::MatvecArgs, 128) {
  uint32_t o = BlockId() * (BlockDim() / kWaveSize) + WaveId();
  const uint32_t r = BlockIdY();
  if (args.glu != 0) {
    if (o >= args.weight[0].n_rows) return;
    const float gate = Value(args, 0, o, r);
    const float up = Value(args, 1, o, r);
    if (LaneId() == 0) {
      args.out[0][static_cast<uint64_t>(r) * args.weight[0].n_rows + o] =
          GatedActivation(args.glu, gate, up, args.alpha, args.limit);
    }
    return;
  }
  uint32_t i = 0;
  while (i < args.n_weights && o >= args.weight[i].n_rows) o -= args.weight[i++].n_rows;
  if (i == args.n_weights) return;
  float y = Value(args, i, o, r);
  if (LaneId() != 0) return;
  const uint64_t at = static_cast<uint64_t>(r) * args.weight[i].n_rows + o;
  if (args.residual != nullptr) y = args.residual[at] + args.out_scale * y;
  args.out[i][at] = y;
}

}  // namespace rocforge::port
