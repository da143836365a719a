// One launcher per op, or per family of ops that share a kernel file. See bound_op.h; Bind
// (bind.cc) chooses among them.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "base/round_up.h"
#include "kernels/gpu/launch/bound_op.h"

namespace rocforge::gpu {

Result<std::unique_ptr<BoundOp>> BindEmbedRows(const op::Call&, const RowCount&,
                                               const BindContext&);
Result<std::unique_ptr<BoundOp>> BindMatMul(const op::Call&, const RowCount&, const BindContext&);
int64_t MatMulScratchBytes(const op::Call&, const Device&);
Result<std::unique_ptr<BoundOp>> BindMoeMatMul(const op::Call&, const RowCount&,
                                               const BindContext&);
int64_t MoeMatMulScratchBytes(const op::Call&, const Device&);
Result<std::unique_ptr<BoundOp>> BindNorm(const op::Call&, const RowCount&, const BindContext&);
Result<std::unique_ptr<BoundOp>> BindAdd(const op::Call&, const RowCount&, const BindContext&);
Result<std::unique_ptr<BoundOp>> BindScale(const op::Call&, const RowCount&, const BindContext&);
Result<std::unique_ptr<BoundOp>> BindSoftCap(const op::Call&, const RowCount&, const BindContext&);
Result<std::unique_ptr<BoundOp>> BindGlu(const op::Call&, const RowCount&, const BindContext&);
Result<std::unique_ptr<BoundOp>> BindGatherRows(const op::Call&, const RowCount&,
                                                const BindContext&);
Result<std::unique_ptr<BoundOp>> BindMoeRoute(const op::Call&, const RowCount&, const BindContext&);
Result<std::unique_ptr<BoundOp>> BindMoeCombine(const op::Call&, const RowCount&,
                                                const BindContext&);
Result<std::unique_ptr<BoundOp>> BindRopeTable(const op::Call&, const RowCount&,
                                               const BindContext&);
Result<std::unique_ptr<BoundOp>> BindRope(const op::Call&, const RowCount&, const BindContext&);
Result<std::unique_ptr<BoundOp>> BindKvAppend(const op::Call&, const RowCount&, const BindContext&);
Result<std::unique_ptr<BoundOp>> BindRopeKvAppend(const op::Call&, const RowCount&,
                                                  const BindContext&);
Result<std::unique_ptr<BoundOp>> BindAttention(const op::Call&, const RowCount&,
                                               const BindContext&);
int64_t AttentionScratchBytes(const op::Call&, const Device&);

// A BoundOp from a function (stream, shape) -> Status.
template <typename F>
std::unique_ptr<BoundOp> MakeBoundOp(F enqueue) {
  class Bound final : public BoundOp {
   public:
    explicit Bound(F f) : enqueue_(std::move(f)) {}
    Status Enqueue(const Stream& stream, const StepShape& shape) const override {
      return enqueue_(stream, shape);
    }

   private:
    F enqueue_;
  };
  return std::make_unique<Bound>(std::move(enqueue));
}

// Whether launches of kernels that call AwaitPrevious may set LaunchShape::overlap.
inline bool CanOverlap(const BindContext& context) {
  // Older code has no AwaitPrevious, even where the device could overlap.
  const std::string& target = context.modules->target();
  return context.device->api().launch_overlapping != nullptr && target.starts_with("sm_") &&
         target != "sm_80";
}

// Device addresses as the pointers that argument structs hold.
template <typename T>
T* DevicePointer(DevicePtr p) {
  return reinterpret_cast<T*>(static_cast<uintptr_t>(p));
}
inline const float* In(const op::Call& call, size_t i) {
  return static_cast<const float*>(call.in[i].data);
}
inline float* Out(const op::Call& call, size_t i) { return static_cast<float*>(call.out[i].data); }

inline uint32_t CeilDiv(uint64_t n, uint64_t d) { return static_cast<uint32_t>((n + d - 1) / d); }

}  // namespace rocforge::gpu
