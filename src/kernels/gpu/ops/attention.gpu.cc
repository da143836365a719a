// Causal attention over paged keys and values (op.h: Attention), with windows, soft-caps and sinks.
// A block per token and head: its waves take keys in turn, each with a running maximum and sum
// (Milakov & Gimelshein 2018), and are merged at the end.
//   Traffic: (head_dim_k + head_dim_v) elements of the cache per visible position and KV head, read
//   by each of the query heads of the group from L2; q and out once.
#include "kernels/gpu/ops/activation.h"
#include "kernels/gpu/ops/attention_args.h"
#include "kernels/gpu/port/port.h"
#include "kernels/gpu/wave/reduce.h"

namespace rocforge::port {
namespace {

constexpr uint32_t kWaves = 4;
constexpr uint32_t kMaxHeadDim = 256;
constexpr uint32_t kPerLane = kMaxHeadDim / kWaveSize;  // columns of a head that a lane holds
constexpr float kNegativeInfinity = -__builtin_inff();

struct AttentionShared {
  float maximum[kWaves];
  float sum[kWaves];
  float value[kWaves][kMaxHeadDim];
};

RF_DEVICE float LoadPage(const void* pages, uint64_t index, uint32_t cache_type) {
  return cache_type == gpu::kCacheF16 ? HalfToFloat(static_cast<const uint16_t*>(pages)[index])
                                      : static_cast<const float*>(pages)[index];
}

// exp(x) for x <= 0, with exp(-inf) = 0.
RF_DEVICE float Exp(float x) { return FastExp2(x * kLog2E); }

}  // namespace

RF_KERNEL(attention_plain, gpu::AttentionArgs, kWaves* kWaveSize) {
  AttentionShared& shared = SharedBlock<AttentionShared>();
  const uint64_t token = BlockId();
  const uint32_t head = BlockIdY();
  const uint32_t kv_head = head / (args.n_heads / args.n_kv_heads);
  const uint32_t lane = LaneId();
  const uint32_t wave = WaveId();
  const int32_t* pages =
      args.page_table + static_cast<uint64_t>(args.seq_of_token[token]) * args.page_table_stride;
  const uint32_t position = static_cast<uint32_t>(args.positions[token]);
  const uint32_t first =
      args.window != 0 && position + 1 > args.window ? position + 1 - args.window : 0;

  float q[kPerLane];
  float value[kPerLane];
  for (uint32_t i = 0; i < kPerLane; ++i) {
    const uint32_t column = lane + i * kWaveSize;
    q[i] = column < args.head_dim_k
               ? args.q[(token * args.n_heads + head) * args.head_dim_k + column]
               : 0.0f;
    value[i] = 0.0f;
  }
  float maximum = kNegativeInfinity;
  float sum = 0.0f;
  for (uint32_t j = first + wave; j <= position; j += kWaves) {
    const uint64_t page = static_cast<uint64_t>(pages[j / args.page_size]);
    const uint64_t row = (page * args.n_kv_heads + kv_head) * args.page_size + j % args.page_size;
    float dot = 0.0f;
    for (uint32_t i = 0; i < kPerLane; ++i) {
      const uint32_t column = lane + i * kWaveSize;
      if (column < args.head_dim_k) {
        dot =
            Fma(q[i], LoadPage(args.k_pages, row * args.head_dim_k + column, args.cache_type), dot);
      }
    }
    float score = WaveSum(dot) * args.scale;
    if (args.softcap > 0.0f) score = args.softcap * Tanh(score / args.softcap);
    const float larger = maximum > score ? maximum : score;
    const float keep = Exp(maximum - larger);
    const float weight = Exp(score - larger);
    maximum = larger;
    sum = sum * keep + weight;
    for (uint32_t i = 0; i < kPerLane; ++i) {
      const uint32_t column = lane + i * kWaveSize;
      if (column < args.head_dim_v) {
        const float v = LoadPage(args.v_pages, row * args.head_dim_v + column, args.cache_type);
        value[i] = Fma(weight, v, value[i] * keep);
      }
    }
  }
  if (lane == 0) {
    shared.maximum[wave] = maximum;
    shared.sum[wave] = sum;
  }
  for (uint32_t i = 0; i < kPerLane; ++i) shared.value[wave][lane + i * kWaveSize] = value[i];
  BlockBarrier();

  // A wave without keys has maximum -inf and sum 0, and adds nothing.
  float total_maximum = args.sinks != nullptr ? args.sinks[head] : kNegativeInfinity;
  for (uint32_t w = 0; w < kWaves; ++w) {
    total_maximum = total_maximum > shared.maximum[w] ? total_maximum : shared.maximum[w];
  }
  float total = args.sinks != nullptr ? Exp(args.sinks[head] - total_maximum) : 0.0f;
  for (uint32_t w = 0; w < kWaves; ++w)
    total += shared.sum[w] * Exp(shared.maximum[w] - total_maximum);
  for (uint32_t column = ThreadId(); column < args.head_dim_v; column += BlockDim()) {
    float mixed = 0.0f;
    for (uint32_t w = 0; w < kWaves; ++w)
      mixed += shared.value[w][column] * Exp(shared.maximum[w] - total_maximum);
    args.out[(token * args.n_heads + head) * args.head_dim_v + column] = mixed / total;
  }
}

}  // namespace rocforge::port
