#include "kernels/gpu/launch/launchers.h"

namespace rocforge::gpu {

Result<std::unique_ptr<BoundOp>> Bind(const op::Call& call, const RowCount& rows,
                                      const BindContext& context) {
  switch (op::KindOf(*call.params)) {
    case op::Kind::kNorm:
      return BindNorm(call, rows, context);
    case op::Kind::kAdd:
      return BindAdd(call, rows, context);
    case op::Kind::kScale:
      return BindScale(call, rows, context);
    case op::Kind::kSoftCap:
      return BindSoftCap(call, rows, context);
    case op::Kind::kGlu:
      return BindGlu(call, rows, context);
    case op::Kind::kEmbedRows:
      return BindEmbedRows(call, rows, context);
    case op::Kind::kMatMul:
      return BindMatMul(call, rows, context);
    case op::Kind::kMoeMatMul:
      return BindMoeMatMul(call, rows, context);
    case op::Kind::kGatherRows:
      return BindGatherRows(call, rows, context);
    case op::Kind::kMoeRoute:
      return BindMoeRoute(call, rows, context);
    case op::Kind::kMoeCombine:
      return BindMoeCombine(call, rows, context);
    case op::Kind::kRopeTable:
      return BindRopeTable(call, rows, context);
    case op::Kind::kRope:
      return BindRope(call, rows, context);
    case op::Kind::kKvAppend:
      return BindKvAppend(call, rows, context);
    case op::Kind::kRopeKvAppend:
      return BindRopeKvAppend(call, rows, context);
    case op::Kind::kAttention:
      return BindAttention(call, rows, context);
  }
  return Internal("an op of no kind");
}

int64_t ScratchBytes(const op::Call& call, const Device& device) {
  switch (op::KindOf(*call.params)) {
    case op::Kind::kMatMul:
      return MatMulScratchBytes(call, device);
    case op::Kind::kMoeMatMul:
      return MoeMatMulScratchBytes(call, device);
    case op::Kind::kAttention:
      return AttentionScratchBytes(call, device);
    default:
      return 0;
  }
}

}  // namespace rocforge::gpu
