#include <algorithm>

#include "kernels/gpu/launch/launchers.h"
#include "kernels/gpu/ops/norm_args.h"

namespace rocforge::gpu {

Result<std::unique_ptr<BoundOp>> BindNorm(const op::Call& call, const RowCount& rows,
                                          const BindContext& context) {
  const op::Norm& p = std::get<op::Norm>(*call.params);
  ROCFORGE_ASSIGN_OR_RETURN(
      const Kernel kernel,
      context.modules->Find("norm", p.kind == op::NormKind::kRms ? "norm_rms" : "norm_layer"));
  const int64_t cols = call.in[0].desc.cols;
  const int64_t group = p.group == 0 ? cols : p.group;
  NormArgs args{};
  args.x = In(call, 0);
  size_t at = 1;
  if (p.has_weight) args.weight = In(call, at++);
  if (p.has_bias) args.bias = In(call, at++);
  args.y = Out(call, 0);
  args.group = static_cast<uint32_t>(group);
  args.eps = p.eps;
  // About four elements a thread: enough threads to hide latency, few enough that the reduction is
  // short.
  const auto wave = static_cast<uint32_t>(context.device->info().wave_size);
  const uint32_t block =
      std::clamp(CeilDiv(static_cast<uint64_t>(group), 4 * wave) * wave, wave, 1024u);
  const int64_t groups_per_row = cols / group;
  return MakeBoundOp([=](const Stream& stream, const StepShape& shape) {
    const auto grid = static_cast<uint32_t>(rows.At(shape) * groups_per_row);
    return grid == 0 ? Status() : stream.Launch(kernel, {grid, 1, block, false}, &args);
  });
}

}  // namespace rocforge::gpu
