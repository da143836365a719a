#include "kernels/gpu/ops/moe_route_args.h"

#include "base/format.h"
#include "kernels/gpu/launch/launchers.h"

namespace rocforge::gpu {

Result<std::unique_ptr<BoundOp>> BindMoeRoute(const op::Call& call, const RowCount& rows,
                                              const BindContext& context) {
  static_assert(static_cast<int>(op::MoeGating::kSoftmax) == 0 &&
                static_cast<int>(op::MoeGating::kSigmoid) == 1 &&
                static_cast<int>(op::MoeGating::kSoftmaxOfSelected) == 2);
  const op::MoeRoute& p = std::get<op::MoeRoute>(*call.params);
  MoeRouteArgs args{};
  args.n_experts = static_cast<uint32_t>(p.n_experts);
  args.n_used = static_cast<uint32_t>(p.n_used);
  if (args.n_experts > kMoeRouteMaxExperts || args.n_used > kMoeRouteMaxUsed) {
    return Unsupported(
        Format("{} experts of which {} are used; the GPU kernel takes at most {} "
               "and {}",
               p.n_experts, p.n_used, kMoeRouteMaxExperts, kMoeRouteMaxUsed));
  }
  ROCFORGE_ASSIGN_OR_RETURN(const Kernel kernel, context.modules->Find("moe_route", "moe_route"));
  args.logits = In(call, 0);
  args.selection_bias = p.has_selection_bias ? In(call, 1) : nullptr;
  args.ids = static_cast<int32_t*>(call.out[0].data);
  args.weights = Out(call, 1);
  args.gating = static_cast<uint32_t>(p.gating);
  args.normalise = p.normalise ? 1 : 0;
  args.scale = p.scale;
  const auto wave = static_cast<uint32_t>(context.device->info().wave_size);
  const bool overlap = CanOverlap(context);
  // Rows are counted over the first output, [T, n_used]: one per token.
  return MakeBoundOp([=](const Stream& stream, const StepShape& shape) {
    const auto n_tokens = static_cast<uint32_t>(rows.At(shape));
    if (n_tokens == 0) return Status();
    return stream.Launch(kernel, {n_tokens, 1, wave, false, 0, overlap}, &args);
  });
}

}  // namespace rocforge::gpu
