// Compares a GPU with the CPU, op by op, after a model was loaded: a driver, a card or a kernel
// that computes wrongly is found before the first token, by the name of the op.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/thread_pool.h"
#include "device/gpu/device.h"
#include "exec/gpu_executor.h"
#include "graph/plan.h"
#include "kernels/cpu/kernels.h"
#include "rocforge/status.h"

namespace rocforge::exec {

struct SelfCheckInput {
  const graph::Plan* plan = nullptr;
  std::span<const std::byte* const> weights;  // by Graph::weights index, as the file has them
  std::span<const op::KvLayer> kv_layers;     // device addresses
  ThreadPool* pool = nullptr;
  cpu::Isa isa = cpu::Isa::kGeneric;
  int32_t page_table_stride = 0;  // of the steps
  // All ops; else those of the first and the last layer and those outside of the layers.
  bool every_op = false;
};

// Runs two steps, a short prompt and one token after it, since few and many tokens take different
// kernels. Each op gets on the CPU the very inputs that it had on the GPU, so errors do not add up
// and the first op that differs is the one at fault. Overwrites the first page of the KV cache.
//
// Tolerances, on |gpu - cpu| / |cpu| (Euclidean norms over an output):
//   * matrices of quantised types 5 %: activations are rounded to 8 bits by blocks of 32. The error
//     of an element is at most half a step, amax / 254, in quadratic mean amax / 440; the block's
//     own quadratic mean is at least amax / sqrt(32). So an input is wrong by at most sqrt(32) /
//     440 = 1.3 %, and a matrix may amplify the error over the signal by a few times. Gate and up
//     multiply: twice that.
//   * F32, F16 and BF16 matrices and attention 1 %: f16 keeps 11 bits, 0.05 %.
//   * everything else 0.1 %: float32 in another order.
// kInternal names the first op that differs, with the numbers. Log level debug has a line for every
// comparison: the op, its rows, the error and what is allowed.
Status CheckGpuAgainstCpu(GpuExecutor& executor, const std::shared_ptr<const gpu::Device>& device,
                          const SelfCheckInput& input);

}  // namespace rocforge::exec
