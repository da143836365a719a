#include "bench/kernels/gpu_ops.h"

#include <algorithm>
#include <bit>
#include <optional>
#include <utility>

#include "base/format.h"
#include "kernels/gpu/layout/weights.h"
#include "kernels/gpu/ops/gemm_args.h"

namespace rocforge::bench {
namespace {

using gpu::Buffer;
using gpu::RowCount;

// A family of bound ops as one graph.
template <typename Ops>
class GpuOp final : public PreparedOp {
 public:
  explicit GpuOp(const GpuTarget& target, Ops ops) : target_(target), ops_(std::move(ops)) {}

  Status Capture() {
    ROCFORGE_ASSIGN_OR_RETURN(graph_, TimedGraph::Capture(target_.device(), target_.stream(),
                                                          ops_.size(), ops_.enqueue()));
    return {};
  }

  Result<double> Sample() override {
    ROCFORGE_ASSIGN_OR_RETURN(const double seconds, graph_.Replay(target_.stream()));
    return seconds / static_cast<double>(graph_.count());
  }

 private:
  const GpuTarget& target_;
  Ops ops_;
  TimedGraph graph_;
};

template <typename Ops>
Prepared Captured(const GpuTarget& target, Ops ops) {
  auto op = std::make_unique<GpuOp<Ops>>(target, std::move(ops));
  ROCFORGE_RETURN_IF_ERROR(op->Capture());
  return std::unique_ptr<PreparedOp>(std::move(op));
}

// Packed matrices, unpacked to the same tiles by the kernel that works before a matrix product.
class GpuUnpacks {
 public:
  explicit GpuUnpacks(const GpuTarget& target) : target_(target) {}

  Status Prepare(const DequantCase& test) {
    if (!gpu::CanPack(test.type))
      return Unsupported(Format("weights of type {} on a GPU", Name(test.type)));
    const op::TensorDesc table = test.table();
    ROCFORGE_ASSIGN_OR_RETURN(kernel_, target_.modules().Find("unpack", "unpack"));
    ROCFORGE_ASSIGN_OR_RETURN(tiles_, target_.Zeroes(test.UnpackedBytes()));
    // Whatever the weights are: the work does not depend on it.
    const int32_t one = std::bit_cast<int32_t>(1.0f);
    ROCFORGE_ASSIGN_OR_RETURN(magnitude_, target_.Integers({&one, 1}));
    const size_t copies = target_.CopiesOf(table.bytes());
    for (size_t i = 0; i < copies; ++i) {
      ROCFORGE_ASSIGN_OR_RETURN(Buffer weights, target_.Weights(table));
      gpu::UnpackArgs args{};
      args.weight = gpu::DescribeWeight(table, Pointer(weights));
      args.magnitude = static_cast<const uint32_t*>(Pointer(magnitude_));
      args.tiles = Pointer(tiles_);
      args.stride = static_cast<uint64_t>(test.rows);
      args.n_rows = static_cast<uint32_t>(test.rows);
      args.glu_part = 2;
      args_.push_back(args);
      weights_.push_back(std::move(weights));
    }
    return {};
  }

  size_t size() const { return args_.size(); }
  Enqueue enqueue() const {
    return [this](const gpu::Stream& stream, size_t i) {
      constexpr uint32_t kThreads = 256;
      const gpu::UnpackArgs& args = args_[i];
      const auto wave = static_cast<uint32_t>(target_.device()->info().wave_size);
      const uint32_t waves_per_row = ((args.weight.n_units + 1) / 2 * 2 + wave - 1) / wave;
      const uint32_t waves_per_block = kThreads / wave;
      const uint32_t blocks = (args.n_rows * waves_per_row + waves_per_block - 1) / waves_per_block;
      return stream.Launch(kernel_, {blocks, 1, kThreads, false}, &args);
    };
  }

 private:
  const GpuTarget& target_;
  gpu::Kernel kernel_;
  Buffer tiles_, magnitude_;
  std::vector<Buffer> weights_;
  std::vector<gpu::UnpackArgs> args_;
};

}  // namespace

Status GpuMatMuls::Reserve(int64_t most_cols, int64_t most_out, int64_t scratch_bytes) {
  ROCFORGE_ASSIGN_OR_RETURN(x_, target_.Floats(most_cols * rows_));
  for (Buffer& out : out_) {
    ROCFORGE_ASSIGN_OR_RETURN(out, target_.Zeroes(most_out * rows_ * 4));
  }
  if (scratch_bytes > 0) {
    ROCFORGE_ASSIGN_OR_RETURN(scratch_, target_.Zeroes(scratch_bytes));
  }
  return {};
}

Status GpuMatMuls::Add(const MatMulCase& test) {
  std::vector<op::Operand> in = {{{DType::kF32, 1, rows_, test.cols}, Pointer(x_)}};
  for (size_t i = 0; i < test.types.size(); ++i) {
    const op::TensorDesc desc{test.types[i], 1, test.n_out[i], test.cols};
    ROCFORGE_ASSIGN_OR_RETURN(Buffer weights, target_.Weights(desc));
    in.push_back({desc, Pointer(weights)});
    weights_.push_back(std::move(weights));
  }
  const bool glu = test.params.glu.kind != op::GluKind::kNone;
  std::vector<op::Operand> out;
  for (size_t i = 0; i < (glu ? 1 : test.types.size()); ++i)
    out.push_back({{DType::kF32, 1, rows_, test.n_out[i]}, Pointer(out_[i])});
  if (test.params.has_residual) in.push_back(out[0]);
  const op::Params params = test.params;
  const op::Call call{&params, in, out, nullptr, nullptr};
  const RowCount rows{RowCount::Unit::kToken, 1};
  std::unique_ptr<gpu::BoundOp> bound;
  if (binder_) {
    ROCFORGE_ASSIGN_OR_RETURN(bound, binder_(call, rows, target_.Context(scratch_)));
  } else {
    const int64_t needed = gpu::ScratchBytes(call, *target_.device());
    if (needed > scratch_.bytes()) {
      // Ops bound before keep the address of the old one.
      outgrown_.push_back(std::move(scratch_));
      ROCFORGE_ASSIGN_OR_RETURN(scratch_, target_.Zeroes(needed));
    }
    ROCFORGE_ASSIGN_OR_RETURN(bound, gpu::Bind(call, rows, target_.Context(scratch_)));
  }
  ROCFORGE_RETURN_IF_ERROR(bound->WeightsReady(target_.stream()));
  ROCFORGE_RETURN_IF_ERROR(target_.stream().Synchronize());
  bound_.push_back(std::move(bound));
  return {};
}

Enqueue GpuMatMuls::enqueue() const {
  return [this](const gpu::Stream& stream, size_t i) {
    return bound_[i]->Enqueue(stream, {static_cast<int32_t>(rows_), 1, 1, 0});
  };
}

Status GpuAttentions::Prepare(const AttentionCase& test) {
  shape_ = {test.n_tokens(), test.n_seqs, test.n_seqs, test.context};
  const int64_t width = int64_t{test.n_heads} * test.head_dim;
  ROCFORGE_ASSIGN_OR_RETURN(q_, target_.Floats(test.n_tokens() * width));
  ROCFORGE_ASSIGN_OR_RETURN(out_, target_.Zeroes(test.n_tokens() * width * 4));
  ROCFORGE_RETURN_IF_ERROR(PrepareStep(test));
  const size_t copies = target_.CopiesOf(2 * test.cache_bytes());
  for (size_t i = 0; i < copies; ++i) ROCFORGE_RETURN_IF_ERROR(Add(test));
  return {};
}

Result<gpu::DevicePtr> GpuAttentions::Upload(const std::vector<int32_t>& values) {
  ROCFORGE_ASSIGN_OR_RETURN(Buffer buffer, target_.Integers(values));
  buffers_.push_back(std::move(buffer));
  return buffers_.back().ptr();
}

Status GpuAttentions::PrepareStep(const AttentionCase& test) {
  const AttentionStep arrays(test);
  ROCFORGE_ASSIGN_OR_RETURN(step_.positions, Upload(arrays.positions));
  ROCFORGE_ASSIGN_OR_RETURN(step_.seq_of_token, Upload(arrays.seq_of_token));
  ROCFORGE_ASSIGN_OR_RETURN(step_.seq_begin, Upload(arrays.seq_begin));
  ROCFORGE_ASSIGN_OR_RETURN(step_.kv_len, Upload(arrays.kv_len));
  ROCFORGE_ASSIGN_OR_RETURN(step_.page_table, Upload(arrays.page_table));
  step_.page_table_stride = test.pages();
  return {};
}

Status GpuAttentions::Add(const AttentionCase& test) {
  const std::vector<std::byte> page = test.RandomPage();
  const auto page_bytes = static_cast<int64_t>(page.size());
  ROCFORGE_ASSIGN_OR_RETURN(Buffer k, target_.Repeat(page.data(), page_bytes, test.cache_bytes()));
  ROCFORGE_ASSIGN_OR_RETURN(Buffer v, target_.Repeat(page.data(), page_bytes, test.cache_bytes()));
  const op::KvLayer kv{Pointer(k),      Pointer(v),    test.kv_type, test.page_size,
                       test.n_kv_heads, test.head_dim, test.head_dim};
  const op::TensorDesc rows{DType::kF32, 1, test.n_tokens(), int64_t{test.n_heads} * test.head_dim};
  const op::Operand in[] = {{rows, Pointer(q_)}};
  const op::Operand out[] = {{rows, Pointer(out_)}};
  const op::Params params = test.Params();
  const op::Call call{&params, in, out, nullptr, &kv};
  if (scratch_.bytes() == 0) {
    ROCFORGE_ASSIGN_OR_RETURN(scratch_, target_.Zeroes(gpu::ScratchBytes(call, *target_.device())));
  }
  gpu::BindContext context = target_.Context(scratch_);
  context.step = step_;
  ROCFORGE_ASSIGN_OR_RETURN(auto bound, gpu::Bind(call, {RowCount::Unit::kToken, 1}, context));
  bound_.push_back(std::move(bound));
  buffers_.push_back(std::move(k));
  buffers_.push_back(std::move(v));
  return {};
}

Enqueue GpuAttentions::enqueue() const {
  return [this](const gpu::Stream& stream, size_t i) { return bound_[i]->Enqueue(stream, shape_); };
}

Prepared PrepareMatMul(const GpuTarget& target, const MatMulCase& test) {
  GpuMatMuls ops(target, test.rows);
  const int64_t most_out = *std::max_element(test.n_out.begin(), test.n_out.end());
  ROCFORGE_RETURN_IF_ERROR(ops.Reserve(test.cols, most_out, 0));
  const size_t copies = target.CopiesOf(static_cast<int64_t>(test.weight_bytes()));
  for (size_t i = 0; i < copies; ++i) ROCFORGE_RETURN_IF_ERROR(ops.Add(test));
  return Captured(target, std::move(ops));
}

Prepared PrepareDequant(const GpuTarget& target, const DequantCase& test) {
  GpuUnpacks ops(target);
  ROCFORGE_RETURN_IF_ERROR(ops.Prepare(test));
  return Captured(target, std::move(ops));
}

Prepared PrepareAttention(const GpuTarget& target, const AttentionCase& test) {
  GpuAttentions ops(target);
  ROCFORGE_RETURN_IF_ERROR(ops.Prepare(test));
  return Captured(target, std::move(ops));
}

}  // namespace rocforge::bench
