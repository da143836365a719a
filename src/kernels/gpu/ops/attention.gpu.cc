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

// Column `column` of position `offset` in a plane of `dim` columns.
RF_DEVICE float LoadPlane(const uint8_t* plane, uint32_t scales, uint32_t offset, uint32_t dim,
                          uint32_t column, uint32_t cache_type) {
  const uint32_t index = offset * dim + column;
  if (cache_type == gpu::kCacheF16)
    return HalfToFloat(reinterpret_cast<const uint16_t*>(plane)[index]);
  if (cache_type == gpu::kCacheF32) return reinterpret_cast<const float*>(plane)[index];
  const uint32_t blocks = (dim + gpu::kCacheBlock - 1) / gpu::kCacheBlock;
  const uint16_t scale = reinterpret_cast<const uint16_t*>(
      plane + scales)[offset * blocks + column / gpu::kCacheBlock];
  return static_cast<float>(static_cast<int32_t>(static_cast<int8_t>(plane[index]))) *
         HalfToFloat(scale);
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
    const uint32_t offset = j % args.page_size;
    const uint8_t* k_plane = args.k_pages + (page * args.n_kv_heads + kv_head) * args.k_plane.bytes;
    const uint8_t* v_plane = args.v_pages + (page * args.n_kv_heads + kv_head) * args.v_plane.bytes;
    float dot = 0.0f;
    for (uint32_t i = 0; i < kPerLane; ++i) {
      const uint32_t column = lane + i * kWaveSize;
      if (column < args.head_dim_k) {
        dot = Fma(q[i],
                  LoadPlane(k_plane, args.k_plane.scales, offset, args.head_dim_k, column,
                            args.cache_type),
                  dot);
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
        const float v = LoadPlane(v_plane, args.v_plane.scales, offset, args.head_dim_v, column,
                                  args.cache_type);
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
