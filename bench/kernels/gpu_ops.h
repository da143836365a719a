// Ops bound to copies of their operands in device memory: what benchmarks capture in a graph.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "bench/kernels/gpu_target.h"
#include "bench/kernels/ops.h"
#include "kernels/gpu/launch/bound_op.h"

namespace rocforge::bench {

// Matrix products with their own weights; x, outputs and scratch are shared.
class GpuMatMuls {
 public:
  // How a product is bound; null: as the engine binds it.
  using Binder = std::function<Result<std::unique_ptr<gpu::BoundOp>>(
      const op::Call&, const gpu::RowCount&, const gpu::BindContext&)>;

  GpuMatMuls(const GpuTarget& target, int64_t rows, Binder binder = nullptr)
      : target_(target), rows_(rows), binder_(std::move(binder)) {}

  // Room for products of at most so many columns and outputs; `scratch_bytes` 0: what each product
  // asks for.
  Status Reserve(int64_t most_cols, int64_t most_out, int64_t scratch_bytes);
  Status Add(const MatMulCase& test);

  size_t size() const { return bound_.size(); }
  Enqueue enqueue() const;

 private:
  const GpuTarget& target_;
  int64_t rows_;
  Binder binder_;
  gpu::Buffer x_, scratch_, out_[op::MatMul::kMaxWeights];
  std::vector<gpu::Buffer> outgrown_;  // scratch that ops bound earlier point to
  std::vector<gpu::Buffer> weights_;
  std::vector<std::unique_ptr<gpu::BoundOp>> bound_;
};

// Copies of one layer's cache with attention bound to each; the step is shared.
class GpuAttentions {
 public:
  explicit GpuAttentions(const GpuTarget& target) : target_(target) {}
  Status Prepare(const AttentionCase& test);

  size_t size() const { return bound_.size(); }
  Enqueue enqueue() const;

 private:
  Result<gpu::DevicePtr> Upload(const std::vector<int32_t>& values);
  Status PrepareStep(const AttentionCase& test);
  Status Add(const AttentionCase& test);

  const GpuTarget& target_;
  gpu::StepShape shape_;
  gpu::DeviceStep step_;
  gpu::Buffer q_, out_, scratch_;
  std::vector<gpu::Buffer> buffers_;
  std::vector<std::unique_ptr<gpu::BoundOp>> bound_;
};

}  // namespace rocforge::bench
