// Arguments of the matrix-matrix kernels and of the kernels that prepare their operands. Plain
// numbers and pointers, shared by device and host.
//
// Operands are f16 tiles: a matrix [n, k] is cut along k into tiles of 64 columns; a tile is n rows
// of 128 bytes, swizzled (port/tile.h), and the tiles follow one another `stride` rows apart, k
// filled up with zeros to a multiple of 64. So any eight-aligned stretch of rows of one tile is
// contiguous and ready for shared memory.
//
// Columns of the product are numbered through all weights of an op ("virtual columns"): weight i
// has [first_column[i], first_column[i] + n_out[i]), filled up to a whole number of block tiles.
// With glu there are two weights in one range, by turns of kGluColumns columns: gate, up, gate, ...
//
// f16 holds 5 bits of exponent only, so rows of x and each weight tensor (all experts) are
// multiplied by a power of two that brings their largest magnitude to [2^13, 2^14); the product is
// multiplied back. A value 2^-27 times the largest still keeps its 11 bits.
#pragma once

#include "kernels/gpu/ops/weight_args.h"

namespace rocforge::gpu {

inline constexpr uint32_t kGemmRows = 128;     // of a block tile
inline constexpr uint32_t kGemmColumns = 128;  // of a block tile; the wide kernel has twice that
inline constexpr uint32_t kGemmDepth = 64;     // columns of an operand tile
inline constexpr uint32_t kGluColumns = 16;
inline constexpr uint32_t kMaxGemmWeights = 3;
inline constexpr uint32_t kMaxGemmExperts = 1024;

// Gated activations (op.h: Glu) but gelu_erf as one formula: with g = min(gate, limit) and u =
// clamp(up, -limit, limit) + offset, g * sigmoid(g * (linear + cubic * g^2)) * u.
//   silu: linear 1; gelu_tanh: 0.5 (1 + tanh(z)) = sigmoid(2 z), so linear 2 sqrt(2 / pi), cubic
//   0.044715 times that; swiglu_oai: linear alpha, its limit, offset 1. limit is infinite else.
struct GateArgs {
  float linear;
  float cubic;
  float limit;
  float offset;
};

// One launch: all rows and virtual columns [column_begin,
// column_begin + n_column_tiles * tile columns).
struct GemmArgs {
  const void* x;                                 // tiles
  const void* w;                                 // tiles; row 0 is column_begin (of expert_begin)
  const float* x_scale;                          // [rows of x] what undoes the scaling of the row
  const uint32_t* w_magnitude[kMaxGemmWeights];  // the largest |w|, as bits
  const float* bias[kMaxGemmWeights];            // [n_out], [n_experts, n_out] or null
  float* out[kMaxGemmWeights];                   // [n_rows, n_out]
  const float* residual;                         // [n_rows, n_out[0]] or null; may be out[0]
  // Experts: rows are sorted by expert, each expert's filled up to whole row tiles.
  const uint32_t* first_tile;  // [n_experts + 1] or null: the first row tile of each expert
  const int32_t* row_of;       // with first_tile: the output row of each row, -1 for a filler
  uint64_t x_stride;           // rows from one tile of x to the next
  uint64_t w_stride;
  uint64_t w_expert_rows;  // rows from one expert's tiles to the next expert's
  uint32_t expert_begin;   // experts of this launch
  uint32_t expert_end;
  uint32_t n_k_tiles;
  uint32_t n_rows;  // without first_tile
  uint32_t column_begin;
  uint32_t n_column_tiles;
  uint32_t n_weights;
  uint32_t first_column[kMaxGemmWeights];
  uint32_t n_out[kMaxGemmWeights];
  uint32_t glu;  // not 0: out[0] = gated product of weights 0 and 1
  GateArgs gate;
  float out_scale;
};

// The product of a few rows straight from packed weights: sums of parts of k, which a second launch
// adds up and finishes. Virtual columns as above, block tiles of kGemmColumns, glu without turns.
inline constexpr uint32_t kMaxSkinnyRows = 64;
struct SkinnyArgs {
  Weight weight[kMaxGemmWeights];
  const uint32_t* magnitude[kMaxGemmWeights];
  uint32_t first_column[kMaxGemmWeights];
  uint32_t n_weights;
  const void* x;  // tiles
  uint64_t x_stride;
  float* partial;      // [parts of k, n_rows, n_columns]
  uint32_t n_rows;     // at most kMaxSkinnyRows
  uint32_t n_columns;  // virtual
  uint32_t n_k_tiles;
  uint32_t k_tiles_per_part;  // gemm_skinny: even; y of the grid counts the parts
  uint32_t stages_per_block;  // gemm_few, see below
};

// gemm_few: all block tiles of virtual columns, each as stages of two k tiles, are one list, and a
// block takes the next stages_per_block of it. So a tile has as many parts as blocks came by, the
// first of them part 0. Shared memory for `rows` of x, 32 or 64: a ring of stages, as many as fit.
inline constexpr uint32_t kFewStageTiles = 2;
inline constexpr uint32_t kFewMostSlots = 5;
constexpr uint32_t FewSharedBytes(uint32_t rows) { return rows <= 32 ? 99 * 1024 : 160 * 1024; }
// gemm_few_group, the same on warpgroups: tiles of 256 rows of w, a block a multiprocessor.
inline constexpr uint32_t kFewGroupColumns = 256;
inline constexpr uint32_t kFewGroupThreads = 512;
// A ring of stages of x, one of w for each wave, and the phases, for 32 rows of x and for 64.
inline constexpr uint32_t kFewGroupSharedBytes = (64 + 16 * 8 + 1) * 1024;

inline constexpr uint32_t kFinishColumns = 4;  // of a thread
struct SkinnyFinishArgs {
  GemmArgs gemm;
  const float* partial;
  uint32_t n_parts;  // 0: gemm_few's
  uint32_t n_columns;
  uint32_t tile_columns;
  uint32_t n_stages;  // of a tile
  uint32_t stages_per_block;
};

// Writes rows [row_begin, row_begin + n_rows) of experts [expert_begin, expert_end) as tiles. Row r
// goes to tile row column(r) - column_begin, where column(r) is first_column + r, or with
// glu_part 0 or 1 the virtual column of gate or up.
struct UnpackArgs {
  Weight weight;
  const uint32_t* magnitude;
  void* tiles;
  uint64_t stride;
  uint64_t expert_rows;
  uint32_t row_begin;
  uint32_t n_rows;
  uint32_t expert_begin;
  uint32_t n_experts;
  int32_t column_offset;  // of row 0, less column_begin
  uint32_t glu_part;      // 2: no glu
};

// *magnitude = max(*magnitude, the largest finite |w|), as bits, over rows [0, n_rows) counted over
// all experts.
struct MagnitudeArgs {
  Weight weight;
  uint32_t* magnitude;
  uint64_t n_rows;
};

// The order of columns in tiles.
enum PackOrder : uint32_t {
  kPackInOrder = 0,
  kPackByParity = 1,  // gemm_few: each 16 as 0 2 .. 14 1 3 .. 15
  // gemm_few_group: each 128 in eight steps of 16. Step 2 w + h has, for odd 0 and 1, of each of
  // the four units of 32 the columns 16 h + 4 w + odd and that plus two.
  kPackByUnit = 2,
};
inline constexpr uint32_t kPackUnitColumns = 128;

inline constexpr uint32_t kPackColumns = 16;  // of a thread at a time
// Writes the rows of x as tiles: row r is x row r / rows_per_x, or with row_of (see GemmArgs)
// row_of[r] / rows_per_x.
struct PackRowsArgs {
  const float* x;
  void* tiles;
  float* scale;           // [rows] see GemmArgs::x_scale
  const int32_t* row_of;  // or null
  uint64_t stride;
  uint32_t cols;
  uint32_t rows_per_x;
  PackOrder order;
};

// Sorts rows by expert: first_tile and row_of as GemmArgs wants them. One block.
struct GroupRowsArgs {
  const int32_t* ids;    // [n_rows] the expert of each output row
  uint32_t* counts;      // [n_experts] scratch
  uint32_t* first_tile;  // [n_experts + 1]
  int32_t* row_of;       // [max_tiles * kGemmRows]
  uint32_t n_rows;
  uint32_t n_experts;
  uint32_t max_tiles;
};

}  // namespace rocforge::gpu
