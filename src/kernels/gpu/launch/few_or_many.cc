// Where the matrix-vector kernels end and the matrix product begins.
#include <utility>

#include "kernels/gpu/launch/gemm.h"

namespace rocforge::gpu {
namespace {

class FewOrMany final : public BoundOp {
 public:
  FewOrMany(std::unique_ptr<BoundOp> few, std::unique_ptr<BoundOp> many, const RowCount& rows,
            int64_t min_rows, const OpConfigs& configs)
      : few_(std::move(few)),
        many_(std::move(many)),
        rows_(rows),
        min_rows_(min_rows),
        configs_(configs) {}
  Status WeightsReady(const Stream& stream) override {
    ROCFORGE_RETURN_IF_ERROR(few_->WeightsReady(stream));
    return many_->WeightsReady(stream);
  }
  bool TakeNorm(const op::Call& norm) override { return few_->TakeNorm(norm); }
  bool TakesNorm(const StepShape& shape) const override {
    return IsFew(shape) && few_->TakesNorm(shape);
  }
  Status Enqueue(const Stream& stream, const StepShape& shape) const override {
    return (IsFew(shape) ? *few_ : *many_).Enqueue(stream, shape);
  }

 private:
  bool IsFew(const StepShape& shape) const {
    const int64_t n_rows = rows_.At(shape);
    const GemmUnit tuned = configs_[RowBucket(n_rows)].unit;
    return tuned == GemmUnit::kAuto ? n_rows < min_rows_ : tuned == GemmUnit::kMatvec;
  }

  std::unique_ptr<BoundOp> few_;
  std::unique_ptr<BoundOp> many_;
  RowCount rows_;
  int64_t min_rows_;
  OpConfigs configs_;
};

}  // namespace

int64_t WithGemmScratchBytes(const op::Call& call, const Device& device) {
  return call.out[0].desc.rows < GemmMinRows(call, device) ? 0 : GemmScratchBytes(call);
}

Result<std::unique_ptr<BoundOp>> WithGemm(std::unique_ptr<BoundOp> few, const op::Call& call,
                                          const RowCount& rows, const BindContext& context) {
  const int64_t min_rows = GemmMinRows(call, *context.device);
  if (call.out[0].desc.rows < min_rows) return few;
  ROCFORGE_ASSIGN_OR_RETURN(std::unique_ptr<BoundOp> many, BindGemm(call, rows, context));
  return std::unique_ptr<BoundOp>(std::make_unique<FewOrMany>(
      std::move(few), std::move(many), rows, min_rows, ConfigsOf(context.tuning, call)));
}

}  // namespace rocforge::gpu
