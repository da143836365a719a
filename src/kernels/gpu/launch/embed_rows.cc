#include "base/format.h"
#include "kernels/gpu/launch/launchers.h"
#include "kernels/gpu/layout/weights.h"
#include "kernels/gpu/ops/embed_rows_args.h"

namespace rocforge::gpu {

Result<std::unique_ptr<BoundOp>> BindEmbedRows(const op::Call& call, const RowCount& rows,
                                               const BindContext& context) {
  const op::TensorDesc& table = call.in[0].desc;
  if (!CanPack(table.dtype))
    return Unsupported(Format("embeddings of type {} on a GPU", Name(table.dtype)));
  ROCFORGE_ASSIGN_OR_RETURN(const Kernel kernel, context.modules->Find("embed_rows", "embed_rows"));
  EmbedRowsArgs args{};
  args.table = DescribeWeight(table, call.in[0].data);
  args.ids = DevicePointer<int32_t>(context.step.token_ids);
  args.y = Out(call, 0);
  args.cols = static_cast<uint32_t>(table.cols);
  args.scale = std::get<op::EmbedRows>(*call.params).scale;
  constexpr uint32_t kEmbedThreads = 64;
  return MakeBoundOp([=](const Stream& stream, const StepShape& shape) {
    const auto n_tokens = static_cast<uint32_t>(rows.At(shape));
    if (n_tokens == 0) return Status();
    return stream.Launch(
        kernel, {CeilDiv(args.table.n_units, kEmbedThreads), n_tokens, kEmbedThreads, false},
        &args);
  });
}

}  // namespace rocforge::gpu
