#include <algorithm>
#include <utility>

#include "kernels/gpu/launch/gemm.h"
#include "kernels/gpu/launch/launchers.h"
#include "kernels/gpu/launch/matvec.h"

namespace rocforge::gpu {
namespace {

MatvecCall ExpertsCall(const op::Call& call) {
  const op::MoeMatMul& p = std::get<op::MoeMatMul>(*call.params);
  MatvecCall product{&call, 2, p.n_weights, p.has_bias, p.glu};
  product.ids = static_cast<const int32_t*>(call.in[1].data);
  product.rows_per_x = p.x_per_expert ? 1 : p.n_used;
  product.experts = true;
  return product;
}

}  // namespace

Result<std::unique_ptr<BoundOp>> BindMoeMatMul(const op::Call& call, const RowCount& rows,
                                               const BindContext& context) {
  ROCFORGE_ASSIGN_OR_RETURN(auto few, BindMatvec(ExpertsCall(call), rows, context));
  return WithGemm(std::move(few), call, rows, context);
}

int64_t MoeMatMulScratchBytes(const op::Call& call, const Device& device) {
  return std::max(MatvecScratchBytes(ExpertsCall(call)), WithGemmScratchBytes(call, device));
}

}  // namespace rocforge::gpu
