#include "kernels/gpu/launch/launchers.h"
#include "kernels/gpu/ops/attention_args.h"

#include "base/format.h"

namespace rocforge::gpu {
namespace {

constexpr uint32_t kWaves = 4;
constexpr int32_t kMaxHeadDim = 256;

}  // namespace

Result<std::unique_ptr<BoundOp>> BindAttention(const op::Call& call, const RowCount& rows,
                                               const BindContext& context) {
  const op::Attention& p = std::get<op::Attention>(*call.params);
  if (p.head_dim_k > kMaxHeadDim || p.head_dim_v > kMaxHeadDim) {
    return Unsupported(
        Format("attention with heads of {} and {} columns; the GPU kernels take at most {}",
               p.head_dim_k, p.head_dim_v, kMaxHeadDim));
  }
  ROCFORGE_ASSIGN_OR_RETURN(const Kernel kernel,
                            context.modules->Find("attention", "attention_plain"));
  AttentionArgs args{};
  args.q = In(call, 0);
  args.sinks = p.has_sinks ? In(call, 1) : nullptr;
  args.out = Out(call, 0);
  args.k_pages = call.kv->k;
  args.v_pages = call.kv->v;
  args.positions = DevicePointer<int32_t>(context.step.positions);
  args.seq_of_token = DevicePointer<int32_t>(context.step.seq_of_token);
  args.page_table = DevicePointer<int32_t>(context.step.page_table);
  args.page_table_stride = static_cast<uint32_t>(context.step.page_table_stride);
  args.n_heads = static_cast<uint32_t>(p.n_heads);
  args.n_kv_heads = static_cast<uint32_t>(p.n_kv_heads);
  args.head_dim_k = static_cast<uint32_t>(p.head_dim_k);
  args.head_dim_v = static_cast<uint32_t>(p.head_dim_v);
  args.page_size = static_cast<uint32_t>(call.kv->page_size);
  args.window = static_cast<uint32_t>(p.window);
  args.half_cache = call.kv->dtype == DType::kF16 ? 1 : 0;
  args.scale = p.scale;
  args.softcap = p.softcap;
  const uint32_t block = kWaves * static_cast<uint32_t>(context.device->info().wave_size);
  return MakeBoundOp([=](const Stream& stream, const StepShape& shape) {
    const auto n_tokens = static_cast<uint32_t>(rows.At(shape));
    return n_tokens == 0 ? Status()
                         : stream.Launch(kernel, {args.n_heads, n_tokens, block, false}, &args);
  });
}

}  // namespace rocforge::gpu
