// Causal attention over paged keys and values (op.h: Attention) for sequences with few tokens in
// the step: decode and draft verification. A block per KV head, split of the positions, and up to
// kRows rows (token and query head) that share each load; the last block of a row block to finish
// merges the splits (flash decoding, Dao et al. 2023; online softmax, Milakov & Gimelshein 2018).
//   Traffic: (head_dim_k + head_dim_v) elements of the cache per visible position and KV head, once
//   per row block; kRows * (head_dim_v + 2) floats written and read per split; q and out once.
//
// kLanes lanes hold a position's row of the cache, eight columns each, so that a wave reads
// kWaveSize / kLanes positions with each 16-byte load, kSteps times before the first use. Scores
// are summed over the lanes by SumSpread, which leaves each lane with few of them: exponentials
// are computed once, and broadcast for the values' turn.
#include "kernels/gpu/ops/activation.h"
#include "kernels/gpu/ops/kv_cache.h"
#include "kernels/gpu/wave/transpose.h"

namespace rocforge::port {
namespace {

using gpu::AttentionDecodeArgs;

// A kernel: rows that share a load, lanes that share a position, steps of loads in flight, threads
// of a block.
template <uint32_t kRowsOf, uint32_t kLanesOf, uint32_t kStepsOf, uint32_t kThreadsOf>
struct DecodeShape {
  static constexpr uint32_t kRows = kRowsOf;
  static constexpr uint32_t kLanes = kLanesOf;
  static constexpr uint32_t kSteps = kStepsOf;
  static constexpr uint32_t kThreads = kThreadsOf;
  static constexpr uint32_t kWaves = kThreads / kWaveSize;
  // With twice the waves a thread has fewer registers: it does not ask for later rounds while it
  // works, which the other waves hide, and finds the head's planes anew in every page.
  static constexpr bool kSparing = kThreads > gpu::kDecodeThreads;
  static constexpr uint32_t kGroups = kWaveSize / kLanes;  // positions of a load
  static constexpr uint32_t kStep = kSteps * kGroups;      // positions of a run
};
// Finite, so that differences of maxima are never NaN; below every score that counts.
constexpr float kNothing = -1e30f;
constexpr float kMasked = -__builtin_inff();

template <typename Shape>
struct alignas(16) DecodeShared {
  static constexpr uint32_t kRows = Shape::kRows;
  static constexpr uint32_t kParts = Shape::kThreads / Shape::kLanes;  // groups of lanes
  float value[kParts][kRows][Shape::kLanes * 8];
  float maximum[kParts][kRows];
  float sum[kParts][kRows];
  uint32_t is_last;
};

// What a block works on; the same for all of its threads.
struct Work {
  uint32_t seq;
  uint32_t kv_head;
  uint32_t group;       // query heads of a KV head
  uint32_t first_row;   // of the sequence's rows, which count [token, head of the group]
  uint32_t n_rows;      // of the block; 0: none
  uint32_t token;       // of the sequence's first row
  uint32_t position;    // the same
  uint32_t last;        // last position that a row of the block sees
  uint32_t begin, end;  // runs of kStep positions of this block
  uint32_t splits;      // that have work

  // Index of a row in [n_tokens, n_heads].
  RF_MEMBER uint64_t StepRow(const gpu::AttentionArgs& a, uint32_t row) const {
    const uint32_t r = first_row + row;
    return uint64_t{token + r / group} * a.n_heads + kv_head * group + r % group;
  }
  RF_MEMBER uint32_t PositionOf(uint32_t row) const { return position + (first_row + row) / group; }
};

RF_DEVICE uint32_t FirstVisible(const gpu::AttentionArgs& a, uint32_t position) {
  return a.window != 0 && position >= a.window ? position + 1 - a.window : 0;
}

// A launch has args.row_blocks row blocks for each KV head. A sequence with more rows than the
// launch was made for takes further passes, which are not split.
template <typename Shape>
RF_DEVICE Work FindWork(const AttentionDecodeArgs& args, uint32_t pass) {
  constexpr uint32_t kRows = Shape::kRows;
  constexpr uint32_t kStep = Shape::kStep;
  const gpu::AttentionArgs& a = args.a;
  Work w{};
  w.seq = BlockIdY();
  const uint32_t split = BlockId() % args.n_splits;
  const uint32_t row_block = BlockId() / args.n_splits % args.row_blocks + pass * args.row_blocks;
  w.kv_head = BlockId() / args.n_splits / args.row_blocks;
  w.group = a.n_heads / a.n_kv_heads;
  w.first_row = row_block * kRows;
  w.token = static_cast<uint32_t>(a.seq_begin[w.seq]);
  const uint32_t count = static_cast<uint32_t>(a.seq_begin[w.seq + 1]) - w.token;
  const uint32_t all_rows = count * w.group;
  if (count > args.max_tokens || w.first_row >= all_rows) return w;
  w.position = static_cast<uint32_t>(a.kv_len[w.seq]) - count;
  const uint32_t n_rows = all_rows - w.first_row < kRows ? all_rows - w.first_row : kRows;
  w.last = w.PositionOf(n_rows - 1);
  const uint32_t first_run = FirstVisible(a, w.PositionOf(0)) / kStep;
  const uint32_t runs = w.last / kStep + 1 - first_run;
  // A split has work for each of its waves.
  w.splits = (runs + Shape::kWaves - 1) / Shape::kWaves;
  w.splits = pass != 0 ? 1 : w.splits < args.n_splits ? w.splits : args.n_splits;
  if (split >= w.splits) return w;
  w.begin = first_run + static_cast<uint32_t>(uint64_t{runs} * split / w.splits);
  w.end = first_run + static_cast<uint32_t>(uint64_t{runs} * (split + 1) / w.splits);
  w.n_rows = n_rows;
  return w;
}

// Asks for the keys and values of a run, in one page.
template <typename Cache, uint32_t kStep>
RF_DEVICE void AskFor(const gpu::AttentionArgs& a, const Work& w, uint32_t page, uint32_t run) {
  const uint64_t plane = uint64_t{page} * a.n_kv_heads + w.kv_head;
  const uint32_t offset = run * kStep % a.page_size;
  if (LaneId() == 0) {
    Cache::Prefetch(a.k_pages + plane * a.k_plane.bytes, a.k_plane.scales, offset, kStep,
                    a.head_dim_k);
  }
  if (LaneId() == 1) {
    Cache::Prefetch(a.v_pages + plane * a.v_plane.bytes, a.v_plane.scales, offset, kStep,
                    a.head_dim_v);
  }
}

// The same for the first rounds of this wave. Only the newest positions are still being written
// when the launch starts.
template <typename Cache, typename Shape>
RF_DEVICE void AskForFirst(const AttentionDecodeArgs& args, const Work& w) {
  const int32_t* pages = args.a.page_table + uint64_t{w.seq} * args.a.page_table_stride;
  const uint32_t runs_per_page = args.a.page_size / Shape::kStep;
  for (uint32_t i = 0; i < args.ahead; ++i) {
    const uint32_t run = w.begin + WaveId() + i * Shape::kWaves;
    if (run < w.end)
      AskFor<Cache, Shape::kStep>(args.a, w, static_cast<uint32_t>(pages[run / runs_per_page]),
                                  run);
  }
}

// One wave's share of the block's positions. await: the launch before this one is still to be
// awaited; what it does not write is loaded before.
template <typename Cache, typename Shape>
RF_DEVICE void Accumulate(const gpu::AttentionArgs& a, uint32_t ahead, bool await, const Work& w,
                          DecodeShared<Shape>& shared) {
  constexpr uint32_t kRows = Shape::kRows;
  constexpr uint32_t kLanes = Shape::kLanes;
  constexpr uint32_t kSteps = Shape::kSteps;
  constexpr uint32_t kWaves = Shape::kWaves;
  constexpr uint32_t kGroups = Shape::kGroups;
  constexpr uint32_t kStep = Shape::kStep;
  using Scores = Spread<kSteps * kRows, kLanes>;  // score of step u and row r: u * kRows + r
  const uint32_t lane = LaneId() % kLanes;
  const uint32_t group = LaneId() / kLanes;
  const uint32_t column = lane * 8;
  const bool has_k = column < a.head_dim_k;
  const bool has_v = column < a.head_dim_v;

  const int32_t* pages = a.page_table + uint64_t{w.seq} * a.page_table_stride;
  const uint64_t k_bytes = a.k_plane.bytes;
  const uint64_t v_bytes = a.v_plane.bytes;
  const uint32_t held_head = Shape::kSparing ? 0 : w.kv_head;
  const uint8_t* k_head = a.k_pages + held_head * k_bytes;
  const uint8_t* v_head = a.v_pages + held_head * v_bytes;
  const uint32_t runs_per_page = a.page_size / kStep;
  uint32_t run = w.begin + WaveId();
  uint32_t page = run < w.end ? static_cast<uint32_t>(pages[run / runs_per_page]) : 0;
  const uint32_t far = Shape::kSparing ? 0 : ahead * kWaves;
  uint32_t far_page =
      far != 0 && run + far < w.end ? static_cast<uint32_t>(pages[(run + far) / runs_per_page]) : 0;
  typename Cache::Raw k[kSteps];
  typename Cache::Raw v[kSteps];
  const auto load = [&] {
    const uint64_t plane = uint64_t{page} * a.n_kv_heads + (w.kv_head - held_head);
    const uint32_t offset = run % runs_per_page * kStep;
    // Positions beyond the last were never written: they load the last one's row, and are masked.
    const uint32_t last_offset = w.last - run * kStep + offset;
#pragma unroll
    for (uint32_t u = 0; u < kSteps; ++u) {
      const uint32_t at = offset + u * kGroups + group;
      const uint32_t from = at < last_offset ? at : last_offset;
      k[u] = typename Cache::Raw{};
      v[u] = typename Cache::Raw{};
      if (has_k) {
        k[u] = Cache::Load(k_head + plane * k_bytes, a.k_plane.scales, from, a.head_dim_k, column);
      }
      if (has_v) {
        v[u] = Cache::Load(v_head + plane * v_bytes, a.v_plane.scales, from, a.head_dim_v, column);
      }
    }
  };
  // Where launches overlap, the first run before q, for which the keys would else wait; and before
  // the launch before this one has ended, unless the run has positions of this step, which that one
  // writes.
  constexpr bool kAhead = kLaunchesOverlap && !Shape::kSparing;
  const bool early = kAhead && await && run < w.end && (run + 1) * kStep <= w.position;
  if (early) load();
  if (await) AwaitPrevious();
  if (kAhead && !early && run < w.end) load();

  float q[kRows][8];
  float value[kRows][8];
  const float q_scale = a.softcap > 0.0f ? a.scale / a.softcap : a.scale * kLog2E;
#pragma unroll
  for (uint32_t r = 0; r < kRows; ++r) {
    typename FloatCache::Raw raw{};
    if (r < w.n_rows && has_k) {
      raw = FloatCache::Load(reinterpret_cast<const uint8_t*>(a.q + w.StepRow(a, r) * a.head_dim_k),
                             0, 0, 0, column);
    }
    FloatCache::Unpack(raw, q[r]);
#pragma unroll
    for (uint32_t c = 0; c < 8; ++c) {
      q[r][c] *= q_scale;
      value[r][c] = 0.0f;
    }
  }
  float maximum[Scores::kHeld];
  float sum[Scores::kHeld];
  uint32_t limit[Scores::kHeld];  // last position that the row sees
#pragma unroll
  for (uint32_t j = 0; j < Scores::kHeld; ++j) {
    maximum[j] = kNothing;
    sum[j] = 0.0f;
    limit[j] = w.PositionOf(Scores::ValueOf(lane, j) % kRows);
  }

  bool loaded = kAhead;
  for (; run < w.end; run += kWaves) {
    if (!loaded) load();
    loaded = false;
    if (run + kWaves < w.end) page = static_cast<uint32_t>(pages[(run + kWaves) / runs_per_page]);
    if (far != 0 && run + far < w.end) {
      AskFor<Cache, kStep>(a, w, far_page, run + far);
      if (run + far + kWaves < w.end)
        far_page = static_cast<uint32_t>(pages[(run + far + kWaves) / runs_per_page]);
    }

    float score[kSteps * kRows];
#pragma unroll
    for (uint32_t u = 0; u < kSteps; ++u) {
      float key[8];
      Cache::Unpack(k[u], key);
#pragma unroll
      for (uint32_t r = 0; r < kRows; ++r) {
        float dot = q[r][0] * key[0];
#pragma unroll
        for (uint32_t c = 1; c < 8; ++c) dot = Fma(q[r][c], key[c], dot);
        score[u * kRows + r] = dot * Cache::Scale(k[u]);
      }
    }
    SumSpread<kLanes>(score);

    bool grew = false;
    float larger[Scores::kHeld];
#pragma unroll
    for (uint32_t j = 0; j < Scores::kHeld; ++j) {
      const uint32_t u = Scores::ValueOf(lane, j) / kRows;
      const uint32_t position = run * kStep + u * kGroups + group;
      if (a.softcap > 0.0f) score[j] = a.softcap * kLog2E * Tanh(score[j]);
      const bool seen = position <= limit[j] && position >= FirstVisible(a, limit[j]);
      score[j] = seen ? score[j] : kMasked;
      // The lanes that differ in the step but not in the row.
      float most = score[j];
#pragma unroll
      for (uint32_t mask = kLanes / 2; mask >= kLanes / kSteps; mask /= 2) {
        const float other = ShuffleXor(most, mask);
        most = most > other ? most : other;
      }
      larger[j] = most > maximum[j] ? most : maximum[j];
      grew = grew || larger[j] > maximum[j];
    }
    if (Ballot(grew) != 0) {
      float keep[Scores::kHeld];
#pragma unroll
      for (uint32_t j = 0; j < Scores::kHeld; ++j) {
        keep[j] = FastExp2(maximum[j] - larger[j]);
        maximum[j] = larger[j];
        sum[j] *= keep[j];
      }
#pragma unroll
      for (uint32_t r = 0; r < kRows; ++r) {
        const float row_keep = ShuffleAmong<kLanes>(keep[Scores::SlotOf(r)], Scores::LaneOf(r));
#pragma unroll
        for (uint32_t c = 0; c < 8; ++c) value[r][c] *= row_keep;
      }
    }
#pragma unroll
    for (uint32_t j = 0; j < Scores::kHeld; ++j) {
      score[j] = FastExp2(score[j] - maximum[j]);
      sum[j] += score[j];
    }
#pragma unroll
    for (uint32_t u = 0; u < kSteps; ++u) {
      float column_values[8];
      Cache::Unpack(v[u], column_values);
#pragma unroll
      for (uint32_t r = 0; r < kRows; ++r) {
        const uint32_t i = u * kRows + r;
        const float weight =
            ShuffleAmong<kLanes>(score[Scores::SlotOf(i)], Scores::LaneOf(i)) * Cache::Scale(v[u]);
#pragma unroll
        for (uint32_t c = 0; c < 8; ++c) value[r][c] = Fma(weight, column_values[c], value[r][c]);
      }
    }
  }

  const uint32_t part = WaveId() * kGroups + group;
#pragma unroll
  for (uint32_t j = 0; j < Scores::kHeld; ++j) {
#pragma unroll
    for (uint32_t mask = kLanes / 2; mask >= kLanes / kSteps; mask /= 2)
      sum[j] += ShuffleXor(sum[j], mask);
    const uint32_t i = Scores::ValueOf(lane, j);
    if (i < kRows) {  // the lanes of step 0
      shared.maximum[part][i] = maximum[j];
      shared.sum[part][i] = sum[j];
    }
  }
#pragma unroll
  for (uint32_t r = 0; r < kRows; ++r) {
#pragma unroll
    for (uint32_t c = 0; c < 8; ++c) shared.value[part][r][column + c] = value[r][c];
  }
}

// The row's result from the maximum, sum and weighted value over all positions.
RF_DEVICE float Finish(const gpu::AttentionArgs& a, uint32_t head, float maximum, float sum,
                       float value) {
  if (a.sinks == nullptr) return value / sum;
  const float sink = a.sinks[head] * kLog2E;
  const float larger = sink > maximum ? sink : maximum;
  const float keep = FastExp2(maximum - larger);
  return value * keep / (sum * keep + FastExp2(sink - larger));
}

// The results of all splits into `out`; first: those of split 0. Four columns a thread; maxima,
// sums and values of kAtOnce splits are fetched at once (measured with 8 splits on an H200: 4 is
// 0.3 us faster than 8 with one row, and 0.3 us slower with four).
template <typename Shape>
RF_DEVICE void MergeSplits(const AttentionDecodeArgs& args, const Work& w, const float* first,
                           uint32_t block_floats) {
  constexpr uint32_t kRows = Shape::kRows;
  constexpr uint32_t kAtOnce = kRows == 1 ? 4 : 8;
  const gpu::AttentionArgs& a = args.a;
  const uint32_t quads = a.head_dim_v / 4;
  for (uint32_t item = ThreadId(); item < w.n_rows * quads; item += Shape::kThreads) {
    const uint32_t r = item / quads;
    const uint32_t column = item % quads * 4;
    const float* values = first + r * a.head_dim_v + column;
    const float* scales = first + kRows * a.head_dim_v + 2 * r;
    float maximum = kNothing;
    float sum = 0.0f;
    float value[4] = {};
    for (uint32_t begin = 0; begin < w.splits; begin += kAtOnce) {
      U32x4 part[kAtOnce];
      float part_maximum[kAtOnce];
      float part_sum[kAtOnce];
#pragma unroll
      for (uint32_t i = 0; i < kAtOnce; ++i) {
        // The last split again where there is none; it gets no weight.
        const bool is = begin + i < w.splits;
        const uint32_t at = (is ? begin + i : w.splits - 1) * block_floats;
        part[i] = LoadGlobal(reinterpret_cast<const U32x4*>(values + at));
        const U32x2 pair = LoadGlobal(reinterpret_cast<const U32x2*>(scales + at));
        part_maximum[i] = is ? BitCast<float>(pair.x) : kMasked;
        part_sum[i] = BitCast<float>(pair.y);
      }
      float larger = maximum;
#pragma unroll
      for (uint32_t i = 0; i < kAtOnce; ++i)
        larger = larger > part_maximum[i] ? larger : part_maximum[i];
      const float keep = FastExp2(maximum - larger);
      maximum = larger;
      sum *= keep;
#pragma unroll
      for (uint32_t c = 0; c < 4; ++c) value[c] *= keep;
#pragma unroll
      for (uint32_t i = 0; i < kAtOnce; ++i) {
        const float weight = FastExp2(part_maximum[i] - maximum);
        sum = Fma(weight, part_sum[i], sum);
        value[0] = Fma(weight, BitCast<float>(part[i].x), value[0]);
        value[1] = Fma(weight, BitCast<float>(part[i].y), value[1]);
        value[2] = Fma(weight, BitCast<float>(part[i].z), value[2]);
        value[3] = Fma(weight, BitCast<float>(part[i].w), value[3]);
      }
    }
    const uint64_t row = w.StepRow(a, r);
#pragma unroll
    for (uint32_t c = 0; c < 4; ++c) {
      a.out[row * a.head_dim_v + column + c] =
          Finish(a, static_cast<uint32_t>(row % a.n_heads), maximum, sum, value[c]);
    }
  }
}

// Merges the parts of a block, and of all splits in the block that finishes last, into `out`.
template <typename Shape>
RF_DEVICE void Merge(const AttentionDecodeArgs& args, const Work& w, DecodeShared<Shape>& shared) {
  using Shared = DecodeShared<Shape>;
  constexpr uint32_t kRows = Shape::kRows;
  constexpr uint32_t kThreads = Shape::kThreads;
  const gpu::AttentionArgs& a = args.a;
  // The rows' values, head_dim_v each; then the maximum and the sum of each row.
  const auto block_floats = static_cast<uint32_t>(gpu::DecodePartialFloats(kRows, a.head_dim_v));
  const uint64_t block = uint64_t{BlockIdY()} * GridDim() + BlockId();
  float* partial = args.partials + block * block_floats;
  const uint32_t quads = a.head_dim_v / 4;
  for (uint32_t item = ThreadId(); item < w.n_rows * quads; item += kThreads) {
    const uint32_t r = item / quads;
    const uint32_t column = item % quads * 4;
    float maximum = kNothing;
#pragma unroll
    for (uint32_t i = 0; i < Shared::kParts; ++i) {
      const float other = shared.maximum[i][r];
      maximum = maximum > other ? maximum : other;
    }
    float sum = 0.0f;
    float value[4] = {};
#pragma unroll 4
    for (uint32_t i = 0; i < Shared::kParts; ++i) {
      const TileChunk part = LoadChunk(reinterpret_cast<const U32x4*>(&shared.value[i][r][column]));
      const float weight = FastExp2(shared.maximum[i][r] - maximum);
      sum = Fma(weight, shared.sum[i][r], sum);
      value[0] = Fma(weight, BitCast<float>(uint32_t{part[0]}), value[0]);
      value[1] = Fma(weight, BitCast<float>(uint32_t{part[1]}), value[1]);
      value[2] = Fma(weight, BitCast<float>(uint32_t{part[2]}), value[2]);
      value[3] = Fma(weight, BitCast<float>(uint32_t{part[3]}), value[3]);
    }
    if (w.splits == 1) {
      const uint64_t row = w.StepRow(a, r);
#pragma unroll
      for (uint32_t c = 0; c < 4; ++c) {
        a.out[row * a.head_dim_v + column + c] =
            Finish(a, static_cast<uint32_t>(row % a.n_heads), maximum, sum, value[c]);
      }
      continue;
    }
#pragma unroll
    for (uint32_t c = 0; c < 4; ++c) partial[r * a.head_dim_v + column + c] = value[c];
    if (column == 0) {
      partial[kRows * a.head_dim_v + 2 * r] = maximum;
      partial[kRows * a.head_dim_v + 2 * r + 1] = sum;
    }
  }
  if (w.splits == 1) return;

  const uint32_t row_block = BlockId() / args.n_splits;  // with the KV head
  uint32_t* counter =
      args.counters + uint64_t{BlockIdY()} * (GridDim() / args.n_splits) + row_block;
  if (!IsLastBlock(counter, w.splits, shared.is_last)) return;
  MergeSplits<Shape>(args, w, args.partials + (block - BlockId() % args.n_splits) * block_floats,
                     block_floats);
}

template <typename Cache, typename Shape>
RF_DEVICE void Decode(const AttentionDecodeArgs& args) {
  LetNextStart();
  DecodeShared<Shape>& shared = SharedBlock<DecodeShared<Shape>>();
  for (uint32_t pass = 0;; ++pass) {
    const Work w = FindWork<Shape>(args, pass);
    if (w.n_rows == 0) {
      if (pass == 0) AwaitPrevious();  // as everywhere: the launch ends after the one before it
      return;
    }
    AskForFirst<Cache, Shape>(args, w);
    Accumulate<Cache>(args.a, args.ahead, pass == 0, w, shared);
    BlockBarrier();
    Merge(args, w, shared);
    BlockBarrier();
  }
}

}  // namespace

// Names: cache type, rows that share a load, lanes that share a position; blocks that registers
// must allow on an NVIDIA multiprocessor (0: as ptxas likes; it spills some of the others' to make
// room for more blocks). _wide: twice the threads, for steps whose sequences fill the card unsplit.
#define RF_DECODE_OF(name, Cache, cache_type, rows, lanes, threads, blocks)           \
  RF_KERNEL_RESIDENT(name, gpu::AttentionDecodeArgs, threads, blocks) {               \
    constexpr uint32_t kSteps = gpu::DecodeSteps(cache_type, rows, lanes, kWaveSize); \
    Decode<Cache, DecodeShape<rows, lanes, kSteps, threads>>(args);                   \
  }
#define RF_DECODE(type, Cache, cache_type, rows, lanes, blocks)                              \
  RF_DECODE_OF(attention_decode_##type##_r##rows##_l##lanes, Cache, cache_type, rows, lanes, \
               gpu::kDecodeThreads, blocks)
#define RF_DECODE_WIDE(type, Cache, cache_type, rows, lanes, blocks)                         \
  RF_DECODE_OF(attention_decode_##type##_r##rows##_l##lanes##_wide, Cache, cache_type, rows, \
               lanes, 2 * gpu::kDecodeThreads, blocks)

RF_DECODE(f16, HalfCache, gpu::kCacheF16, 1, 8, 4)
RF_DECODE(f16, HalfCache, gpu::kCacheF16, 1, 16, 4)
RF_DECODE(f16, HalfCache, gpu::kCacheF16, 1, 32, 4)
RF_DECODE(f16, HalfCache, gpu::kCacheF16, 4, 8, 3)
RF_DECODE(f16, HalfCache, gpu::kCacheF16, 4, 16, 3)
RF_DECODE(f16, HalfCache, gpu::kCacheF16, 4, 32, 3)
RF_DECODE(f16, HalfCache, gpu::kCacheF16, 8, 8, 2)
RF_DECODE(f16, HalfCache, gpu::kCacheF16, 8, 16, 2)
RF_DECODE(f16, HalfCache, gpu::kCacheF16, 8, 32, 2)
RF_DECODE(f32, FloatCache, gpu::kCacheF32, 4, 8, 3)
RF_DECODE(f32, FloatCache, gpu::kCacheF32, 4, 16, 3)
RF_DECODE(f32, FloatCache, gpu::kCacheF32, 4, 32, 3)
RF_DECODE(q8_0, Q8Cache, gpu::kCacheQ8, 1, 8, 0)
RF_DECODE(q8_0, Q8Cache, gpu::kCacheQ8, 1, 16, 0)
RF_DECODE(q8_0, Q8Cache, gpu::kCacheQ8, 1, 32, 4)
RF_DECODE(q8_0, Q8Cache, gpu::kCacheQ8, 4, 8, 3)
RF_DECODE(q8_0, Q8Cache, gpu::kCacheQ8, 4, 16, 3)
RF_DECODE(q8_0, Q8Cache, gpu::kCacheQ8, 4, 32, 3)
RF_DECODE_WIDE(f16, HalfCache, gpu::kCacheF16, 4, 16, 2)
RF_DECODE_WIDE(q8_0, Q8Cache, gpu::kCacheQ8, 4, 16, 2)

#undef RF_DECODE_WIDE
#undef RF_DECODE
#undef RF_DECODE_OF

}  // namespace rocforge::port
