#include "exec/gpu_result.h"

#include <cstddef>
#include <tuple>

#include "base/format.h"
#include "kernels/gpu/launch/best_token.h"
#include "kernels/gpu/launch/choose_tokens.h"

namespace rocforge::exec {
namespace {

// One struct under two names: kernels and their callers share no header.
static_assert(kTopTokens == gpu::kTopTokens && kBrokenLogits == gpu::kBrokenLogits &&
              sizeof(TopToken) == sizeof(gpu::TopToken) &&
              offsetof(TopToken, token) == offsetof(gpu::TopToken, token));
static_assert(sizeof(TokenDraw) == sizeof(gpu::TokenDraw) &&
              offsetof(TokenDraw, temperature) == offsetof(gpu::TokenDraw, temperature) &&
              offsetof(TokenDraw, top_p) == offsetof(gpu::TokenDraw, top_p) &&
              offsetof(TokenDraw, min_p_log) == offsetof(gpu::TokenDraw, min_p_log) &&
              offsetof(TokenDraw, top_k) == offsetof(gpu::TokenDraw, top_k) &&
              offsetof(TokenDraw, steps) == offsetof(gpu::TokenDraw, steps) &&
              offsetof(TokenDraw, top_n_sigma) == offsetof(gpu::TokenDraw, top_n_sigma) &&
              offsetof(TokenDraw, typical_p) == offsetof(gpu::TokenDraw, typical_p) &&
              offsetof(TokenDraw, xtc_threshold) == offsetof(gpu::TokenDraw, xtc_threshold) &&
              offsetof(TokenDraw, mirostat_least) == offsetof(gpu::TokenDraw, mirostat_least));
static_assert(sizeof(DrawnToken) == sizeof(gpu::DrawnToken) &&
              offsetof(DrawnToken, surprise) == offsetof(gpu::DrawnToken, surprise));
static_assert(sizeof(LogitEdit) == sizeof(gpu::LogitEdit) &&
              offsetof(LogitEdit, divisor) == offsetof(gpu::LogitEdit, divisor) &&
              offsetof(LogitEdit, minus) == offsetof(gpu::LogitEdit, minus) &&
              std::tuple_size_v<EditLists> == gpu::kEditPhases);
static_assert(static_cast<uint32_t>(DrawStep::kTopK) == gpu::kStepTopK &&
              static_cast<uint32_t>(DrawStep::kTopP) == gpu::kStepTopP &&
              static_cast<uint32_t>(DrawStep::kMinP) == gpu::kStepMinP &&
              static_cast<uint32_t>(DrawStep::kTemperature) == gpu::kStepTemperature &&
              static_cast<uint32_t>(DrawStep::kTopNSigma) == gpu::kStepTopNSigma &&
              static_cast<uint32_t>(DrawStep::kTypical) == gpu::kStepTypical &&
              static_cast<uint32_t>(DrawStep::kXtc) == gpu::kStepXtc &&
              static_cast<uint32_t>(DrawStep::kMirostat) == gpu::kStepMirostat);

constexpr int64_t kTokenBytes = sizeof(int32_t);
constexpr int64_t kDrawnBytes = sizeof(DrawnToken);
constexpr int64_t kTopRowBytes = kTopTokens * sizeof(TopToken);

}  // namespace

int64_t GpuResult::DeviceBytes(const Size& size) {
  return gpu::BestTokenPartBytes(size.max_outputs) + kTokenBytes * size.max_outputs +
         gpu::ChooseScratchBytes(size.max_chosen, size.n_vocab) +
         (kTopRowBytes + kDrawnBytes) * size.max_chosen;
}

Status GpuResult::Create(const Size& size, gpu::DevicePtr logits, const DeviceChoice& choice,
                         const gpu::Stream& stream, const gpu::BindContext& context) {
  const std::shared_ptr<const gpu::Device>& device = context.device;
  size_ = size;
  device_logits_ = logits;
  const auto on_device = [&](gpu::Buffer* buffer, int64_t bytes) {
    ROCFORGE_ASSIGN_OR_RETURN(*buffer, gpu::Buffer::Allocate(device, bytes));
    return Status();
  };
  const auto pinned = [&](gpu::PinnedBuffer* buffer, int64_t bytes) {
    ROCFORGE_ASSIGN_OR_RETURN(*buffer, gpu::PinnedBuffer::Allocate(device, bytes));
    return Status();
  };
  const int64_t scratch_bytes = gpu::ChooseScratchBytes(size.max_chosen, size.n_vocab);
  ROCFORGE_RETURN_IF_ERROR(on_device(&best_parts_, gpu::BestTokenPartBytes(size.max_outputs)));
  ROCFORGE_RETURN_IF_ERROR(on_device(&tokens_, kTokenBytes * size.max_outputs));
  ROCFORGE_RETURN_IF_ERROR(on_device(&choose_scratch_, scratch_bytes));
  ROCFORGE_RETURN_IF_ERROR(on_device(&top_, kTopRowBytes * size.max_chosen));
  ROCFORGE_RETURN_IF_ERROR(on_device(&drawn_, kDrawnBytes * size.max_chosen));
  ROCFORGE_RETURN_IF_ERROR(pinned(&host_tokens_, kTokenBytes * size.max_outputs));
  ROCFORGE_RETURN_IF_ERROR(pinned(&host_top_, kTopRowBytes * size.max_chosen));
  ROCFORGE_RETURN_IF_ERROR(pinned(&host_drawn_, kDrawnBytes * size.max_chosen));
  ROCFORGE_RETURN_IF_ERROR(
      pinned(&host_logits_, size.max_outputs * size.n_vocab * static_cast<int64_t>(sizeof(float))));
  ROCFORGE_RETURN_IF_ERROR(stream.Fill(choose_scratch_.ptr(), 0, scratch_bytes));

  ROCFORGE_ASSIGN_OR_RETURN(find_best_, gpu::BindBestToken(logits, size.n_vocab, best_parts_.ptr(),
                                                           tokens_.ptr(), context));
  ROCFORGE_ASSIGN_OR_RETURN(
      edit_, gpu::BindEditLogits(logits, size.n_vocab, choice.edits, choice.edit_begin, context));
  const auto choose = [&](const gpu::ChooseTarget& target) {
    return gpu::BindChooseTokens(logits, size.n_vocab, choose_scratch_.ptr(), size.max_chosen,
                                 target, context);
  };
  ROCFORGE_ASSIGN_OR_RETURN(find_top_, choose({.top = top_.ptr()}));
  ROCFORGE_ASSIGN_OR_RETURN(draw_, choose({.draws = choice.draws, .drawn = drawn_.ptr()}));
  return {};
}

Status GpuResult::Check(const op::Step& step, const Choice& choice) const {
  ROCFORGE_RETURN_IF_ERROR(CheckChoice(step, choice));
  const bool chosen = choice.wanted == Wanted::kTopTokens ||
                      choice.wanted == Wanted::kDrawnTokens || !choice.edits.empty();
  if (!chosen || step.n_outputs <= size_.max_chosen) return {};
  return InvalidArgument(Format("tokens of {} rows cannot be chosen at once, only of {}",
                                step.n_outputs, size_.max_chosen));
}

Status GpuResult::EnqueueChoice(Wanted wanted, bool edited, const gpu::Stream& stream,
                                const gpu::StepShape& shape) const {
  if (edited) ROCFORGE_RETURN_IF_ERROR(edit_->Enqueue(stream, shape));
  switch (wanted) {
    case Wanted::kLogits:
      return {};
    case Wanted::kBestTokens:
      return find_best_->Enqueue(stream, shape);
    case Wanted::kTopTokens:
      return find_top_->Enqueue(stream, shape);
    case Wanted::kDrawnTokens:
      return draw_->Enqueue(stream, shape);
  }
  return {};
}

Status GpuResult::EnqueueDownload(Wanted wanted, int32_t rows, const gpu::Stream& stream) {
  if (rows == 0) return {};
  const auto bytes = [&](int64_t row_bytes) { return static_cast<size_t>(rows * row_bytes); };
  if (wanted == Wanted::kLogits) {
    return stream.CopyToHost(host_logits_.bytes().first(bytes(size_.n_vocab * 4)), device_logits_);
  }
  if (wanted == Wanted::kTopTokens)
    return stream.CopyToHost(host_top_.bytes().first(bytes(kTopRowBytes)), top_.ptr());
  if (wanted == Wanted::kDrawnTokens)
    return stream.CopyToHost(host_drawn_.bytes().first(bytes(kDrawnBytes)), drawn_.ptr());
  return stream.CopyToHost(host_tokens_.bytes().first(bytes(kTokenBytes)), tokens_.ptr());
}

}  // namespace rocforge::exec
