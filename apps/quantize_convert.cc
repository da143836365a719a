#include "apps/quantize_convert.h"

#include <algorithm>
#include <mutex>
#include <span>
#include <vector>

#include "base/format.h"
#include "quant/quant.h"

namespace rocforge::apps {
namespace {

// Input of one piece of work: enough rows for all threads, little enough for the memory and for a
// lively progress bar.
constexpr int64_t kPieceBytes = int64_t{16} << 20;
constexpr int64_t kGrainElements = 8192;

// The first row that failed, over all threads.
class FirstError {
 public:
  void Add(int64_t row, Status status) {
    const std::lock_guard lock(mutex_);
    if (row_ >= 0 && row_ <= row) return;
    row_ = row;
    status_ = std::move(status);
  }
  Status Take(const std::string& tensor) const {
    if (status_.ok() || status_.code() == StatusCode::kCancelled) return status_;
    return status_.WithContext(Format("tensor '{}', row {}", EscapeForTerminal(tensor, 80), row_));
  }

 private:
  std::mutex mutex_;
  int64_t row_ = -1;
  Status status_;
};

// Rows of one tensor, from its type to another.
class RowConverter {
 public:
  RowConverter(const TensorPlan& plan, const ConvertHooks& hooks)
      : plan_(plan),
        hooks_(hooks),
        row_elements_(plan.source->shape.row_elements()),
        rows_per_expert_(plan.source->shape.rank() >= 2 ? plan.source->shape.dim(-2) : 1),
        in_row_bytes_(RowBytes(plan.source->dtype, row_elements_).value()),
        out_row_bytes_(RowBytes(plan.dtype, row_elements_).value()) {}

  int64_t in_row_bytes() const { return in_row_bytes_; }
  int64_t out_row_bytes() const { return out_row_bytes_; }

  // Rows [begin, end) to out, on all threads.
  Status Convert(int64_t begin, int64_t end, ThreadPool* pool, std::byte* out) const {
    FirstError error;
    const int64_t grain =
        std::max<int64_t>(1, kGrainElements / std::max<int64_t>(1, row_elements_));
    pool->ParallelFor(end - begin, grain, [&](int64_t first, int64_t last) {
      std::vector<float> weights(static_cast<size_t>(row_elements_));
      for (int64_t r = first; r < last; ++r) {
        Status status = hooks_.cancelled()
                            ? Cancelled("")
                            : ConvertRow(begin + r, weights, out + r * out_row_bytes_);
        if (status.ok()) continue;
        error.Add(begin + r, std::move(status));
        return;
      }
    });
    return error.Take(plan_.source->name);
  }

 private:
  Status ConvertRow(int64_t row, std::span<float> weights, std::byte* out) const {
    const std::byte* in = plan_.source->data.data() + row * in_row_bytes_;
    ROCFORGE_RETURN_IF_ERROR(quant::DecodeRow(plan_.source->dtype, in, weights));
    std::span<const float> importance;
    if (plan_.importance != nullptr) {
      const int64_t expert = row / rows_per_expert_;
      importance = std::span(*plan_.importance)
                       .subspan(static_cast<size_t>(expert * row_elements_),
                                static_cast<size_t>(row_elements_));
    }
    return quant::EncodeRow(plan_.dtype, weights, importance, out);
  }

  const TensorPlan& plan_;
  const ConvertHooks& hooks_;
  int64_t row_elements_;
  int64_t rows_per_expert_;
  int64_t in_row_bytes_;
  int64_t out_row_bytes_;
};

Status CopyTensor(const TensorPlan& tensor, const ConvertHooks& hooks, ConvertProgress* progress,
                  gguf::Writer* writer) {
  std::span<const std::byte> rest = tensor.source->data;
  while (!rest.empty()) {
    if (hooks.cancelled()) return Cancelled("");
    const auto piece = rest.first(std::min(rest.size(), static_cast<size_t>(kPieceBytes)));
    ROCFORGE_RETURN_IF_ERROR(writer->Append(piece));
    rest = rest.subspan(piece.size());
    progress->source_bytes += piece.size();
    hooks.progress(*progress);
  }
  return {};
}

Status ConvertTensor(const TensorPlan& tensor, const ConvertHooks& hooks, ThreadPool* pool,
                     ConvertProgress* progress, gguf::Writer* writer) {
  const RowConverter rows(tensor, hooks);
  const int64_t n = tensor.source->shape.rows();
  const int64_t piece =
      std::max<int64_t>(1, kPieceBytes / std::max<int64_t>(1, rows.in_row_bytes()));
  std::vector<std::byte> out;
  for (int64_t begin = 0; begin < n; begin += piece) {
    const int64_t end = std::min(n, begin + piece);
    out.resize(static_cast<size_t>((end - begin) * rows.out_row_bytes()));
    ROCFORGE_RETURN_IF_ERROR(rows.Convert(begin, end, pool, out.data()));
    ROCFORGE_RETURN_IF_ERROR(writer->Append(out));
    progress->source_bytes += static_cast<uint64_t>((end - begin) * rows.in_row_bytes());
    hooks.progress(*progress);
  }
  return {};
}

}  // namespace

Status Convert(const QuantizePlan& plan, const ConvertHooks& hooks, ThreadPool* pool,
               gguf::Writer* writer) {
  ConvertProgress progress;
  for (size_t i = 0; i < writer->tensors_done(); ++i) {
    progress.source_bytes += plan.tensors[i].source->data.size();
  }
  for (size_t i = writer->tensors_done(); i < plan.tensors.size(); ++i) {
    const TensorPlan& tensor = plan.tensors[i];
    progress.tensor = i;
    hooks.progress(progress);
    ROCFORGE_RETURN_IF_ERROR(tensor.dtype == tensor.source->dtype
                                 ? CopyTensor(tensor, hooks, &progress, writer)
                                 : ConvertTensor(tensor, hooks, pool, &progress, writer));
  }
  return writer->Finish();
}

}  // namespace rocforge::apps
