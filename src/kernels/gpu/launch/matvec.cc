// Launchers of MatMul and MoeMatMul for few rows.
#include <algorithm>

#include "base/format.h"
#include "kernels/gpu/launch/launchers.h"
#include "kernels/gpu/launch/matvec.h"
#include "kernels/gpu/layout/weights.h"
#include "kernels/gpu/ops/matvec_args.h"

namespace rocforge::gpu {

Status FillMatvecWeights(const op::Call& call, size_t first, int32_t n_weights,
                         const bool* has_bias, MatvecArgs* args) {
  size_t bias_at = first + static_cast<size_t>(n_weights);
  for (int32_t i = 0; i < n_weights; ++i) {
    const op::Operand& w = call.in[first + static_cast<size_t>(i)];
    if (!CanPack(w.desc.dtype))
      return Unsupported(Format("weights of type {} on a GPU", Name(w.desc.dtype)));
    args->weight[i] = DescribeWeight(w.desc, w.data);
    if (has_bias[i]) args->bias[i] = In(call, bias_at++);
  }
  for (size_t i = 0; i < call.out.size(); ++i) args->out[i] = Out(call, i);
  args->x = In(call, 0);
  args->n_weights = static_cast<uint32_t>(n_weights);
  args->cols = static_cast<uint32_t>(call.in[0].desc.cols);
  args->rows_per_x = 1;
  return {};
}

void FillGlu(const op::Glu& glu, MatvecArgs* args) {
  args->glu = static_cast<uint32_t>(glu.kind);
  args->alpha = glu.alpha;
  args->limit = glu.limit;
}

Result<std::unique_ptr<BoundOp>> BindMatvec(const MatvecArgs& bound, const RowCount& rows,
                                            const BindContext& context) {
  ROCFORGE_ASSIGN_OR_RETURN(const Kernel kernel,
                            context.modules->Find("matvec_plain", "matvec_plain"));
  uint32_t n = bound.weight[0].n_rows;
  if (bound.glu == 0) {
    for (uint32_t i = 1; i < bound.n_weights; ++i) n += bound.weight[i].n_rows;
  }
  constexpr uint32_t kWaves = 2;
  const uint32_t block = kWaves * static_cast<uint32_t>(context.device->info().wave_size);
  return MakeBoundOp([=](const Stream& stream, const StepShape& shape) {
    MatvecArgs args = bound;
    args.n_rows = static_cast<uint32_t>(rows.At(shape));
    if (args.n_rows == 0) return Status();
    return stream.Launch(kernel, {CeilDiv(n, kWaves), args.n_rows, block, false}, &args);
  });
}

Result<std::unique_ptr<BoundOp>> BindMatMul(const op::Call& call, const RowCount& rows,
                                            const BindContext& context) {
  const op::MatMul& p = std::get<op::MatMul>(*call.params);
  MatvecArgs args{};
  ROCFORGE_RETURN_IF_ERROR(FillMatvecWeights(call, 1, p.n_weights, p.has_bias, &args));
  FillGlu(p.glu, &args);
  args.out_scale = p.out_scale;
  if (p.has_residual) args.residual = In(call, call.in.size() - 1);
  return BindMatvec(args, rows, context);
}

int64_t MatMulScratchBytes(const op::Call&, const Device&) { return 0; }

}  // namespace rocforge::gpu
