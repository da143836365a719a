#include <algorithm>
#include <string>

#include "kernels/gpu/launch/launchers.h"
#include "kernels/gpu/ops/norm_args.h"

namespace rocforge::gpu {
namespace {

constexpr uint32_t kMaxBlock = 1024;

// A kernel of norm.gpu.cc and the threads of a block, for groups of `group` columns.
struct Choice {
  std::string kernel;
  uint32_t block = 0;
};

Choice Choose(op::NormKind kind, uint64_t group, uint32_t wave) {
  const std::string name = kind == op::NormKind::kRms ? "norm_rms" : "norm_layer";
  const auto threads = [&](uint64_t n) {
    return std::clamp(CeilDiv(n, wave) * wave, wave, kMaxBlock);
  };
  // Four elements a thread up to 2048 columns, eight up to 8192, sixteen up to 16384: enough loads
  // under way, and few enough waves that the reduction is short.
  if (group % 4 != 0 || group > 16 * kMaxBlock) return {name, threads(CeilDiv(group, 4))};
  const uint64_t chunks = group <= 2048 ? 1 : group <= 8192 ? 2 : 4;
  return {name + "_" + std::to_string(chunks), threads(CeilDiv(group, 4 * chunks))};
}

}  // namespace

Result<std::unique_ptr<BoundOp>> BindNorm(const op::Call& call, const RowCount& rows,
                                          const BindContext& context) {
  const op::Norm& p = std::get<op::Norm>(*call.params);
  const int64_t cols = call.in[0].desc.cols;
  const int64_t group = p.group == 0 ? cols : p.group;
  const Choice choice = Choose(p.kind, static_cast<uint64_t>(group),
                               static_cast<uint32_t>(context.device->info().wave_size));
  ROCFORGE_ASSIGN_OR_RETURN(const Kernel kernel, context.modules->Find("norm", choice.kernel));
  NormArgs args{};
  args.x = In(call, 0);
  size_t at = 1;
  if (p.has_weight) args.weight = In(call, at++);
  if (p.has_bias) args.bias = In(call, at++);
  args.y = Out(call, 0);
  args.group = static_cast<uint32_t>(group);
  args.eps = p.eps;
  const int64_t groups_per_row = cols / group;
  const bool overlap = CanOverlap(context);
  return MakeBoundOp([=](const Stream& stream, const StepShape& shape) {
    const auto grid = static_cast<uint32_t>(rows.At(shape) * groups_per_row);
    return grid == 0 ? Status()
                     : stream.Launch(kernel, {grid, 1, choice.block, false, 0, overlap}, &args);
  });
}

}  // namespace rocforge::gpu
