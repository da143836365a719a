// Attention over the pages of one layer: decode of 1 and 32 sequences, prompts, and drafts.
#include <string>

#include "base/format.h"
#include "bench/kernels/gpu_ops.h"
#include "bench/micro/gpu/bench.h"

namespace rocforge::gpu::bench {
namespace {

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
};

void Case(Bench& bench, const Heads& heads, const StepSize& size, DType cache) {
  const std::string name = Format("attention {} {}, {} x {} tok, ctx {}", heads.name, Name(cache),
                                  size.n_seqs, size.tokens, size.context);
  if (!bench.Wants(name)) return;
  const rocforge::bench::AttentionCase test{
      .n_heads = heads.n_heads,
      .n_kv_heads = heads.n_kv_heads,
      .head_dim = heads.head_dim,
      .n_seqs = size.n_seqs,
      .tokens = size.tokens,
      .context = size.context,
      .kv_type = cache,
  };
  rocforge::bench::GpuAttentions layers(bench.target());
  const Status status = layers.Prepare(test);
  if (!status.ok()) return bench.Fail(name, status);
  // Products only: query i of a sequence sees context - tokens + i + 1 positions.
  const double seen =
      static_cast<double>(test.n_tokens()) * (size.context - size.tokens + 0.5 * (size.tokens + 1));
  bench.Run(
      name, layers.size(), layers.enqueue(),
      {2.0 * static_cast<double>(test.cache_bytes()), 4.0 * seen * heads.n_heads * heads.head_dim});
}

void Attention(Bench& bench) {
  for (const Heads& heads : {k7B, k8B}) {
    for (const int32_t n_seqs : {1, 32}) {
      for (const int32_t context : {512, 4096, 32768}) {
        // 17 GB a layer would be no longer a layer.
        if (int64_t{n_seqs} * context * heads.n_kv_heads > int64_t{1} << 24) continue;
        for (const DType type : {DType::kF16, DType::kQ8_0})
          Case(bench, heads, {n_seqs, 1, context}, type);
      }
    }
    Case(bench, heads, {1, 2048, 2048}, DType::kF16);
    for (const DType type : {DType::kF16, DType::kQ8_0}) {
      Case(bench, heads, {1, 512, 512}, type);
      Case(bench, heads, {1, 512, 8192}, type);
    }
    Case(bench, heads, {1, 4, 4096}, DType::kF16);
    Case(bench, heads, {1, 16, 4096}, DType::kF16);
  }
  Case(bench, kGemma, {1, 1, 4096}, DType::kF16);
  Case(bench, kGemma, {1, 512, 512}, DType::kF16);
}

[[maybe_unused]] const bool registered = Register(Attention);

}  // namespace
}  // namespace rocforge::gpu::bench
