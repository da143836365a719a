#include "exec/gpu_step.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <tuple>
#include <utility>

#include "base/format.h"
#include "base/round_up.h"

namespace rocforge::exec {
namespace {

// Arrays start on boundaries of 64 bytes.
size_t Padded(int64_t n) { return static_cast<size_t>(RoundUp(n, 16)); }

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

GpuStep::Offsets GpuStep::OffsetsOf(const graph::PlanLimits& limits, int32_t max_sequences,
                                    int32_t page_table_stride) {
  constexpr auto kDraw = static_cast<int64_t>(sizeof(TokenDraw) / sizeof(int32_t));
  constexpr auto kEdit = static_cast<int64_t>(sizeof(LogitEdit) / sizeof(int32_t));
  Offsets at;
  const auto place = [&](size_t* offset, int64_t n) {
    *offset = at.end;
    at.end += Padded(n);
  };
  place(&at.token_ids, limits.max_tokens);
  place(&at.positions, limits.max_tokens);
  place(&at.seq_of_token, limits.max_tokens);
  place(&at.kv_slots, limits.max_tokens);
  place(&at.output_rows, limits.max_outputs);
  place(&at.seq_begin, int64_t{max_sequences} + 1);
  place(&at.kv_len, max_sequences);
  place(&at.draws, max_sequences * kDraw);
  // From here on what is not used is not copied: of page tables the rows behind those of the step's
  // sequences, unless there are edits.
  place(&at.page_table, int64_t{max_sequences} * page_table_stride);
  place(&at.edit_begin, int64_t{max_sequences} * std::tuple_size_v<EditLists> + 1);
  place(&at.edits, max_sequences * static_cast<int64_t>(kMostEdits) * kEdit);
  return at;
}

int64_t GpuStep::DeviceBytes(const graph::PlanLimits& limits, int32_t max_sequences,
                             int32_t page_table_stride) {
  return static_cast<int64_t>(OffsetsOf(limits, max_sequences, page_table_stride).end *
                              sizeof(int32_t));
}

Result<GpuStep> GpuStep::Create(const std::shared_ptr<const gpu::Device>& device,
                                const graph::PlanLimits& limits, int32_t max_sequences,
                                int32_t page_table_stride) {
  GpuStep s;
  s.limits_ = limits;
  s.max_sequences_ = max_sequences;
  s.at_ = OffsetsOf(limits, max_sequences, page_table_stride);
  const int64_t bytes = DeviceBytes(limits, max_sequences, page_table_stride);
  ROCFORGE_ASSIGN_OR_RETURN(s.pinned_, gpu::PinnedBuffer::Allocate(device, bytes));
  ROCFORGE_ASSIGN_OR_RETURN(s.device_, gpu::Buffer::Allocate(device, bytes));
  std::fill(s.pinned_.bytes().begin(), s.pinned_.bytes().end(), std::byte{0});
  const auto address = [&](size_t at) { return s.AddressOf(at); };
  s.device_step_ = {address(s.at_.token_ids), address(s.at_.positions), address(s.at_.seq_of_token),
                    address(s.at_.seq_begin), address(s.at_.kv_len),    address(s.at_.page_table),
                    page_table_stride,        address(s.at_.kv_slots),  address(s.at_.output_rows)};
  return s;
}

size_t GpuStep::PlaceEdits(std::span<const EditLists> rows) {
  auto* const base = reinterpret_cast<int32_t*>(pinned_.bytes().data());
  int32_t* begin = base + at_.edit_begin;
  auto* const edits = reinterpret_cast<LogitEdit*>(base + at_.edits);
  size_t n = 0;
  *begin = 0;
  for (const EditLists& row : rows) {
    for (const std::span<const LogitEdit> list : row) {
      std::copy(list.begin(), list.end(), edits + n);
      n += list.size();
      *++begin = static_cast<int32_t>(n);
    }
  }
  return at_.edits + n * sizeof(LogitEdit) / sizeof(int32_t);
}

Status GpuStep::Upload(const op::Step& step, const Choice& choice, const gpu::Stream& stream) {
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
  if (!choice.draws.empty())
    std::memcpy(base + at_.draws, choice.draws.data(), choice.draws.size_bytes());
  for (int32_t s = 0; s < step.n_seqs; ++s) {
    std::fill(base + at_.seq_of_token + step.seq_begin[s],
              base + at_.seq_of_token + step.seq_begin[s + 1], s);
  }
  const size_t table = static_cast<size_t>(step.n_seqs) * step.page_table_stride;
  std::copy_n(step.page_table, table, base + at_.page_table);
  const size_t used = choice.edits.empty() ? at_.page_table + table : PlaceEdits(choice.edits);
  return stream.CopyToDevice(device_.ptr(), pinned_.bytes().first(used * sizeof(int32_t)));
}

gpu::StepShape GpuStep::ShapeOf(const op::Step& step, int32_t page_size) const {
  const int32_t longest = *std::max_element(step.kv_len, step.kv_len + step.n_seqs);
  return {step.n_tokens, step.n_seqs, step.n_outputs,
          KvLengthBucket(longest, device_step_.page_table_stride * page_size)};
}

}  // namespace rocforge::exec
