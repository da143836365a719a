// What a step gives back: rows of logits, or tokens that the device chooses among them. Their
// memory on both sides, and the kernels that choose.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "device/gpu/device.h"
#include "exec/executor.h"
#include "exec/gpu_step.h"
#include "kernels/gpu/launch/bound_op.h"
#include "rocforge/status.h"

namespace rocforge::exec {

class GpuResult {
 public:
  struct Size {
    int64_t n_vocab = 0;
    int64_t max_outputs = 0;  // rows of logits, and of best tokens
    int64_t max_chosen = 0;   // rows of which the best ones are found or a token is drawn
  };
  // Device memory that it takes.
  static int64_t DeviceBytes(const Size& size);

  // logits: where the ops write [n_outputs, n_vocab]; choice: for max_chosen rows.
  Status Create(const Size& size, gpu::DevicePtr logits, const DeviceChoice& choice,
                const gpu::Stream& stream, const gpu::BindContext& context);

  // As CheckChoice; also if that cannot be chosen for so many rows.
  Status Check(const op::Step& step, const Choice& choice) const;
  // After the ops. `edited`: the step has edits.
  Status EnqueueChoice(Wanted wanted, bool edited, const gpu::Stream& stream,
                       const gpu::StepShape& shape) const;
  // Of `rows` rows; they are there once the stream is synchronised.
  Status EnqueueDownload(Wanted wanted, int32_t rows, const gpu::Stream& stream);

  // In the host's memory.
  const float* logits() const { return Host<float>(host_logits_); }
  const int32_t* tokens() const { return Host<int32_t>(host_tokens_); }  // best
  const DrawnToken* drawn() const { return Host<DrawnToken>(host_drawn_); }
  const TopToken* top() const { return Host<TopToken>(host_top_); }
  int64_t n_vocab() const { return size_.n_vocab; }

 private:
  template <typename T>
  static const T* Host(const gpu::PinnedBuffer& buffer) {
    return reinterpret_cast<const T*>(buffer.bytes().data());
  }

  Size size_;
  gpu::DevicePtr device_logits_ = 0;
  gpu::Buffer best_parts_, tokens_, drawn_, choose_scratch_, top_;
  gpu::PinnedBuffer host_logits_, host_tokens_, host_drawn_, host_top_;
  std::unique_ptr<gpu::BoundOp> edit_, find_best_, find_top_, draw_;
};

}  // namespace rocforge::exec
