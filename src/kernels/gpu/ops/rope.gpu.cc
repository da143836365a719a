// Rotary embedding (op.h: RopeTable, Rope, RopeKvAppend, KvAppend). One kernel serves the last
// three: a block takes some heads of a token, a thread one column of each. What a block does is one
// chain of dependent steps, so that a prompt wants fewer blocks with more loads each.
#include "kernels/gpu/ops/rope_args.h"
#include "kernels/gpu/port/port.h"

namespace rocforge::port {
namespace {

// sin and cos of a product of a position and a frequency, accurate to a few 1e-7 for angles up to
// 2^20: the angle is formed and reduced to [-pi/4, pi/4] in two floats (Cody & Waite), because pos
// * frequency in one float loses 2^-24 of the whole angle.
struct SinCos {
  float sin, cos;
};

RF_DEVICE SinCos AccurateSinCos(float position, float frequency, float frequency_rest) {
  constexpr float kTwoOverPi = 0.63661977236758134308f;
  constexpr float kPio2Hi = 1.57079637050628662109375f;  // pi/2 rounded to float
  constexpr float kPio2Lo = -4.371139000186243e-8f;      // the rest
  const float angle = position * frequency;
  const float angle_low = Fma(position, frequency_rest, Fma(position, frequency, -angle));
  const float k = __builtin_rintf(angle * kTwoOverPi);
  float r = Fma(-k, kPio2Hi, angle);
  r = Fma(-k, kPio2Lo, r) + angle_low;
  const float r2 = r * r;
  // Taylor series to r^9 and r^8: the first terms left out are below 2e-9 for |r| <= pi/4.
  const float s =
      r * (1.0f + r2 * (-1.6666667e-1f +
                        r2 * (8.3333333e-3f + r2 * (-1.9841270e-4f + r2 * 2.7557319e-6f))));
  const float c =
      1.0f + r2 * (-0.5f + r2 * (4.1666667e-2f + r2 * (-1.3888889e-3f + r2 * 2.4801587e-5f)));
  const int32_t quadrant = static_cast<int32_t>(k) & 3;
  const float sine = (quadrant & 1) != 0 ? c : s;
  const float cosine = (quadrant & 1) != 0 ? s : c;
  return {(quadrant & 2) != 0 ? -sine : sine, ((quadrant + 1) & 2) != 0 ? -cosine : cosine};
}

// Column i of position `offset` in a plane of `dim` columns.
RF_DEVICE void StorePlain(uint8_t* plane, uint32_t offset, uint32_t dim, uint32_t i, float value,
                          uint32_t cache_type) {
  const uint32_t index = offset * dim + i;
  if (cache_type == gpu::kCacheF16) {
    reinterpret_cast<uint16_t*>(plane)[index] = FloatToHalf(value);
  } else {
    reinterpret_cast<float*>(plane)[index] = value;
  }
}

// The same for a cache of Q8_0, quantised as kernels/op/kv_page.h says. All lanes call it; those
// with i >= dim hold the value 0.
RF_DEVICE void StoreQ8(uint8_t* plane, uint32_t scales, uint32_t offset, uint32_t dim, uint32_t i,
                       float value) {
  uint32_t most = BitCast<uint32_t>(value) & 0x7FFFFFFFu;
#pragma unroll
  for (uint32_t mask = gpu::kCacheBlock / 2; mask != 0; mask /= 2) {
    const uint32_t other = ShuffleXor(most, mask);
    most = most > other ? most : other;
  }
  const uint16_t half = FloatToHalf(BitCast<float>(most) * (1.0f / 127.0f));
  const float scale = HalfToFloat(half);
  const bool usable = scale > 0.0f && scale < __builtin_inff();
  const float q = value * (usable ? 1.0f / scale : 0.0f);
  if (i >= dim) return;
  // Comparisons that a NaN fails.
  const float low = q > -127.0f ? q : -127.0f;
  const int32_t quant = static_cast<int32_t>(__builtin_rintf(low < 127.0f ? low : 127.0f));
  plane[offset * dim + i] = static_cast<uint8_t>(quant);
  if (i % gpu::kCacheBlock == 0) {
    const uint32_t blocks = (dim + gpu::kCacheBlock - 1) / gpu::kCacheBlock;
    reinterpret_cast<uint16_t*>(plane + scales)[offset * blocks + i / gpu::kCacheBlock] = half;
  }
}

// What becomes of column i of every head of a token. The row of the table is found behind the test
// for nullptr: a pointer that may be either makes the compiler forget that it is global, and AMD's
// generic ("flat") loads wait for two counters and cannot add a scalar base.
struct Rotation {
  uint32_t other;  // the column that it is turned with; i where it stays as it is
  float cosine = 1.0f;
  float sine = 0.0f;

  RF_MEMBER static Rotation Of(const gpu::RopeKvArgs& args, uint64_t token, uint32_t i) {
    Rotation r = {i};
    if (args.table == nullptr || i >= args.rope_dim) return r;
    const float* table = args.table + token * args.rope_dim;
    const uint32_t half = args.rope_dim / 2;
    const uint32_t pair = args.neox != 0 ? i % half : i / 2;
    const bool is_first = args.neox != 0 ? i < half : i % 2 == 0;
    const uint32_t apart = args.neox != 0 ? half : 1;
    r.other = is_first ? i + apart : i - apart;
    r.cosine = table[2 * pair];
    r.sine = table[2 * pair + 1];
    return r;
  }
  // Nothing of the table is used before this: the heads are on their way with it. What stays as it
  // is may be infinite.
  RF_MEMBER float operator()(float own, float turned_with, uint32_t i) const {
    if (other == i) return own;
    return own * cosine + (other > i ? -turned_with : turned_with) * sine;
  }
};

// Column i of up to kHeads heads, all on their way at once. Heads lie `dim` columns apart.
template <uint32_t kHeads>
struct HeadColumns {
  float own[kHeads] = {};
  float other[kHeads] = {};

  RF_MEMBER void Load(const float* from, uint32_t count, uint32_t dim, uint32_t i, uint32_t with) {
    if (i >= dim) return;
#pragma unroll
    for (uint32_t h = 0; h < kHeads; ++h) {
      if (h >= count) continue;
      own[h] = from[h * dim + i];
      other[h] = from[h * dim + with];
    }
  }
};

// A block's heads of the queries, rotated.
template <uint32_t kHeads>
RF_DEVICE void RotateQueries(const gpu::RopeKvArgs& args, uint64_t token, uint32_t head,
                             uint32_t count) {
  const uint32_t i = ThreadId();
  const uint64_t at = (token * args.n_heads + head) * args.head_dim;
  const Rotation rotation = Rotation::Of(args, token, i);
  HeadColumns<kHeads> columns;
  columns.Load(args.q + at, count, args.head_dim, i, rotation.other);
  BlockBarrier();
  if (i >= args.head_dim) return;
#pragma unroll
  for (uint32_t h = 0; h < kHeads; ++h) {
    if (h < count)
      args.q_out[at + h * args.head_dim + i] = rotation(columns.own[h], columns.other[h], i);
  }
}

// A block's heads of the keys, rotated, or of the values, to position `slot` of the cache.
template <uint32_t kHeads, bool kKeys>
RF_DEVICE void Append(const gpu::RopeKvArgs& args, uint64_t token, uint32_t slot, uint32_t head,
                      uint32_t count) {
  const uint32_t i = ThreadId();
  const uint32_t dim = kKeys ? args.head_dim : args.head_dim_v;
  const float* from = kKeys ? args.k : args.v;
  const gpu::CachePlane shape = kKeys ? args.k_plane : args.v_plane;
  Rotation rotation = {i};
  if constexpr (kKeys) rotation = Rotation::Of(args, token, i);
  HeadColumns<kHeads> columns;
  columns.Load(from + (token * args.n_kv_heads + head) * dim, count, dim, i, rotation.other);
  const uint64_t page = slot / args.page_size;
  const uint32_t offset = slot % args.page_size;
  uint8_t* plane =
      (kKeys ? args.k_pages : args.v_pages) + (page * args.n_kv_heads + head) * shape.bytes;
#pragma unroll
  for (uint32_t h = 0; h < kHeads; ++h) {
    if (h >= count) continue;
    const float value = i < dim ? rotation(columns.own[h], columns.other[h], i) : 0.0f;
    if (args.cache_type == gpu::kCacheQ8) {
      StoreQ8(plane + h * shape.bytes, shape.scales, offset, dim, i, value);
    } else if (i < dim) {
      StorePlain(plane + h * shape.bytes, offset, dim, i, value, args.cache_type);
    }
  }
}

template <uint32_t kHeads>
RF_DEVICE void RopeKv(const gpu::RopeKvArgs& args) {
  LetNextStart();
  const uint64_t token = BlockIdY();
  // The step's slots are there before its first launch.
  const uint32_t slot = args.slots == nullptr ? 0 : static_cast<uint32_t>(args.slots[token]);
  AwaitPrevious();
  const auto count = [](uint32_t n_heads, uint32_t head) {
    return n_heads - head < kHeads ? n_heads - head : kHeads;
  };
  const uint32_t q_blocks = args.q == nullptr ? 0 : (args.n_heads + kHeads - 1) / kHeads;
  const uint32_t k_blocks = args.k == nullptr ? 0 : (args.n_kv_heads + kHeads - 1) / kHeads;
  if (BlockId() < q_blocks) {
    const uint32_t head = BlockId() * kHeads;
    RotateQueries<kHeads>(args, token, head, count(args.n_heads, head));
  } else if (BlockId() < q_blocks + k_blocks) {
    const uint32_t head = (BlockId() - q_blocks) * kHeads;
    Append<kHeads, true>(args, token, slot, head, count(args.n_kv_heads, head));
  } else {
    const uint32_t head = (BlockId() - q_blocks - k_blocks) * kHeads;
    Append<kHeads, false>(args, token, slot, head, count(args.n_kv_heads, head));
  }
}

}  // namespace

// A thread per token and pair.
RF_KERNEL(rope_table, gpu::RopeTableArgs, 256) {
  LetNextStart();
  AwaitPrevious();
  const uint32_t half = args.rope_dim / 2;
  const uint32_t i = BlockId() * BlockDim() + ThreadId();
  if (i >= args.n_tokens * half) return;
  const float* frequency = args.inverse_frequency + 2 * (i % half);
  const SinCos value =
      AccurateSinCos(static_cast<float>(args.positions[i / half]), frequency[0], frequency[1]);
  args.table[2 * i] = value.cos * args.magnitude;
  args.table[2 * i + 1] = value.sin * args.magnitude;
}

// BlockIdY is the token; BlockId counts groups of heads of q, then of k, then of v. Heads have at
// most 512 columns; q is read whole before it is written, so that it may be rotated in place.
RF_KERNEL(rope_kv, gpu::RopeKvArgs, 512) { RopeKv<1>(args); }
RF_KERNEL(rope_kv_heads, gpu::RopeKvArgs, 512) { RopeKv<gpu::kRopeHeads>(args); }

}  // namespace rocforge::port
