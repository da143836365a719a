// Attention over the pages of one layer: decode of 1 and 32 sequences, prompts, and drafts.
#include <string>
#include <utility>
#include <vector>

#include "base/format.h"
#include "bench/micro/gpu/bench.h"
#include "kernels/op/step.h"

namespace rocforge::gpu::bench {
namespace {

constexpr int32_t kPageSize = 32;

struct Heads {
  const char* name;
  int32_t n_heads, n_kv_heads, head_dim;
};
constexpr Heads k7B{"7B", 32, 32, 128};
constexpr Heads k8B{"8B", 32, 8, 128};
constexpr Heads kGemma{"256-column heads", 16, 8, 256};

// n_seqs sequences that each have `tokens` in this step and `context` positions with them.
struct StepSize {
  int32_t n_seqs = 1;
  int32_t tokens = 1;
  int32_t context = 512;

  int64_t n_tokens() const { return int64_t{n_seqs} * tokens; }
  int32_t pages() const { return (context + kPageSize - 1) / kPageSize; }
};

// Copies of one layer's cache with the op bound to each; the step is shared.
class Layers {
 public:
  explicit Layers(Bench& bench) : bench_(bench) {}

  Status Prepare(const Heads& heads, const StepSize& size, DType cache) {
    size_ = size;
    params_.n_heads = heads.n_heads;
    params_.n_kv_heads = heads.n_kv_heads;
    params_.head_dim_k = params_.head_dim_v = heads.head_dim;
    params_.scale = 0.0884f;
    const int64_t width = int64_t{heads.n_heads} * heads.head_dim;
    ROCFORGE_ASSIGN_OR_RETURN(q_, bench_.Floats(size.n_tokens() * width));
    ROCFORGE_ASSIGN_OR_RETURN(out_, bench_.Zeroes(size.n_tokens() * width * 4));
    ROCFORGE_RETURN_IF_ERROR(PrepareStep());
    const int64_t rows = int64_t{size.n_seqs} * size.pages() * kPageSize * heads.n_kv_heads;
    const op::TensorDesc pages{cache, 1, rows, heads.head_dim};
    const size_t copies = bench_.CopiesOf(2 * pages.bytes());
    for (size_t i = 0; i < copies; ++i) ROCFORGE_RETURN_IF_ERROR(Add(pages));
    return {};
  }

  size_t size() const { return bound_.size(); }
  Bench::Enqueue enqueue() const {
    const StepShape shape{static_cast<int32_t>(size_.n_tokens()), size_.n_seqs, size_.n_seqs,
                          size_.context};
    return
        [this, shape](const Stream& stream, size_t i) { return bound_[i]->Enqueue(stream, shape); };
  }

 private:
  Result<DevicePtr> Upload(const std::vector<int32_t>& values) {
    ROCFORGE_ASSIGN_OR_RETURN(
        Buffer buffer,
        Buffer::Allocate(bench_.device(), static_cast<int64_t>(values.size() * sizeof(int32_t))));
    ROCFORGE_RETURN_IF_ERROR(
        bench_.stream().CopyToDevice(buffer.ptr(), std::as_bytes(std::span(values))));
    ROCFORGE_RETURN_IF_ERROR(bench_.stream().Synchronize());
    step_buffers_.push_back(std::move(buffer));
    return step_buffers_.back().ptr();
  }

  Status PrepareStep() {
    std::vector<int32_t> positions, seq_of_token, seq_begin = {0}, kv_len, pages;
    for (int32_t s = 0; s < size_.n_seqs; ++s) {
      for (int32_t i = 0; i < size_.tokens; ++i) {
        positions.push_back(size_.context - size_.tokens + i);
        seq_of_token.push_back(s);
      }
      seq_begin.push_back(static_cast<int32_t>(positions.size()));
      kv_len.push_back(size_.context);
    }
    // Neighbouring pages of a sequence lie apart, as they do after some use.
    const int32_t n = size_.n_seqs * size_.pages();
    for (int32_t i = 0; i < n; ++i) pages.push_back(static_cast<int32_t>(int64_t{i} * 7919 % n));
    if (n % 7919 == 0) return Internal("page numbers would repeat");
    ROCFORGE_ASSIGN_OR_RETURN(step_.positions, Upload(positions));
    ROCFORGE_ASSIGN_OR_RETURN(step_.seq_of_token, Upload(seq_of_token));
    ROCFORGE_ASSIGN_OR_RETURN(step_.seq_begin, Upload(seq_begin));
    ROCFORGE_ASSIGN_OR_RETURN(step_.kv_len, Upload(kv_len));
    ROCFORGE_ASSIGN_OR_RETURN(step_.page_table, Upload(pages));
    step_.page_table_stride = size_.pages();
    return {};
  }

  Status Add(const op::TensorDesc& pages) {
    ROCFORGE_ASSIGN_OR_RETURN(Buffer k, bench_.Weights(pages));
    ROCFORGE_ASSIGN_OR_RETURN(Buffer v, bench_.Weights(pages));
    const op::KvLayer kv{Pointer(k),         Pointer(v),         pages.dtype,       kPageSize,
                         params_.n_kv_heads, params_.head_dim_k, params_.head_dim_v};
    const int64_t width = int64_t{params_.n_heads} * params_.head_dim_k;
    const op::Operand in[] = {{{DType::kF32, 1, size_.n_tokens(), width}, Pointer(q_)}};
    const op::Operand out[] = {{{DType::kF32, 1, size_.n_tokens(), width}, Pointer(out_)}};
    const op::Params params = params_;
    const op::Call call{&params, in, out, nullptr, &kv};
    if (scratch_.bytes() == 0) {
      ROCFORGE_ASSIGN_OR_RETURN(scratch_, bench_.Zeroes(ScratchBytes(call, *bench_.device())));
    }
    BindContext context = bench_.Context(scratch_);
    context.step = step_;
    ROCFORGE_ASSIGN_OR_RETURN(auto bound, Bind(call, {RowCount::Unit::kToken, 1}, context));
    bound_.push_back(std::move(bound));
    caches_.push_back(std::move(k));
    caches_.push_back(std::move(v));
    return {};
  }

  Bench& bench_;
  StepSize size_;
  op::Attention params_;
  DeviceStep step_;
  Buffer q_, out_, scratch_;
  std::vector<Buffer> step_buffers_, caches_;
  std::vector<std::unique_ptr<BoundOp>> bound_;
};

void Case(Bench& bench, const Heads& heads, const StepSize& size, DType cache) {
  const std::string name = Format("attention {} {}, {} x {} tok, ctx {}", heads.name, Name(cache),
                                  size.n_seqs, size.tokens, size.context);
  if (!bench.Wants(name)) return;
  Layers layers(bench);
  const Status status = layers.Prepare(heads, size, cache);
  if (!status.ok()) return bench.Fail(name, status);
  const op::TensorDesc pages{cache, 1, int64_t{size.n_seqs} * size.context * heads.n_kv_heads,
                             heads.head_dim};
  // Query i of a sequence sees context - tokens + i + 1 positions.
  const double seen =
      static_cast<double>(size.n_tokens()) * (size.context - size.tokens + 0.5 * (size.tokens + 1));
  bench.Run(
      name, layers.size(), layers.enqueue(),
      {2.0 * static_cast<double>(pages.bytes()), 4.0 * seen * heads.n_heads * heads.head_dim});
}

void Attention(Bench& bench) {
  for (const Heads& heads : {k7B, k8B}) {
    for (const int32_t n_seqs : {1, 32}) {
      for (const int32_t context : {512, 4096, 32768}) {
        // 17 GB a layer would be no longer a layer.
        if (int64_t{n_seqs} * context * heads.n_kv_heads > int64_t{1} << 24) continue;
        Case(bench, heads, {n_seqs, 1, context}, DType::kF16);
      }
    }
    for (const int32_t tokens : {512, 2048}) Case(bench, heads, {1, tokens, tokens}, DType::kF16);
    Case(bench, heads, {1, 512, 8192}, DType::kF16);
    Case(bench, heads, {1, 4, 4096}, DType::kF16);
    Case(bench, heads, {1, 16, 4096}, DType::kF16);
  }
  Case(bench, kGemma, {1, 1, 4096}, DType::kF16);
  Case(bench, kGemma, {1, 512, 512}, DType::kF16);
}

[[maybe_unused]] const bool registered = Register(Attention);

}  // namespace
}  // namespace rocforge::gpu::bench
