#include "kernels/gpu/launch/choose_tokens.h"

#include <algorithm>
#include <array>

#include "base/format.h"
#include "kernels/gpu/launch/launchers.h"

namespace rocforge::gpu {
namespace {

// A block has at least a token a thread, and at most as many as its sums of weights can hold.
constexpr int64_t kFullParts = 32;
constexpr int64_t kMostTokens = 16384;

int64_t PartsOf(int64_t n_vocab) {
  const int64_t wanted = std::clamp<int64_t>(CeilDiv(n_vocab, kChooseThreads), 1, kFullParts);
  return std::max<int64_t>(wanted, CeilDiv(n_vocab, kMostTokens));
}

// The arrays in the scratch, one after the other; each element is a multiple of 4 bytes, and those
// of 8 come first.
struct Layout {
  DevicePtr bins, list, parts, sums, plans, counters, end;
};

Layout LayoutOf(DevicePtr scratch, int64_t rows, int64_t n_vocab) {
  const auto after = [](DevicePtr at, int64_t n, size_t bytes) {
    return at + static_cast<DevicePtr>(n) * bytes;
  };
  const int64_t n_parts = rows * PartsOf(n_vocab);
  Layout layout{};
  layout.bins = scratch;
  layout.list = after(layout.bins, n_parts * kChooseBins, sizeof(ChooseBin));
  layout.parts = after(layout.list, rows * kChooseList, sizeof(TopToken));
  layout.sums = after(layout.parts, n_parts, sizeof(ChoosePart));
  layout.plans = after(layout.sums, n_parts, sizeof(ChooseSums));
  layout.counters = after(layout.plans, rows, sizeof(ChoosePlan));
  layout.end = after(layout.counters, 2 * rows, sizeof(uint32_t));
  return layout;
}

}  // namespace

int64_t ChooseScratchBytes(int64_t max_rows, int64_t n_vocab) {
  return static_cast<int64_t>(LayoutOf(0, max_rows, n_vocab).end);
}

Result<std::unique_ptr<BoundOp>> BindChooseTokens(DevicePtr logits, int64_t n_vocab,
                                                  DevicePtr scratch, int64_t max_rows,
                                                  const ChooseTarget& target,
                                                  const BindContext& context) {
  const int64_t n_parts = PartsOf(n_vocab);
  if (n_parts > kMostChooseParts)
    return Unsupported(
        Format("a vocabulary of {} tokens is more than the choice of tokens on a "
               "GPU is made for",
               n_vocab));
  constexpr const char* kNames[] = {"choose_range", "choose_bins", "choose_tokens"};
  std::array<Kernel, 3> kernels;
  for (size_t i = 0; i < kernels.size(); ++i) {
    ROCFORGE_ASSIGN_OR_RETURN(kernels[i], context.modules->Find("choose_tokens", kNames[i]));
  }
  const Layout at = LayoutOf(scratch, max_rows, n_vocab);
  const ChooseArgs args{DevicePointer<float>(logits),
                        DevicePointer<TokenDraw>(target.draws),
                        DevicePointer<ChoosePart>(at.parts),
                        DevicePointer<ChooseSums>(at.sums),
                        DevicePointer<ChooseBin>(at.bins),
                        DevicePointer<ChoosePlan>(at.plans),
                        DevicePointer<TopToken>(at.list),
                        DevicePointer<uint32_t>(at.counters),
                        DevicePointer<DrawnToken>(target.drawn),
                        DevicePointer<TopToken>(target.top),
                        static_cast<uint32_t>(n_vocab)};
  const bool overlap = CanOverlap(context);
  return MakeBoundOp([=](const Stream& stream, const StepShape& shape) {
    const auto n_rows = static_cast<uint32_t>(shape.n_outputs);
    if (n_rows == 0) return Status();
    if (n_rows > max_rows)
      return Internal(Format("tokens of {} rows are chosen at once, not of {}", max_rows, n_rows));
    const LaunchShape launch{
        static_cast<uint32_t>(n_parts), n_rows, kChooseThreads, false, 0, overlap};
    for (const Kernel& kernel : kernels)
      ROCFORGE_RETURN_IF_ERROR(stream.Launch(kernel, launch, &args));
    return Status();
  });
}

Result<std::unique_ptr<BoundOp>> BindEditLogits(DevicePtr logits, int64_t n_vocab, DevicePtr edits,
                                                DevicePtr begin, const BindContext& context) {
  ROCFORGE_ASSIGN_OR_RETURN(const Kernel kernel,
                            context.modules->Find("choose_tokens", "edit_logits"));
  const EditArgs args{DevicePointer<float>(logits), DevicePointer<LogitEdit>(edits),
                      DevicePointer<uint32_t>(begin), static_cast<uint32_t>(n_vocab)};
  const bool overlap = CanOverlap(context);
  return MakeBoundOp([=](const Stream& stream, const StepShape& shape) {
    const auto n_rows = static_cast<uint32_t>(shape.n_outputs);
    if (n_rows == 0) return Status();
    return stream.Launch(kernel, {n_rows, 1, kEditThreads, false, 0, overlap}, &args);
  });
}

}  // namespace rocforge::gpu
