// Paged attention. A tile is some tokens of one sequence times some heads of one KV head's group:
// its rows share every key and value that is loaded. The keys are taken in chunks that start at
// multiples of kPositions; each chunk gives a partial result (maximum, sum, weighted values), and
// the partial results of a row are folded in the order of the chunks (online softmax, Milakov &
// Gimelshein 2018; Dao et al. 2022). Chunks and their order depend on positions alone, so a row's
// result does not depend on the other rows of the step, nor on threads.
//
// Usually a thread takes a whole tile. If there are fewer tiles than the team needs (a decode step
// of one long sequence), threads take single chunks of tiles, kWaveChunks at a time, and the
// folding follows.
//
// Positions of a Q8_0 cache are decoded some at a time into floats that stay in the first-level
// cache, where all rows of the tile use them.
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/cpu/common/drivers.h"
#include "kernels/cpu/common/parallel.h"
#include "kernels/op/kv_page.h"

namespace rocforge::cpu::common {
namespace {

constexpr int32_t kPositions = 128;  // of a chunk
constexpr int32_t kTileRows = 24;    // wanted rows of a tile: tokens times heads
constexpr int32_t kMaxRows = 32;     // at most
constexpr int64_t kWaveChunks = 16;
constexpr int64_t kMaxSplitRows = 256;          // rows of a step whose tiles are split
constexpr int32_t kDecodePositions = 16;        // of Q8_0 that are decoded at a time
constexpr int64_t kSerialProducts = 64 * 1024;  // below, one thread is as quick as several

struct Tile {
  int32_t seq;
  int32_t token;  // first, of the step
  int32_t n_tokens;
  int32_t position;  // of the first token
};

// Results of a tile's rows so far, or of one chunk.
struct Partial {
  float* maximum;  // [rows]
  float* sum;      // [rows]; 0: nothing was visible
  float* values;   // [rows, head_dim_v], not yet divided by sum

  Partial(ScratchCutter& cutter, int64_t rows, int64_t head_dim_v)
      : maximum(cutter.Take<float>(rows)),
        sum(cutter.Take<float>(rows)),
        values(cutter.Take<float>(rows * head_dim_v)) {}
};

struct ThreadScratch {
  const float** q;  // [kMaxRows]
  float* scores;    // [kMaxRows, kPositions]
  float* decoded;   // [kDecodePositions, head_dim_k or head_dim_v]
  Partial chunk, total;

  ThreadScratch(ScratchCutter& cutter, int64_t head_dim_k, int64_t head_dim_v)
      : q(cutter.Take<const float*>(kMaxRows)),
        scores(cutter.Take<float>(int64_t{kMaxRows} * kPositions)),
        decoded(cutter.Take<float>(kDecodePositions * std::max(head_dim_k, head_dim_v))),
        chunk(cutter, kMaxRows, head_dim_v),
        total(cutter, kMaxRows, head_dim_v) {}
};

int64_t PartialBytes(int64_t rows, int64_t head_dim_v) {
  ScratchCutter cutter(nullptr);
  Partial(cutter, rows, head_dim_v);
  return cutter.used_bytes();
}

int64_t ThreadBytes(const op::Attention& params) {
  ScratchCutter cutter(nullptr);
  ThreadScratch(cutter, params.head_dim_k, params.head_dim_v);
  return cutter.used_bytes();
}

class AttentionRun {
 public:
  AttentionRun(const op::Call& call, const Context& context, const Primitives& isa)
      : params_(std::get<op::Attention>(*call.params)),
        step_(*call.step),
        kv_(*call.kv),
        isa_(isa),
        context_(context),
        q_(call.in[0].f32()),
        sinks_(params_.has_sinks ? call.in[1].f32() : nullptr),
        out_(call.out[0].f32_out()),
        kv_type_(call.kv->dtype == DType::kF16 ? 1 : 0),
        group_(params_.n_heads / params_.n_kv_heads),
        heads_per_tile_(std::min(group_, kMaxRows)),
        head_blocks_((group_ + heads_per_tile_ - 1) / heads_per_tile_),
        thread_bytes_(ThreadBytes(params_)) {
    ScratchCutter cutter(context.scratch);
    tiles_ = cutter.Take<Tile>(step_.n_tokens);
    threads_ = cutter.Take<std::byte>(context.pool->size() * thread_bytes_);
    split_ = cutter.Take<std::byte>(0);
    MakeTiles();
  }

  void Run() {
    const int64_t n_items = n_tiles_ * params_.n_kv_heads * head_blocks_;
    const int team = context_.pool->size();
    const bool serial = products_ < kSerialProducts;
    const bool few = n_items < 2 * team && n_items * kMaxRows <= kMaxSplitRows;
    if (!serial && team > 1 && few && most_chunks_ > 1) return RunSplit(n_items);
    ForItems(context_, n_items, serial, [&](int member, int64_t item) {
      // Later tiles see more positions: longest first balances best.
      RunItem(ItemOf(n_items - 1 - item), member);
    });
  }

 private:
  // A tile with its heads [head, head + n_heads), all of kv_head's group.
  struct Item {
    Tile tile;
    int32_t kv_head;
    int32_t head;
    int32_t n_heads;
    int32_t rows() const { return tile.n_tokens * n_heads; }
  };

  void MakeTiles() {
    const int32_t tokens_per_tile = std::max(1, kTileRows / heads_per_tile_);
    for (int32_t s = 0; s < step_.n_seqs; ++s) {
      const int32_t end = step_.seq_begin[s + 1];
      for (int32_t t = step_.seq_begin[s]; t < end; t += tokens_per_tile) {
        const Tile tile{s, t, std::min(tokens_per_tile, end - t), step_.kv_len[s] - (end - t)};
        tiles_[n_tiles_++] = tile;
        const int64_t visible = LastPosition(tile) + 1 - FirstVisible(tile.position);
        products_ +=
            visible * tile.n_tokens * params_.n_heads * (params_.head_dim_k + params_.head_dim_v);
        most_chunks_ = std::max<int64_t>(most_chunks_, EndChunk(tile) - FirstChunk(tile));
      }
    }
  }

  static int32_t LastPosition(const Tile& tile) { return tile.position + tile.n_tokens - 1; }
  int32_t FirstVisible(int32_t position) const {
    return params_.window > 0 ? std::max(0, position - params_.window + 1) : 0;
  }
  int32_t FirstChunk(const Tile& tile) const { return FirstVisible(tile.position) / kPositions; }
  static int32_t EndChunk(const Tile& tile) { return LastPosition(tile) / kPositions + 1; }

  Item ItemOf(int64_t item) const {
    const int32_t block = static_cast<int32_t>(item % head_blocks_);
    const int32_t kv_head = static_cast<int32_t>(item / head_blocks_ % params_.n_kv_heads);
    const int32_t first = block * heads_per_tile_;
    return {tiles_[item / head_blocks_ / params_.n_kv_heads], kv_head, kv_head * group_ + first,
            std::min(heads_per_tile_, group_ - first)};
  }

  ThreadScratch ScratchOf(int member) const {
    ScratchCutter cutter(threads_ + member * thread_bytes_);
    return ThreadScratch(cutter, params_.head_dim_k, params_.head_dim_v);
  }

  // Row of q and of the output, [token, head], of a tile's row i = [token of the tile, head of it].
  int64_t StepRow(const Item& item, int32_t i) const {
    const int64_t token = item.tile.token + i / item.n_heads;
    return token * params_.n_heads + item.head + i % item.n_heads;
  }

  // Calls f(rows, count, offset from `begin`) for runs of positions in [begin, end) that lie within
  // one page; rows are elements of the cache, or floats in `decoded`.
  template <typename F>
  void ForPages(const Item& item, const void* pages, int64_t head_dim, int32_t begin, int32_t end,
                float* decoded, F&& f) const {
    const bool decode = kv_.dtype == DType::kQ8_0;
    const int32_t most = decode ? kDecodePositions : kPositions;
    const int64_t blocks = (head_dim + op::kKvBlock - 1) / op::kKvBlock;
    const int32_t* table = step_.page_table + int64_t{item.tile.seq} * step_.page_table_stride;
    for (int32_t p = begin; p < end;) {
      const int32_t offset = p % kv_.page_size;
      const int32_t count = std::min({kv_.page_size - offset, end - p, most});
      const std::byte* plane =
          static_cast<const std::byte*>(pages) +
          op::KvPlaneOffset(kv_, table[p / kv_.page_size], item.kv_head, head_dim);
      if (decode) {
        const std::byte* scales = plane + op::KvScalesOffset(kv_.page_size, head_dim);
        isa_.attention->decode_q8(reinterpret_cast<const int8_t*>(plane) + offset * head_dim,
                                  reinterpret_cast<const uint16_t*>(scales) + offset * blocks,
                                  head_dim, count, decoded);
        f(decoded, count, p - begin);
      } else {
        f(plane + offset * op::KvRowBytes(kv_.dtype, head_dim), count, p - begin);
      }
      p += count;
    }
  }

  // The partial result of one chunk for all rows of the item.
  void RunChunk(const Item& item, int32_t chunk, const ThreadScratch& scratch,
                const Partial& result) const {
    const int32_t rows = item.rows();
    const int32_t base = chunk * kPositions;
    const int32_t begin = std::max(base, FirstVisible(item.tile.position));
    const int32_t end = std::min(base + kPositions, LastPosition(item.tile) + 1);
    for (int32_t i = 0; i < rows; ++i) {
      scratch.q[i] = q_ + StepRow(item, i) * params_.head_dim_k;
    }
    ForPages(item, kv_.k, params_.head_dim_k, begin, end, scratch.decoded,
             [&](const void* keys, int32_t count, int32_t offset) {
               isa_.attention->scores[kv_type_](keys, params_.head_dim_k, count, scratch.q, rows,
                                                scratch.scores + offset, kPositions);
             });
    for (int32_t i = 0; i < rows; ++i) {
      const int32_t position = item.tile.position + i / item.n_heads;
      float* scores = scratch.scores + i * kPositions;
      const int32_t first = std::max(begin, FirstVisible(position)) - begin;
      const int32_t last = std::min(end, position + 1) - begin;
      result.maximum[i] = -std::numeric_limits<float>::infinity();
      result.sum[i] = 0.0f;
      if (first >= last) {
        std::fill_n(scores, end - begin, 0.0f);
        continue;
      }
      isa_.attention->softmax(scores + first, last - first, params_.scale, params_.softcap,
                              &result.maximum[i], &result.sum[i]);
      std::fill_n(scores, first, 0.0f);
      std::fill(scores + last, scores + (end - begin), 0.0f);
    }
    std::fill_n(result.values, int64_t{rows} * params_.head_dim_v, 0.0f);
    ForPages(item, kv_.v, params_.head_dim_v, begin, end, scratch.decoded,
             [&](const void* values, int32_t count, int32_t offset) {
               isa_.attention->accumulate[kv_type_](values, params_.head_dim_v, count,
                                                    scratch.scores + offset, kPositions, rows,
                                                    result.values, params_.head_dim_v);
             });
  }

  // Before any chunk: nothing, or the sink, a logit without a value.
  void Start(const Item& item, const Partial& total) const {
    const int32_t rows = item.rows();
    for (int32_t i = 0; i < rows; ++i) {
      const bool sink = sinks_ != nullptr;
      total.maximum[i] =
          sink ? sinks_[item.head + i % item.n_heads] : -std::numeric_limits<float>::infinity();
      total.sum[i] = sink ? 1.0f : 0.0f;
    }
    std::fill_n(total.values, int64_t{rows} * params_.head_dim_v, 0.0f);
  }

  void Fold(int32_t rows, const Partial& chunk, const Partial& total) const {
    const int64_t d = params_.head_dim_v;
    for (int32_t i = 0; i < rows; ++i) {
      if (chunk.sum[i] == 0.0f) continue;
      const float maximum = std::max(total.maximum[i], chunk.maximum[i]);
      const float keep = std::exp(total.maximum[i] - maximum);
      const float add = std::exp(chunk.maximum[i] - maximum);
      isa_.vector->blend(total.values + i * d, keep, chunk.values + i * d, add,
                         total.values + i * d, d);
      total.sum[i] = total.sum[i] * keep + chunk.sum[i] * add;
      total.maximum[i] = maximum;
    }
  }

  void Finish(const Item& item, const Partial& total) const {
    const int64_t d = params_.head_dim_v;
    for (int32_t i = 0; i < item.rows(); ++i) {
      isa_.vector->scale(total.values + i * d, 1.0f / total.sum[i], out_ + StepRow(item, i) * d, d);
    }
  }

  void RunItem(const Item& item, int member) const {
    const ThreadScratch scratch = ScratchOf(member);
    Start(item, scratch.total);
    for (int32_t chunk = FirstChunk(item.tile); chunk < EndChunk(item.tile); ++chunk) {
      RunChunk(item, chunk, scratch, scratch.chunk);
      Fold(item.rows(), scratch.chunk, scratch.total);
    }
    Finish(item, scratch.total);
  }

  // The shared scratch of RunSplit: a total for each item, then a wave's partial results.
  Partial SplitPartial(int64_t index) const {
    ScratchCutter cutter(split_ + index * PartialBytes(kMaxRows, params_.head_dim_v));
    return Partial(cutter, kMaxRows, params_.head_dim_v);
  }

  void RunSplit(int64_t n_items) const {
    for (int64_t i = 0; i < n_items; ++i) Start(ItemOf(i), SplitPartial(i));
    for (int64_t wave = 0; wave < most_chunks_; wave += kWaveChunks) {
      const int64_t count = std::min(kWaveChunks, most_chunks_ - wave);
      ForItems(context_, n_items * count, false, [&](int member, int64_t index) {
        const Item item = ItemOf(index / count);
        const int64_t chunk = FirstChunk(item.tile) + wave + index % count;
        if (chunk >= EndChunk(item.tile)) return;
        RunChunk(item, static_cast<int32_t>(chunk), ScratchOf(member),
                 SplitPartial(n_items + index));
      });
      ForItems(context_, n_items, false, [&](int, int64_t i) {
        const Item item = ItemOf(i);
        const int64_t end = EndChunk(item.tile) - FirstChunk(item.tile) - wave;
        for (int64_t c = 0; c < std::min(count, end); ++c) {
          Fold(item.rows(), SplitPartial(n_items + i * count + c), SplitPartial(i));
        }
        if (end > 0 && end <= count) Finish(item, SplitPartial(i));
      });
    }
  }

  const op::Attention& params_;
  const op::Step& step_;
  const op::KvLayer& kv_;
  const Primitives& isa_;
  const Context& context_;
  const float* q_;
  const float* sinks_;
  float* out_;
  const int kv_type_;
  const int32_t group_;  // query heads of a KV head
  const int32_t heads_per_tile_;
  const int32_t head_blocks_;  // of a group
  const int64_t thread_bytes_;
  Tile* tiles_ = nullptr;
  std::byte* threads_ = nullptr;
  std::byte* split_ = nullptr;
  int64_t n_tiles_ = 0;
  int64_t products_ = 0;
  int64_t most_chunks_ = 0;
};

}  // namespace

void Attention(const op::Call& call, const Context& context, const Primitives& isa) {
  AttentionRun(call, context, isa).Run();
}

int64_t AttentionScratchBytes(const op::Call& call, int n_threads) {
  const auto& params = std::get<op::Attention>(*call.params);
  ScratchCutter cutter(nullptr);
  cutter.Take<Tile>(call.in[0].desc.rows);
  const int64_t split_items = kMaxSplitRows / kMaxRows;
  return cutter.used_bytes() + n_threads * ThreadBytes(params) +
         split_items * (1 + kWaveChunks) * PartialBytes(kMaxRows, params.head_dim_v);
}

}  // namespace rocforge::cpu::common
