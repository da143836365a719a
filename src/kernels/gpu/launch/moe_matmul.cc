#include "kernels/gpu/launch/launchers.h"
#include "kernels/gpu/launch/matvec.h"

namespace rocforge::gpu {

Result<std::unique_ptr<BoundOp>> BindMoeMatMul(const op::Call& call, const RowCount& rows,
                                               const BindContext& context) {
  const op::MoeMatMul& p = std::get<op::MoeMatMul>(*call.params);
  MatvecArgs args{};
  ROCFORGE_RETURN_IF_ERROR(FillMatvecWeights(call, 2, p.n_weights, p.has_bias, &args));
  FillGlu(p.glu, &args);
  args.ids = static_cast<const int32_t*>(call.in[1].data);
  args.rows_per_x = p.x_per_expert ? 1 : static_cast<uint32_t>(p.n_used);
  return BindMatvec(args, rows, context);
}

int64_t MoeMatMulScratchBytes(const op::Call&, const Device&) { return 0; }

}  // namespace rocforge::gpu
