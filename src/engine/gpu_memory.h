// Does a model fit a GPU, and if not, what would? Arithmetic only.
#pragma once

#include <cstdint>
#include <string>

#include "rocforge/status.h"
#include "tensor/dtype.h"

namespace rocforge::engine {

// What a model asks of the GPU, in bytes, and the options that decide it.
struct GpuNeed {
  int64_t weights = 0;
  int64_t kv = 0;
  int64_t work = 0;  // activations, scratch, step arrays
  int64_t free = 0;
  int64_t total = 0;  // of the device
  int32_t n_ctx = 0;
  int32_t max_sequences = 1;
  int32_t max_batch_tokens = 0;
  DType kv_type = DType::kF16;
  int64_t kv_f16 = 0;   // what the cache would take as f16,
  int64_t kv_q8_0 = 0;  // and as q8_0

  // The driver keeps some memory for itself: page tables, graphs, fragments.
  int64_t reserve() const;
  int64_t needed() const { return weights + kv + work + reserve(); }
};

// Ok, or kResourceExhausted with the numbers and the options with which it would fit.
Status CheckGpuMemory(const GpuNeed& need);

}  // namespace rocforge::engine
