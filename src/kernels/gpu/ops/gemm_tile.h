// The matrix product on the tiles of one wave (port/tile.h): a block of 256 threads makes 128 x 128
// sums. While a stage (64 columns of x and of w, 32 KiB) is multiplied out of shared memory, the
// next one is on its way into registers.
//   Per stage a wave reads 16-row fragments of x once and of w once: with 8 waves of 32 x 64 sums
//   6 KiB for 64 * 32 * 64 multiply-adds, with 4 waves of 64 x 64 8 KiB for twice as many.
#pragma once

#include "kernels/gpu/ops/gemm_epilogue.h"

namespace rocforge::port {
namespace {

constexpr uint32_t kTileGemmThreads = 256;
constexpr uint32_t kTileWavesN = 2;
constexpr uint32_t kTileWavesM = kTileGemmThreads / kWaveSize / kTileWavesN;
constexpr uint32_t kFragmentsM = gpu::kGemmRows / kTileWavesM / 16;
constexpr uint32_t kFragmentsN = gpu::kGemmColumns / kTileWavesN / 16;
constexpr uint32_t kCopies = gpu::kGemmRows * kTileRowChunks / kTileGemmThreads;
static_assert(gpu::kGemmRows == gpu::kGemmColumns);

struct TileGemmShared {
  U32x4 x[gpu::kGemmRows * kTileRowChunks];
  U32x4 w[gpu::kGemmColumns * kTileRowChunks];
};

struct TileStage {
  TileChunk x[kCopies];
  TileChunk w[kCopies];
};

RF_DEVICE void LoadStage(TileStage& stage, const U32x4* x, const U32x4* w) {
  RF_UNROLL
  for (uint32_t i = 0; i < kCopies; ++i)
    stage.x[i] = LoadChunk(x + i * kTileGemmThreads + ThreadId());
  RF_UNROLL
  for (uint32_t i = 0; i < kCopies; ++i)
    stage.w[i] = LoadChunk(w + i * kTileGemmThreads + ThreadId());
}
RF_DEVICE void StoreStage(const TileStage& stage, TileGemmShared& shared) {
  RF_UNROLL
  for (uint32_t i = 0; i < kCopies; ++i)
    StoreChunk(shared.x + i * kTileGemmThreads + ThreadId(), stage.x[i]);
  RF_UNROLL
  for (uint32_t i = 0; i < kCopies; ++i)
    StoreChunk(shared.w + i * kTileGemmThreads + ThreadId(), stage.w[i]);
}

struct WaveSums {
  TileSum at[kFragmentsM][kFragmentsN];
};

RF_DEVICE void MultiplyStage(WaveSums& sums, const TileGemmShared& shared, uint32_t row,
                             uint32_t column) {
  RF_UNROLL
  for (uint32_t chunk = 0; chunk < kTileRowChunks; chunk += 2) {
    TileA a[kFragmentsM];
    RF_UNROLL
    for (uint32_t m = 0; m < kFragmentsM; ++m) LoadTile(a[m], shared.x, row + 16 * m, chunk);
    RF_UNROLL
    for (uint32_t n = 0; n < kFragmentsN; ++n) {
      TileB b;
      LoadTile(b, shared.w, column + 16 * n, chunk);
      RF_UNROLL
      for (uint32_t m = 0; m < kFragmentsM; ++m) MultiplyTile(sums.at[m][n], a[m], b);
    }
  }
}

RF_DEVICE void StoreLinear(const GemmArgs& args, const GemmTile& tile, const WaveSums& sums,
                           uint32_t row0, uint32_t column0) {
  const GemmWeight weight = WeightOf(args, tile);
  const uint32_t first = tile.column + column0 - weight.first_column;
  RF_UNROLL
  for (uint32_t m = 0; m < kFragmentsM; ++m) {
    RF_UNROLL
    for (uint32_t i = 0; i < kTileValues; ++i) {
      const uint32_t row = tile.row + row0 + 16 * m + TileRow(i);
      const uint32_t column = first + TileColumn(i);
      const int64_t to = OutputRow(args, row);
      if (to < 0 || column >= weight.n_out) continue;
      const RowOut out = RowFrom(args, tile, weight, row, to, column);
      RF_UNROLL
      for (uint32_t n = 0; n < kFragmentsN; ++n) {
        if (column + 16 * n < weight.n_out)
          weight.out[out.at + 16 * n] = out.Finish(sums.at[m][n].v[i], 16 * n);
      }
    }
  }
}

RF_DEVICE void StoreGlu(const GemmArgs& args, const GemmTile& tile, const WaveSums& sums,
                        uint32_t row0, uint32_t column0) {
  static_assert(gpu::kGluColumns == 16 && kFragmentsN % 2 == 0);
  const uint32_t n_out = args.n_out[0];
  const GemmWeight gate_weight = WeightAt(args, 0);
  const GemmWeight up_weight = WeightAt(args, 1);
  RF_UNROLL
  for (uint32_t m = 0; m < kFragmentsM; ++m) {
    RF_UNROLL
    for (uint32_t i = 0; i < kTileValues; ++i) {
      const uint32_t row = tile.row + row0 + 16 * m + TileRow(i);
      const uint32_t column = (tile.column + column0) / 2 + TileColumn(i);
      const int64_t to = OutputRow(args, row);
      if (to < 0 || column >= n_out) continue;
      const RowOut gate = RowFrom(args, tile, gate_weight, row, to, column);
      const RowOut up = RowFrom(args, tile, up_weight, row, to, column);
      RF_UNROLL
      for (uint32_t n = 0; n < kFragmentsN; n += 2) {
        if (column + 8 * n >= n_out) continue;
        gate_weight.out[gate.at + 8 * n] = Gated(args.gate, gate.Linear(sums.at[m][n].v[i], 8 * n),
                                                 up.Linear(sums.at[m][n + 1].v[i], 8 * n));
      }
    }
  }
}

template <bool kGlu>
RF_DEVICE void TileGemm(const GemmArgs& args) {
  auto& shared = SharedBlock<TileGemmShared>();
  const uint32_t row_begin = RowTileBegin(args);
  const uint32_t n_row_tiles = RowTileEnd(args) - row_begin;
  const uint32_t wave_row = WaveId() / kTileWavesN * (16 * kFragmentsM);
  const uint32_t wave_column = WaveId() % kTileWavesN * (16 * kFragmentsN);
  for (uint32_t t = BlockId(); t < n_row_tiles * args.n_column_tiles; t += GridDim()) {
    const GemmTile tile = LocateTile(args, t, row_begin, n_row_tiles, gpu::kGemmColumns);
    // Waves that have only filler rows still help to copy.
    const bool has_rows = args.row_of != nullptr || tile.row + wave_row < args.n_rows;
    WaveSums sums{};
    TileStage stage;
    const U32x4* x = tile.x;
    const U32x4* w = tile.w;
    LoadStage(stage, x, w);
    for (uint32_t k = 0; k < args.n_k_tiles; ++k) {
      StoreStage(stage, shared);
      BlockBarrier();
      if (k + 1 < args.n_k_tiles) {
        x += args.x_stride * kTileRowChunks;
        w += args.w_stride * kTileRowChunks;
        LoadStage(stage, x, w);
      }
      if (has_rows) MultiplyStage(sums, shared, wave_row, wave_column);
      BlockBarrier();
    }
    if (!has_rows) continue;
    if constexpr (kGlu) {
      StoreGlu(args, tile, sums, wave_row, wave_column);
    } else {
      StoreLinear(args, tile, sums, wave_row, wave_column);
    }
  }
}

}  // namespace
}  // namespace rocforge::port
