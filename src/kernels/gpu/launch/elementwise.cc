// Launchers of the ops in ops/elementwise.gpu.cc.
#include <algorithm>
#include <string>

#include "kernels/gpu/launch/launchers.h"
#include "kernels/gpu/ops/elementwise_args.h"

namespace rocforge::gpu {
namespace {

constexpr uint32_t kBlock = 256;
constexpr uint32_t kMaxGrid = 4096;  // threads stride over what is left

// Binds a kernel over rows * cols elements whose argument struct has a field n.
template <typename Args>
Result<std::unique_ptr<BoundOp>> BindElementwise(const char* name, Args args, const op::Call& call,
                                                 const RowCount& rows, const BindContext& context) {
  ROCFORGE_ASSIGN_OR_RETURN(const Kernel kernel, context.modules->Find("elementwise", name));
  const int64_t cols = call.out[0].desc.cols;
  const bool overlap = CanOverlap(context);
  return MakeBoundOp([=](const Stream& stream, const StepShape& shape) {
    Args step_args = args;
    step_args.n = static_cast<uint64_t>(rows.At(shape) * cols);
    if (step_args.n == 0) return Status();
    const uint32_t grid = std::min(CeilDiv(step_args.n, kBlock), kMaxGrid);
    return stream.Launch(kernel, {grid, 1, kBlock, false, 0, overlap}, &step_args);
  });
}

// Binds a kernel with one row of the output per y of the grid.
template <typename Args>
Result<std::unique_ptr<BoundOp>> BindByRow(const char* name, Args args, const op::Call& call,
                                           const RowCount& rows, const BindContext& context) {
  ROCFORGE_ASSIGN_OR_RETURN(const Kernel kernel, context.modules->Find("elementwise", name));
  args.cols = static_cast<uint32_t>(call.out[0].desc.cols);
  const bool overlap = CanOverlap(context);
  return MakeBoundOp([=](const Stream& stream, const StepShape& shape) {
    const auto n_rows = static_cast<uint32_t>(rows.At(shape));
    if (n_rows == 0) return Status();
    const uint32_t grid = CeilDiv(args.cols, kBlock);
    return stream.Launch(kernel, {grid, n_rows, kBlock, false, 0, overlap}, &args);
  });
}

}  // namespace

Result<std::unique_ptr<BoundOp>> BindAdd(const op::Call& call, const RowCount& rows,
                                         const BindContext& context) {
  const AddArgs args{In(call, 0), In(call, 1), Out(call, 0), 0,
                     std::get<op::Add>(*call.params).scale_b};
  return BindElementwise("elementwise_add", args, call, rows, context);
}

Result<std::unique_ptr<BoundOp>> BindScale(const op::Call& call, const RowCount& rows,
                                           const BindContext& context) {
  const ScaleArgs args{In(call, 0), Out(call, 0), 0, std::get<op::Scale>(*call.params).scale};
  return BindElementwise("elementwise_scale", args, call, rows, context);
}

Result<std::unique_ptr<BoundOp>> BindSoftCap(const op::Call& call, const RowCount& rows,
                                             const BindContext& context) {
  const ScaleArgs args{In(call, 0), Out(call, 0), 0, std::get<op::SoftCap>(*call.params).cap};
  return BindElementwise("elementwise_soft_cap", args, call, rows, context);
}

Result<std::unique_ptr<BoundOp>> BindGlu(const op::Call& call, const RowCount& rows,
                                         const BindContext& context) {
  static_assert(static_cast<int>(op::GluKind::kSilu) == 1 &&
                static_cast<int>(op::GluKind::kGeluTanh) == 2 &&
                static_cast<int>(op::GluKind::kGeluErf) == 3 &&
                static_cast<int>(op::GluKind::kSwigluOai) == 4);
  const op::Glu& p = std::get<op::Glu>(*call.params);
  const GluArgs args{In(call, 0), In(call, 1), Out(call, 0), 0, static_cast<uint32_t>(p.kind),
                     p.alpha,     p.limit};
  return BindElementwise("elementwise_glu", args, call, rows, context);
}

Result<std::unique_ptr<BoundOp>> BindGatherRows(const op::Call& call, const RowCount& rows,
                                                const BindContext& context) {
  const GatherRowsArgs args{In(call, 0), DevicePointer<int32_t>(context.step.output_rows),
                            Out(call, 0), 0};
  return BindByRow("gather_rows", args, call, rows, context);
}

Result<std::unique_ptr<BoundOp>> BindMoeCombine(const op::Call& call, const RowCount& rows,
                                                const BindContext& context) {
  const auto n_used = static_cast<uint32_t>(std::get<op::MoeCombine>(*call.params).n_used);
  return BindByRow("moe_combine", MoeCombineArgs{In(call, 0), In(call, 1), Out(call, 0), 0, n_used},
                   call, rows, context);
}

}  // namespace rocforge::gpu
