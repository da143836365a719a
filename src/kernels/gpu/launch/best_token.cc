#include "kernels/gpu/launch/best_token.h"

#include "kernels/gpu/launch/launchers.h"
#include "kernels/gpu/ops/best_token_args.h"

namespace rocforge::gpu {

Result<std::unique_ptr<BoundOp>> BindBestToken(DevicePtr logits, int64_t n_vocab, DevicePtr parts,
                                               DevicePtr tokens, const BindContext& context) {
  ROCFORGE_ASSIGN_OR_RETURN(const Kernel find_parts,
                            context.modules->Find("best_token", "best_token_parts"));
  ROCFORGE_ASSIGN_OR_RETURN(const Kernel find, context.modules->Find("best_token", "best_token"));
  const BestTokenArgs args{DevicePointer<float>(logits), DevicePointer<BestTokenPart>(parts),
                           DevicePointer<int32_t>(tokens), static_cast<uint32_t>(n_vocab)};
  const auto wave = static_cast<uint32_t>(context.device->info().wave_size);
  const bool overlap = CanOverlap(context);
  return MakeBoundOp([=](const Stream& stream, const StepShape& shape) {
    const auto n_rows = static_cast<uint32_t>(shape.n_outputs);
    if (n_rows == 0) return Status();
    constexpr uint32_t kBlock = 256;
    ROCFORGE_RETURN_IF_ERROR(
        stream.Launch(find_parts, {kBestTokenParts, n_rows, kBlock, false, 0, overlap}, &args));
    return stream.Launch(find, {n_rows, 1, wave, false, 0, overlap}, &args);
  });
}

int64_t BestTokenPartBytes(int64_t n_rows) {
  return n_rows * int64_t{kBestTokenParts} * static_cast<int64_t>(sizeof(BestTokenPart));
}

}  // namespace rocforge::gpu
