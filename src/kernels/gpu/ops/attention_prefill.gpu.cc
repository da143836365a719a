// Causal attention over paged keys and values (op.h: Attention) for sequences with many tokens in
// the step: flash attention (Dao et al. 2022; Dao 2023) on matrix units. A block takes kQueries
// rows of one sequence and KV head, [token, head of the group], and walks the keys that any of
// them sees in tiles of kKeys. Queries, keys, values and probabilities are f16, sums are f32.
//   Traffic: the visible part of K and V once per block, mostly from L2; q and out once.
//   Operations: 2 (head_dim_k + head_dim_v) per row and visible position, up to whole tiles.
//
// K and V have one tile each in shared memory: V is copied while scores are formed, the next K
// while V is used.
#include "kernels/gpu/ops/activation.h"
#include "kernels/gpu/ops/kv_cache.h"
#include "kernels/gpu/port/tile_chain.h"
#include "kernels/gpu/wave/reduce.h"

namespace rocforge::port {
namespace {

using gpu::AttentionPrefillArgs;

constexpr uint32_t kWaves = 4;
constexpr uint32_t kThreads = kWaves * kWaveSize;
constexpr float kNothing = -1e30f;  // below every score that counts, and finite
constexpr float kMasked = -__builtin_inff();

// Sizes for heads of up to 64 * kPanels columns.
template <uint32_t kPanels>
struct PrefillSizes {
  // Wide heads: two waves share 16 rows, each with half of the values' columns; registers would
  // not hold them.
  static constexpr bool kWide = kPanels > 2;
  // Queries stay in registers, else in shared memory, where a lane's part of them is small.
  static constexpr bool kHoldQueries = !kWide && sizeof(QueryTile) <= 16;
  static constexpr uint32_t kValueParts = kWide ? 2 : 1;
  static constexpr uint32_t kQueries = 16 * kWaves / kValueParts;
  static constexpr uint32_t kKeys = kWide ? 32 : 64;
  static constexpr uint32_t kColumnTiles = 4 * kPanels;                // of 16 columns in a head
  static constexpr uint32_t kValueTiles = kColumnTiles / kValueParts;  // of a wave's output
  static constexpr uint32_t kChunks = 8 * kPanels;                     // of 8 columns
  static constexpr uint32_t kTileChunks = kKeys * kChunks;
  static constexpr uint32_t kQueryChunks = kQueries * kChunks;
};

template <uint32_t kPanels>
struct alignas(128) PrefillShared {
  using S = PrefillSizes<kPanels>;
  // Panel by panel of 64 columns. Queries that registers hold get there through k.
  U32x4 k[S::kTileChunks];
  U32x4 v[S::kTileChunks];
  U32x4 q[S::kHoldQueries ? 1 : S::kQueryChunks];
};

struct PrefillWork {
  uint32_t seq;
  uint32_t group;
  uint32_t first_row;  // of the sequence's rows, [token, head of the group]
  uint32_t n_rows;     // 0: none
  uint32_t token;      // of row 0 of the sequence
  uint32_t position;   // the same
};

// Tile number `tile` of all sequences with more than min_tokens tokens.
[[maybe_unused]] RF_DEVICE PrefillWork FindTile(const AttentionPrefillArgs& args, uint32_t tile,
                                                uint32_t queries) {
  const gpu::AttentionArgs& a = args.a;
  const uint32_t group = a.n_heads / a.n_kv_heads;
  PrefillWork work{};
  work.group = group;
  uint32_t before = 0;  // tiles of the sequences before `base`
  for (uint32_t base = 0; base < args.n_seqs; base += kWaveSize) {
    const uint32_t seq = base + LaneId();
    uint32_t token = 0;
    uint32_t count = 0;
    if (seq < args.n_seqs) {
      token = static_cast<uint32_t>(a.seq_begin[seq]);
      count = static_cast<uint32_t>(a.seq_begin[seq + 1]) - token;
    }
    if (count < args.min_tokens) count = 0;
    const uint32_t tiles = (count * group + queries - 1) / queries;
    uint32_t end = tiles;  // inclusive sum over the lanes
    for (uint32_t step = 1; step < kWaveSize; step *= 2) {
      const uint32_t other = Shuffle(end, LaneId() >= step ? LaneId() - step : LaneId());
      end += LaneId() >= step ? other : 0;
    }
    end += before;
    const uint64_t here = Ballot(tile < end && tile >= end - tiles);
    if (here != 0) {
      const uint32_t lane = static_cast<uint32_t>(__builtin_ctzll(here));
      const uint32_t tiles_before = Shuffle(end - tiles, lane);
      const uint32_t rows = Shuffle(count, lane) * group;
      work.seq = base + lane;
      work.token = Shuffle(token, lane);
      work.first_row = (tile - tiles_before) * queries;
      work.n_rows = rows - work.first_row < queries ? rows - work.first_row : queries;
      work.position = static_cast<uint32_t>(a.kv_len[work.seq]) - rows / group;
      return work;
    }
    before = Shuffle(end, kWaveSize - 1);
  }
  return work;
}

// Copies positions [first, first + kKeys) of one head into a tile; those beyond `last` get its row.
// page_size and first are multiples of 32.
template <typename Cache, uint32_t kPanels>
RF_DEVICE void FillTile(U32x4* tile, const gpu::AttentionArgs& a, const uint8_t* cache,
                        const gpu::CachePlane& shape, const int32_t* pages, uint32_t kv_head,
                        uint32_t dim, uint32_t first, uint32_t last) {
  using S = PrefillSizes<kPanels>;
  constexpr uint32_t kKeysPerPass = kThreads / S::kChunks;
  const uint32_t chunk = ThreadId() % S::kChunks;
  const uint32_t padded_chunks = (dim + 15) / 16 * 2;
  if (chunk >= padded_chunks) return;
  U32x4* panel = tile + chunk / 8 * (S::kKeys * 8);
  RF_UNROLL
  for (uint32_t block = 0; block < S::kKeys; block += 32) {
    const uint32_t wanted = first + block;
    const uint32_t base = wanted <= last ? wanted : last / 32 * 32;
    const uint64_t page = static_cast<uint32_t>(pages[base / a.page_size]);
    const uint32_t offset = base % a.page_size;
    const uint8_t* plane = cache + (page * a.n_kv_heads + kv_head) * shape.bytes;
    RF_UNROLL
    for (uint32_t pass = 0; pass < 32; pass += kKeysPerPass) {
      const uint32_t key = pass + ThreadId() / S::kChunks;
      const uint32_t seen = base + key <= last ? key : last - base;
      U32x4* to = panel + SwizzledChunk(block + key, chunk % 8);
      if (8 * chunk < dim) {
        Cache::Fill(to, plane, shape.scales, offset + seen, dim, 8 * chunk);
      } else {
        *to = U32x4{0, 0, 0, 0};
      }
    }
  }
}

// The queries of the tile as f16, times `scale`, in swizzled panels of kQueries rows.
template <uint32_t kPanels>
RF_DEVICE void FillQueries(U32x4* to, const gpu::AttentionArgs& a, const PrefillWork& work,
                           uint32_t kv_head, float scale) {
  using S = PrefillSizes<kPanels>;
  for (uint32_t i = ThreadId(); i < S::kQueryChunks; i += kThreads) {
    const uint32_t row = i / S::kChunks;
    const uint32_t chunk = i % S::kChunks;
    float value[8] = {};
    if (row < work.n_rows && 8 * chunk < a.head_dim_k) {
      const uint32_t r = work.first_row + row;
      const uint64_t head =
          uint64_t{work.token + r / work.group} * a.n_heads + kv_head * work.group + r % work.group;
      const uint8_t* q = reinterpret_cast<const uint8_t*>(a.q + head * a.head_dim_k);
      FloatCache::Unpack(FloatCache::Load(q, 0, 0, 0, 8 * chunk), value);
    }
    U32x4 packed;
    packed.x = PackHalves(value[0] * scale, value[1] * scale);
    packed.y = PackHalves(value[2] * scale, value[3] * scale);
    packed.z = PackHalves(value[4] * scale, value[5] * scale);
    packed.w = PackHalves(value[6] * scale, value[7] * scale);
    to[chunk / 8 * (S::kQueries * 8) + SwizzledChunk(row, chunk % 8)] = packed;
  }
}

// A wave's running result for its 16 rows.
template <uint32_t kPanels>
struct Running {
  TileSum out[PrefillSizes<kPanels>::kValueTiles];
  float maximum[kChainQueries];
  float sum[kChainQueries];  // over this lane's keys
};

// Softcap and masks of a tile of scores; `first`: position of the tile's first key.
template <uint32_t kTiles>
RF_DEVICE void MaskScores(TileSum (&s)[kTiles], const gpu::AttentionArgs& a, uint32_t first,
                          const uint32_t (&position)[kChainQueries], bool masked) {
  RF_UNROLL
  for (uint32_t n = 0; n < kTiles; ++n) {
    RF_UNROLL
    for (uint32_t i = 0; i < kTileValues; ++i) {
      float score = s[n].v[i];
      if (a.softcap > 0.0f) score = a.softcap * kLog2E * Tanh(score);
      if (masked) {
        const uint32_t key = first + 16 * n + ChainOther(i);
        const uint32_t query = position[ChainSlot(i)];
        const bool seen = key <= query && (a.window == 0 || key + a.window > query);
        score = seen ? score : kMasked;
      }
      s[n].v[i] = score;
    }
  }
}

// Scores become weights; what was summed before is scaled where a maximum grew.
template <uint32_t kPanels, uint32_t kTiles>
RF_DEVICE void Weigh(TileSum (&s)[kTiles], Running<kPanels>& run) {
  float larger[kChainQueries];
  bool grew = false;
  RF_UNROLL
  for (uint32_t slot = 0; slot < kChainQueries; ++slot) {
    float most = kMasked;
    RF_UNROLL
    for (uint32_t n = 0; n < kTiles; ++n) {
      RF_UNROLL
      for (uint32_t i = 0; i < kTileValues; ++i) {
        if (ChainSlot(i) == slot) most = s[n].v[i] > most ? s[n].v[i] : most;
      }
    }
    most = ChainMax(most);
    larger[slot] = most > run.maximum[slot] ? most : run.maximum[slot];
    grew = grew || larger[slot] > run.maximum[slot];
  }
  if (Ballot(grew) != 0) {
    RF_UNROLL
    for (uint32_t slot = 0; slot < kChainQueries; ++slot) {
      const float keep = FastExp2(run.maximum[slot] - larger[slot]);
      run.maximum[slot] = larger[slot];
      run.sum[slot] *= keep;
      RF_UNROLL
      for (uint32_t t = 0; t < PrefillSizes<kPanels>::kValueTiles; ++t) {
        RF_UNROLL
        for (uint32_t i = 0; i < kTileValues; ++i) {
          if (ChainSlot(i) == slot) run.out[t].v[i] *= keep;
        }
      }
    }
  }
  RF_UNROLL
  for (uint32_t n = 0; n < kTiles; ++n) {
    RF_UNROLL
    for (uint32_t i = 0; i < kTileValues; ++i) {
      s[n].v[i] = FastExp2(s[n].v[i] - run.maximum[ChainSlot(i)]);
      run.sum[ChainSlot(i)] += s[n].v[i];
    }
  }
}

template <typename Cache, uint32_t kPanels>
RF_DEVICE void Prefill(const AttentionPrefillArgs& args) {
  using S = PrefillSizes<kPanels>;
  PrefillShared<kPanels>& shared = SharedBlock<PrefillShared<kPanels>>();
  const gpu::AttentionArgs& a = args.a;
  // Later tiles of a sequence see more keys: longest first balances best.
  const PrefillWork work = FindTile(args, GridDim() - 1 - BlockId(), S::kQueries);
  if (work.n_rows == 0) return;
  const uint32_t kv_head = BlockIdY();
  const uint32_t wave_row = WaveId() / S::kValueParts * 16;
  const uint32_t wave_tile = WaveId() % S::kValueParts * S::kValueTiles;
  const uint32_t first_position = work.position + work.first_row / work.group;
  const uint32_t last = work.position + (work.first_row + work.n_rows - 1) / work.group;
  const uint32_t k_steps = (a.head_dim_k + 15) / 16;
  const uint32_t v_tiles = (a.head_dim_v + 15) / 16;

  U32x4* const q_tile = S::kHoldQueries ? shared.k : shared.q;
  const float scale = a.softcap > 0.0f ? a.scale / a.softcap : a.scale * kLog2E;
  FillQueries<kPanels>(q_tile, a, work, kv_head, scale);
  BlockBarrier();
  QueryTile q[S::kHoldQueries ? S::kColumnTiles : 1];
  if constexpr (S::kHoldQueries) {
    RF_UNROLL
    for (uint32_t step = 0; step < S::kColumnTiles; ++step)
      LoadTile(q[step], q_tile + step / 4 * (S::kQueries * 8), wave_row, step % 4 * 2);
    BlockBarrier();
  }
  uint32_t position[kChainQueries];  // of this lane's queries
  Running<kPanels> run;
  RF_UNROLL
  for (uint32_t slot = 0; slot < kChainQueries; ++slot) {
    run.maximum[slot] = kNothing;
    run.sum[slot] = 0.0f;
  }
  RF_UNROLL
  for (uint32_t i = 0; i < kTileValues; ++i) {
    const uint32_t row = work.first_row + wave_row + ChainQuery(i);
    position[ChainSlot(i)] = work.position + row / work.group;
  }
  RF_UNROLL
  for (uint32_t t = 0; t < S::kValueTiles; ++t) {
    RF_UNROLL
    for (uint32_t i = 0; i < kTileValues; ++i) run.out[t].v[i] = 0.0f;
  }

  const int32_t* pages = a.page_table + uint64_t{work.seq} * a.page_table_stride;
  uint32_t key = 0;
  if (a.window != 0 && first_position >= a.window)
    key = (first_position + 1 - a.window) / S::kKeys * S::kKeys;
  FillTile<Cache, kPanels>(shared.k, a, a.k_pages, a.k_plane, pages, kv_head, a.head_dim_k, key,
                           last);
  for (; key <= last; key += S::kKeys) {
    CopyWait();
    BlockBarrier();  // k is there, and v is free
    FillTile<Cache, kPanels>(shared.v, a, a.v_pages, a.v_plane, pages, kv_head, a.head_dim_v, key,
                             last);
    TileSum s[S::kKeys / 16];
    RF_UNROLL
    for (uint32_t n = 0; n < S::kKeys / 16; ++n) {
      RF_UNROLL
      for (uint32_t i = 0; i < kTileValues; ++i) s[n].v[i] = 0.0f;
    }
    const auto score_step = [&](uint32_t step, const QueryTile& query) {
      RF_UNROLL
      for (uint32_t n = 0; n < S::kKeys / 16; ++n) {
        KeyTile k;
        LoadTile(k, shared.k + step / 4 * (S::kKeys * 8), 16 * n, step % 4 * 2);
        MultiplyScores(s[n], query, k);
      }
    };
    if constexpr (S::kHoldQueries) {
      RF_UNROLL
      for (uint32_t step = 0; step < S::kColumnTiles; ++step) {
        if (step < k_steps) score_step(step, q[step]);
      }
    } else {
      for (uint32_t step = 0; step < k_steps; ++step) {
        LoadTile(q[0], q_tile + step / 4 * (S::kQueries * 8), wave_row, step % 4 * 2);
        score_step(step, q[0]);
      }
    }
    const bool masked = key + S::kKeys - 1 > first_position || a.window != 0;
    if (masked || a.softcap > 0.0f) MaskScores(s, a, key, position, masked);
    Weigh<kPanels>(s, run);
    CopyWait();
    BlockBarrier();  // v is there, and k is free
    const uint32_t lane = FreshLane();
    if (key + S::kKeys <= last) {
      FillTile<Cache, kPanels>(shared.k, a, a.k_pages, a.k_plane, pages, kv_head, a.head_dim_k,
                               key + S::kKeys, last);
    }
    RF_UNROLL
    for (uint32_t n = 0; n < S::kKeys / 16; ++n) {
      ChainTile p;
      MakeChain(p, s[n]);
      RF_UNROLL
      for (uint32_t t = 0; t < S::kValueTiles; ++t) {
        const uint32_t at = wave_tile + t;
        if (at < v_tiles) {
          KeyTile v;
          LoadTileTransposed(v, shared.v + at / 4 * (S::kKeys * 8), 16 * n, at % 4 * 2, lane);
          MultiplyChain(run.out[t], p, v);
        }
      }
    }
  }

  float inverse[kChainQueries];
  RF_UNROLL
  for (uint32_t slot = 0; slot < kChainQueries; ++slot) run.sum[slot] = ChainSum(run.sum[slot]);
  RF_UNROLL
  for (uint32_t i = 0; i < kTileValues; ++i) {
    const uint32_t slot = ChainSlot(i);
    inverse[slot] = 1.0f / run.sum[slot];
    if (a.sinks != nullptr) {
      const uint32_t row = work.first_row + wave_row + ChainQuery(i);
      const float sink = a.sinks[kv_head * work.group + row % work.group] * kLog2E;
      const float larger = sink > run.maximum[slot] ? sink : run.maximum[slot];
      const float keep = FastExp2(run.maximum[slot] - larger);
      inverse[slot] = keep / (run.sum[slot] * keep + FastExp2(sink - larger));
    }
  }
  RF_UNROLL
  for (uint32_t i = 0; i < kTileValues; ++i) {
    const uint32_t row = wave_row + ChainQuery(i);
    if (row < work.n_rows) {
      const uint32_t r = work.first_row + row;
      const uint64_t head =
          uint64_t{work.token + r / work.group} * a.n_heads + kv_head * work.group + r % work.group;
      float* out = a.out + head * a.head_dim_v;
      RF_UNROLL
      for (uint32_t t = 0; t < S::kValueTiles; ++t) {
        const uint32_t column = 16 * (wave_tile + t) + ChainOther(i);
        if (column < a.head_dim_v) out[column] = run.out[t].v[i] * inverse[ChainSlot(i)];
      }
    }
  }
}

}  // namespace

// Names: cache type, columns of a head at most.
#if RF_PORT_CHAIN_TILES(1)
RF_KERNEL(attention_prefill_f16_d64, gpu::AttentionPrefillArgs, kThreads) {
  Prefill<HalfCache, 1>(args);
}
RF_KERNEL(attention_prefill_q8_0_d64, gpu::AttentionPrefillArgs, kThreads) {
  Prefill<Q8Cache, 1>(args);
}
#endif
#if RF_PORT_CHAIN_TILES(2)
RF_KERNEL(attention_prefill_f16_d128, gpu::AttentionPrefillArgs, kThreads) {
  Prefill<HalfCache, 2>(args);
}
RF_KERNEL(attention_prefill_q8_0_d128, gpu::AttentionPrefillArgs, kThreads) {
  Prefill<Q8Cache, 2>(args);
}
#endif
#if RF_PORT_CHAIN_TILES(4)
RF_KERNEL(attention_prefill_f16_d256, gpu::AttentionPrefillArgs, kThreads) {
  Prefill<HalfCache, 4>(args);
}
RF_KERNEL(attention_prefill_q8_0_d256, gpu::AttentionPrefillArgs, kThreads) {
  Prefill<Q8Cache, 4>(args);
}
#endif

}  // namespace rocforge::port
