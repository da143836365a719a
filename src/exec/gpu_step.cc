#include "exec/gpu_step.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "base/format.h"

namespace rocforge::exec {
namespace {

// Arrays start on boundaries of 64 bytes.
size_t Padded(int64_t n) { return (static_cast<size_t>(n) + 15) / 16 * 16; }

}  // namespace

gpu::RowCount ToRowCount(const graph::Rows& rows) {
  using From = graph::RowUnit;
  using To = gpu::RowCount::Unit;
  return {rows.unit == From::kToken    ? To::kToken
          : rows.unit == From::kOutput ? To::kOutput
                                       : To::kConstant,
          rows.count};
}

int32_t KvLengthBucket(int32_t length, int32_t limit) {
  constexpr uint32_t kLeast = 256;
  const auto n = static_cast<uint32_t>(std::max(length, 1));
  const uint32_t unit = std::max(kLeast, std::bit_floor(n) / 4);
  const uint32_t rounded = (n + unit - 1) / unit * unit;
  return std::max(length, std::min(static_cast<int32_t>(rounded), limit));
}

Result<GpuStep> GpuStep::Create(const std::shared_ptr<const gpu::Device>& device,
                                const graph::PlanLimits& limits, int32_t max_sequences,
                                int32_t page_table_stride) {
  GpuStep s;
  s.limits_ = limits;
  s.max_sequences_ = max_sequences;
  size_t end = 0;
  const auto place = [&](size_t* at, int64_t n) {
    *at = end;
    end += Padded(n);
  };
  // Page tables come last: of them only the rows of the step's sequences are copied.
  place(&s.at_.token_ids, limits.max_tokens);
  place(&s.at_.positions, limits.max_tokens);
  place(&s.at_.seq_of_token, limits.max_tokens);
  place(&s.at_.kv_slots, limits.max_tokens);
  place(&s.at_.output_rows, limits.max_outputs);
  place(&s.at_.seq_begin, int64_t{max_sequences} + 1);
  place(&s.at_.kv_len, max_sequences);
  place(&s.at_.draws, max_sequences * static_cast<int64_t>(sizeof(TokenDraw) / sizeof(int32_t)));
  place(&s.at_.page_table, int64_t{max_sequences} * page_table_stride);
  s.at_.end = end;
  const auto bytes = static_cast<int64_t>(end * sizeof(int32_t));
  ROCFORGE_ASSIGN_OR_RETURN(s.pinned_, gpu::PinnedBuffer::Allocate(device, bytes));
  ROCFORGE_ASSIGN_OR_RETURN(s.device_, gpu::Buffer::Allocate(device, bytes));
  std::fill(s.pinned_.bytes().begin(), s.pinned_.bytes().end(), std::byte{0});
  const auto address = [&](size_t at) { return s.device_.ptr() + at * sizeof(int32_t); };
  s.device_step_ = {address(s.at_.token_ids), address(s.at_.positions), address(s.at_.seq_of_token),
                    address(s.at_.seq_begin), address(s.at_.kv_len),    address(s.at_.page_table),
                    page_table_stride,        address(s.at_.kv_slots),  address(s.at_.output_rows)};
  return s;
}

Status GpuStep::Upload(const op::Step& step, std::span<const TokenDraw> draws,
                       const gpu::Stream& stream) {
  if (step.n_tokens < 1 || step.n_tokens > limits_.max_tokens || step.n_outputs < 0 ||
      step.n_outputs > limits_.max_outputs || step.n_seqs < 1 || step.n_seqs > max_sequences_ ||
      step.page_table_stride != device_step_.page_table_stride) {
    return InvalidArgument(
        Format("a step of {} tokens, {} outputs and {} sequences does not fit "
               "the plan's {}, {} and {}",
               step.n_tokens, step.n_outputs, step.n_seqs, limits_.max_tokens, limits_.max_outputs,
               max_sequences_));
  }
  auto* const base = reinterpret_cast<int32_t*>(pinned_.bytes().data());
  std::copy_n(step.token_ids, step.n_tokens, base + at_.token_ids);
  std::copy_n(step.positions, step.n_tokens, base + at_.positions);
  std::copy_n(step.kv_slots, step.n_tokens, base + at_.kv_slots);
  std::copy_n(step.output_rows, step.n_outputs, base + at_.output_rows);
  std::copy_n(step.seq_begin, step.n_seqs + 1, base + at_.seq_begin);
  std::copy_n(step.kv_len, step.n_seqs, base + at_.kv_len);
  if (!draws.empty()) std::memcpy(base + at_.draws, draws.data(), draws.size_bytes());
  for (int32_t s = 0; s < step.n_seqs; ++s) {
    std::fill(base + at_.seq_of_token + step.seq_begin[s],
              base + at_.seq_of_token + step.seq_begin[s + 1], s);
  }
  const size_t table = static_cast<size_t>(step.n_seqs) * step.page_table_stride;
  std::copy_n(step.page_table, table, base + at_.page_table);
  const size_t used = (at_.page_table + table) * sizeof(int32_t);
  return stream.CopyToDevice(device_.ptr(), pinned_.bytes().first(used));
}

gpu::StepShape GpuStep::ShapeOf(const op::Step& step, int32_t page_size) const {
  const int32_t longest = *std::max_element(step.kv_len, step.kv_len + step.n_seqs);
  return {step.n_tokens, step.n_seqs, step.n_outputs,
          KvLengthBucket(longest, device_step_.page_table_stride * page_size)};
}

}  // namespace rocforge::exec
