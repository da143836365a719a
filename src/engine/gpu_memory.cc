#include "engine/gpu_memory.h"

#include <algorithm>
#include <vector>

#include "base/format.h"

namespace rocforge::engine {
namespace {

std::string Bytes(int64_t bytes) {
  return FormatBytes(static_cast<uint64_t>(std::max<int64_t>(0, bytes)));
}

// Single options that make the model fit, the least painful first.
std::vector<std::string> WhatWouldFit(const GpuNeed& need) {
  constexpr int32_t kSmallBatch = 64;
  constexpr int64_t kShortestContext = 256;
  constexpr int64_t kStep = 256;
  std::vector<std::string> options;
  const int64_t missing = need.needed() - need.free;
  if (need.kv_type == DType::kF32 && need.kv - need.kv_f16 >= missing)
    options.push_back("--kv-type f16");
  else if (need.kv_type != DType::kQ8_0 && need.kv - need.kv_q8_0 >= missing)
    options.push_back("--kv-type q8_0");
  if (need.max_batch_tokens > kSmallBatch &&
      need.work - need.work * kSmallBatch / need.max_batch_tokens >= missing) {
    options.push_back(Format("--batch {}", kSmallBatch));
  }
  if (need.kv > missing && need.n_ctx > 0) {
    const double share = static_cast<double>(need.kv - missing) / static_cast<double>(need.kv);
    const int64_t ctx = static_cast<int64_t>(share * need.n_ctx) / kStep * kStep;
    if (ctx >= kShortestContext) options.push_back(Format("--ctx {}", ctx));
  }
  return options;
}

}  // namespace

int64_t GpuNeed::reserve() const { return std::min<int64_t>(int64_t{256} << 20, total / 50); }

Status CheckGpuMemory(const GpuNeed& need) {
  if (need.needed() <= need.free) return {};
  std::string advice;
  for (const std::string& option : WhatWouldFit(need))
    advice += (advice.empty() ? "it fits with " : " or ") + option;
  if (advice.empty()) {
    advice = need.weights + need.reserve() > need.free
                 ? "the weights alone do not fit: use a smaller quantisation, or --device cpu"
                 : "use a smaller --ctx and --batch, or --device cpu";
  }
  return ResourceExhausted(
      Format("the model needs {} of GPU memory (weights {}, KV cache for {} token{} {}, work space "
             "{}, reserve {}) and {} of {} are free; {}",
             Bytes(need.needed()), Bytes(need.weights),
             need.max_sequences == 1 ? Format("{}", need.n_ctx)
                                     : Format("{} x {}", need.max_sequences, need.n_ctx),
             need.n_ctx == 1 ? "" : "s", Bytes(need.kv), Bytes(need.work), Bytes(need.reserve()),
             Bytes(need.free), Bytes(need.total), advice));
}

}  // namespace rocforge::engine
