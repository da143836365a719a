// The matrix product on warpgroup units: a block has two warpgroups that multiply and one of which
// a thread feeds them. Each warpgroup owns 64 of the tile's 128 rows and all its columns; a stage
// of shared memory is 64 columns of x and of w, copied whole; the feeding thread runs kStages
// ahead, over tile ends too.
//   Per tile of C columns and 64 of k: 2 * 128 * C * 64 operations for 128 (128 + C) bytes out of
//   the L2 cache: 85 (C = 256) or 64 (C = 128) per byte.
#pragma once

#include "kernels/gpu/ops/gemm_epilogue.h"
#include "kernels/gpu/port/warpgroup.h"

#if RF_PORT_WARPGROUP
namespace rocforge::port {
namespace {

constexpr uint32_t kFeedThread = 2 * kWarpgroupThreads;
constexpr uint32_t kFeedRegisters = 24;

// The tiles of the launch; kept in shared memory, because registers are full of sums.
struct TileRange {
  uint32_t row_begin;
  uint32_t n_row_tiles;
  uint32_t n_tiles;
};
RF_DEVICE TileRange Tiles(const GemmArgs& args) {
  const uint32_t begin = RowTileBegin(args);
  const uint32_t n = RowTileEnd(args) - begin;
  return {begin, n, n * args.n_column_tiles};
}

template <uint32_t kColumns, uint32_t kStages>
struct alignas(1024) WarpgroupShared {
  U32x4 x[kStages][gpu::kGemmRows * kTileRowChunks];
  U32x4 w[kStages][kColumns * kTileRowChunks];
  SharedPhase full[kStages];
  SharedPhase empty[kStages];
  TileRange range;
};

// A place in the ring of stages.
template <uint32_t kStages>
struct Ring {
  uint32_t stage = 0;
  uint32_t parity = 0;
  RF_MEMBER void Next() {
    if (++stage == kStages) {
      stage = 0;
      parity ^= 1;
    }
  }
};

template <uint32_t kColumns, uint32_t kStages>
RF_DEVICE void FeedStages(const GemmArgs& args, WarpgroupShared<kColumns, kStages>& shared) {
  constexpr uint32_t kBytesX = sizeof(shared.x[0]);
  constexpr uint32_t kBytesW = sizeof(shared.w[0]);
  const TileRange range = shared.range;
  Ring<kStages> ring;
  for (uint32_t i = BlockId(); i < range.n_tiles; i += GridDim()) {
    const GemmTile tile = LocateTile(args, i, range.row_begin, range.n_row_tiles, kColumns);
    const U32x4* x = tile.x;
    const U32x4* w = tile.w;
    for (uint32_t k = 0; k < args.n_k_tiles; ++k) {
      PhaseWait(shared.empty[ring.stage], ring.parity ^ 1);
      PhaseArriveExpect(shared.full[ring.stage], kBytesX + kBytesW);
      BulkCopy(shared.x[ring.stage], x, kBytesX, shared.full[ring.stage]);
      BulkCopy(shared.w[ring.stage], w, kBytesW, shared.full[ring.stage]);
      x += args.x_stride * kTileRowChunks;
      w += args.w_stride * kTileRowChunks;
      ring.Next();
    }
  }
}

// A row of the output from this thread's first column on; null: not an output.
struct RowPointers {
  float* out;
  float scale;
};
RF_DEVICE RowPointers PointAt(const GemmArgs& args, const GemmWeight& weight, uint32_t row,
                              uint32_t first) {
  const int64_t to = OutputRow(args, row);
  if (to < 0) return {nullptr, 0.0f};
  return {weight.out + (static_cast<uint64_t>(to) * weight.n_out + first), args.x_scale[row]};
}

// `p` as far from `to` as it is from `from`: no second pointer per row in registers.
RF_DEVICE const float* Moved(const float* p, const float* from, const float* to) {
  return reinterpret_cast<const float*>(
      reinterpret_cast<uintptr_t>(p) +
      (reinterpret_cast<uintptr_t>(to) - reinterpret_cast<uintptr_t>(from)));
}

struct FloatPair {
  float low, high;
};
RF_DEVICE FloatPair LoadPair(const float* p) {
  const U32x2 v = *reinterpret_cast<const U32x2*>(p);
  return {BitCast<float>(v.x), BitCast<float>(v.y)};
}
RF_DEVICE void StorePair(float* p, float low, float high) {
  *reinterpret_cast<U32x2*>(p) = {BitCast<uint32_t>(low), BitCast<uint32_t>(high)};
}

// This thread's sums of two rows, two neighbouring columns of every eight. n_out is even.
template <uint32_t kColumns>
RF_DEVICE void StoreLinear(const GemmArgs& args, const GemmTile& tile, uint32_t row0,
                           const WarpgroupSum<kColumns>& sum) {
  const GemmWeight weight = WeightOf(args, tile);
  const uint32_t first = tile.column - weight.first_column + WarpgroupColumn(0);
  const uint32_t row = row0 + WarpgroupRow(0);
  const RowPointers rows[2] = {PointAt(args, weight, row, first),
                               PointAt(args, weight, row + 8, first)};
  const float w_scale = ScaleFromHalf(*weight.magnitude);
  const float* bias =
      weight.bias == nullptr ? nullptr : weight.bias + uint64_t{tile.expert} * weight.n_out + first;
  RF_UNROLL
  for (uint32_t j = 0; j < kColumns / 8; ++j) {
    if (first + 8 * j >= weight.n_out) return;
    const FloatPair b = bias == nullptr ? FloatPair{0.0f, 0.0f} : LoadPair(bias + 8 * j);
    RF_UNROLL
    for (uint32_t h = 0; h < 2; ++h) {
      if (rows[h].out == nullptr) continue;
      const float scale = rows[h].scale * w_scale;
      float low = sum.v[4 * j + 2 * h] * scale + b.low;
      float high = sum.v[4 * j + 2 * h + 1] * scale + b.high;
      if (args.residual != nullptr) {
        const FloatPair r = LoadPair(Moved(rows[h].out + 8 * j, args.out[0], args.residual));
        low = r.low + args.out_scale * low;
        high = r.high + args.out_scale * high;
      }
      StorePair(rows[h].out + 8 * j, low, high);
    }
  }
}

template <uint32_t kColumns>
RF_DEVICE void StoreGlu(const GemmArgs& args, const GemmTile& tile, uint32_t row0,
                        const WarpgroupSum<kColumns>& sum) {
  static_assert(gpu::kGluColumns == 16);
  const GemmWeight gate = WeightAt(args, 0);
  const GemmWeight up = WeightAt(args, 1);
  const uint32_t first = tile.column / 2 + WarpgroupColumn(0);
  const uint32_t row = row0 + WarpgroupRow(0);
  const RowPointers rows[2] = {PointAt(args, gate, row, first),
                               PointAt(args, gate, row + 8, first)};
  const float gate_scale = ScaleFromHalf(*gate.magnitude);
  const float up_scale = ScaleFromHalf(*up.magnitude);
  const uint64_t bias_at = uint64_t{tile.expert} * gate.n_out + first;
  RF_UNROLL
  for (uint32_t j = 0; j < kColumns / 16; ++j) {  // eight columns of the output
    if (first + 8 * j >= gate.n_out) return;
    FloatPair g_bias{0.0f, 0.0f};
    FloatPair u_bias{0.0f, 0.0f};
    if (gate.bias != nullptr) g_bias = LoadPair(gate.bias + bias_at + 8 * j);
    if (up.bias != nullptr) u_bias = LoadPair(up.bias + bias_at + 8 * j);
    RF_UNROLL
    for (uint32_t h = 0; h < 2; ++h) {
      if (rows[h].out == nullptr) continue;
      const uint32_t i = 16 * (j / 2) + 4 * (j % 2) + 2 * h;
      const float gs = rows[h].scale * gate_scale;
      const float us = rows[h].scale * up_scale;
      StorePair(rows[h].out + 8 * j,
                Gated(args.gate, sum.v[i] * gs + g_bias.low, sum.v[i + 8] * us + u_bias.low),
                Gated(args.gate, sum.v[i + 1] * gs + g_bias.high, sum.v[i + 9] * us + u_bias.high));
    }
  }
}

template <bool kGlu, uint32_t kColumns, uint32_t kStages>
RF_DEVICE void MultiplyStages(const GemmArgs& args, WarpgroupShared<kColumns, kStages>& shared) {
  const uint32_t group_row = WaveId() / 4 * 64;
  Ring<kStages> ring;
  for (uint32_t t = BlockId(); t < shared.range.n_tiles; t += GridDim()) {
    WarpgroupSum<kColumns> sum;
    RF_UNROLL
    for (uint32_t i = 0; i < kColumns / 2; ++i) sum.v[i] = 0.0f;
    uint32_t last = 0;
    for (uint32_t k = 0; k < args.n_k_tiles; ++k) {
      PhaseWait(shared.full[ring.stage], ring.parity);
      WarpgroupMultiply(sum, shared.x[ring.stage] + group_row * kTileRowChunks,
                        shared.w[ring.stage]);
      // The multiplication before this one is done: its stage may be filled again.
      WarpgroupWait<1>(sum);
      if (k > 0 && LaneId() == 0) PhaseArrive(shared.empty[last]);
      last = ring.stage;
      ring.Next();
    }
    WarpgroupWait<0>(sum);
    if (LaneId() == 0) PhaseArrive(shared.empty[last]);
    const GemmTile tile =
        LocateTile(args, t, shared.range.row_begin, shared.range.n_row_tiles, kColumns);
    if constexpr (kGlu) {
      StoreGlu(args, tile, tile.row + group_row, sum);
    } else {
      StoreLinear(args, tile, tile.row + group_row, sum);
    }
  }
}

// kRegisters: what a multiplying thread takes from those that the feeding warpgroup gives; 0 where
// a wave feeds and nothing is moved.
template <bool kGlu, uint32_t kColumns, uint32_t kStages, uint32_t kRegisters>
RF_DEVICE void WarpgroupGemm(const GemmArgs& args) {
  auto& shared = SharedLarge<WarpgroupShared<kColumns, kStages>>();
  if (ThreadId() == 0) {
    for (uint32_t i = 0; i < kStages; ++i) {
      PhaseInit(shared.full[i], 1);
      PhaseInit(shared.empty[i], kFeedThread / kWaveSize);
    }
    PhasesReady();
    shared.range = Tiles(args);
  }
  BlockBarrier();
  if (ThreadId() < kFeedThread) {
    if constexpr (kRegisters != 0) TakeRegisters<kRegisters>();
    MultiplyStages<kGlu>(args, shared);
  } else {
    if constexpr (kRegisters != 0) GiveRegisters<kFeedRegisters>();
    if (ThreadId() == kFeedThread) FeedStages(args, shared);
  }
}

}  // namespace
}  // namespace rocforge::port
#endif
