// What happens to the sums of a matrix product on their way to memory (gemm_args.h, op.h: MatMul),
// and where the tiles of a launch lie.
#pragma once

#include "kernels/gpu/ops/activation.h"
#include "kernels/gpu/ops/gemm_args.h"
#include "kernels/gpu/ops/gemm_scale.h"
#include "kernels/gpu/port/tile.h"

namespace rocforge::port {
namespace {

using gpu::GemmArgs;

RF_DEVICE float Gated(const gpu::GateArgs& a, float gate, float up) {
  const float g = gate > a.limit ? a.limit : gate;
  const float u = (up < -a.limit ? -a.limit : up > a.limit ? a.limit : up) + a.offset;
  const float z = g * (a.linear + a.cubic * (g * g));
  // Where z is far below 0 the power overflows to infinity and the reciprocal is 0.
  return g * FastRcp(1.0f + FastExp2(-kLog2E * z)) * u;
}

// What belongs to one weight of the launch. Arguments are picked by conditions, not by an index: a
// run-time index would copy them to local memory.
struct GemmWeight {
  float* out;
  const float* bias;
  const uint32_t* magnitude;
  uint32_t n_out;
  uint32_t first_column;
};

// One block tile of a launch.
struct GemmTile {
  uint32_t row;     // first row of x
  uint32_t column;  // first virtual column
  uint32_t expert;
  const U32x4* x;  // its first k tile
  const U32x4* w;
};

// Row tiles of the launch: all, or those of its experts. (Computed from n_rows: a choice between
// two loads would be made by address and move the arguments to local memory.)
RF_DEVICE uint32_t RowTileBegin(const GemmArgs& args) {
  return args.first_tile == nullptr ? 0 : args.first_tile[args.expert_begin];
}
RF_DEVICE uint32_t RowTileEnd(const GemmArgs& args) {
  return args.first_tile == nullptr ? (args.n_rows + gpu::kGemmRows - 1) / gpu::kGemmRows
                                    : args.first_tile[args.expert_end];
}

// Rows first: blocks that run at the same time share columns of w, which come from memory, and all
// of x, which stays in the cache.
RF_DEVICE GemmTile LocateTile(const GemmArgs& args, uint32_t index, uint32_t row_begin,
                              uint32_t n_row_tiles, uint32_t tile_columns) {
  GemmTile tile;
  const uint32_t row_tile = row_begin + index % n_row_tiles;
  const uint32_t column = index / n_row_tiles * tile_columns;
  tile.row = row_tile * gpu::kGemmRows;
  tile.column = args.column_begin + column;
  tile.expert = 0;
  if (args.first_tile != nullptr) {
    tile.expert = args.expert_begin;
    while (args.first_tile[tile.expert + 1] <= row_tile) ++tile.expert;
  }
  tile.x = static_cast<const U32x4*>(args.x) + uint64_t{tile.row} * kTileRowChunks;
  tile.w = static_cast<const U32x4*>(args.w) +
           ((tile.expert - args.expert_begin) * args.w_expert_rows + column) * kTileRowChunks;
  return tile;
}

RF_DEVICE GemmWeight WeightAt(const GemmArgs& args, uint32_t i) {
  return {args.out[i], args.bias[i], args.w_magnitude[i], args.n_out[i], args.first_column[i]};
}
// The weight whose columns the tile has, without glu.
RF_DEVICE GemmWeight WeightOf(const GemmArgs& args, const GemmTile& tile) {
  const GemmWeight w0 = WeightAt(args, 0);
  const GemmWeight w1 = WeightAt(args, 1);
  const GemmWeight w2 = WeightAt(args, 2);
  const bool second = args.n_weights > 1 && tile.column >= w1.first_column;
  const bool third = args.n_weights > 2 && tile.column >= w2.first_column;
  const auto pick = [=](auto v0, auto v1, auto v2) { return third ? v2 : second ? v1 : v0; };
  return {pick(w0.out, w1.out, w2.out), pick(w0.bias, w1.bias, w2.bias),
          pick(w0.magnitude, w1.magnitude, w2.magnitude), pick(w0.n_out, w1.n_out, w2.n_out),
          pick(w0.first_column, w1.first_column, w2.first_column)};
}

// The row of the output, or -1.
RF_DEVICE int64_t OutputRow(const GemmArgs& args, uint32_t row) {
  if (args.row_of != nullptr) return args.row_of[row];
  return row < args.n_rows ? static_cast<int64_t>(row) : -1;
}

// Sums of one row from one column on. Null pointers stay untouched and offsets apart: a pointer
// that may be null or moved would no longer be known to be global (AMD's flat loads).
struct RowOut {
  const GemmWeight& weight;
  const float* residual;  // or null
  uint64_t at;            // of the first column in out and residual
  uint64_t bias_at;
  float scale;
  float out_scale;

  RF_MEMBER float Linear(float sum, uint32_t i) const {
    return weight.bias == nullptr ? sum * scale : sum * scale + weight.bias[bias_at + i];
  }
  RF_MEMBER float Finish(float sum, uint32_t i) const {
    const float y = Linear(sum, i);
    return residual == nullptr ? y : residual[at + i] + out_scale * y;
  }
};

// `row` of x, row `to` of the output, from column `first` of the weight on.
RF_DEVICE RowOut RowFrom(const GemmArgs& args, const GemmTile& tile, const GemmWeight& w,
                         uint32_t row, int64_t to, uint32_t first) {
  return {w,
          args.residual,
          static_cast<uint64_t>(to) * w.n_out + first,
          uint64_t{tile.expert} * w.n_out + first,
          args.x_scale[row] * ScaleFromHalf(*w.magnitude),
          args.out_scale};
}

}  // namespace
}  // namespace rocforge::port
