// What a matrix product is called with, and where its intermediate data lie in the scratch memory.
#pragma once

#include <array>
#include <cstdint>

#include "base/round_up.h"
#include "kernels/gpu/launch/gemm.h"
#include "kernels/gpu/ops/gemm_args.h"
#include "kernels/op/call.h"

namespace rocforge::gpu {

// The operands of a call.
struct GemmOperands {
  Weight weight[kMaxGemmWeights];
  const float* bias[kMaxGemmWeights] = {};
  float* out[kMaxGemmWeights] = {};
  const float* x = nullptr;
  const float* residual = nullptr;
  const int32_t* ids = nullptr;  // experts of the output's rows, or null
  uint32_t rows_per_x = 1;
  uint32_t n_weights = 0;
  op::Glu glu;
  float out_scale = 1.0f;
};

// Of a MatMul or MoeMatMul. kUnsupported for types of weights that cannot be packed.
Result<GemmOperands> GemmOperandsOf(const op::Call& call);

// The sizes of a call that scratch depends on.
struct GemmSizes {
  int64_t max_rows = 0;  // of the output
  int64_t cols = 0;
  int64_t n_experts = 1;
  bool experts = false;
  bool erf = false;  // gelu_erf: gate and up go to scratch first
  bool glu = false;
  int32_t n_weights = 0;
  std::array<int64_t, kMaxGemmWeights> n_out = {};

  int64_t n_k_tiles() const { return RoundUp(cols, kGemmDepth) / kGemmDepth; }
  // Rows of x's tiles: each expert's rows are filled up to whole tiles.
  int64_t RowTiles(int64_t rows) const {
    return experts ? std::min(rows, rows / kGemmRows + n_experts)
                   : RoundUp(rows, kGemmRows) / kGemmRows;
  }
  bool fused_glu() const { return glu && !erf; }
  // Virtual columns with block tiles of `tile` columns.
  int64_t Columns(int64_t tile) const {
    return fused_glu() ? RoundUp(2 * RoundUp(n_out[0], kGluColumns), tile) : ColumnsApart(tile);
  }
  // The same without turns of gate and up.
  int64_t ColumnsApart(int64_t tile) const {
    int64_t sum = 0;
    for (int32_t i = 0; i < n_weights; ++i) sum += RoundUp(n_out[static_cast<size_t>(i)], tile);
    return sum;
  }
  // Of one expert.
  int64_t ColumnBytes() const { return n_k_tiles() * kGemmDepth * 2; }
  // Of x.
  int64_t RowBytes() const { return RoundUp(cols, kPackUnitColumns) * 2; }
  // Sums of one part of a few rows.
  int64_t FewBytes() const { return kMaxSkinnyRows * ColumnsApart(kFewGroupColumns) * 4; }
};

GemmSizes GemmSizesOf(const op::Call& call);

// The first operand of the call that is a matrix of weights.
size_t FirstWeight(const op::Call& call);

// Where things lie in the scratch; offsets for the largest step serve smaller ones too.
struct GemmLayout {
  int64_t x = 0;
  int64_t x_scale = 0;
  int64_t row_of = 0;
  int64_t first_tile = 0;
  int64_t counts = 0;
  int64_t gate_up = 0;
  int64_t weights = 0;
  int64_t weight_bytes = 0;
  int64_t end = 0;
};

GemmLayout GemmLayoutOf(const GemmSizes& sizes, const GemmOptions& options);

// The gated activation as the product's epilogue computes it; not for gelu_erf.
GateArgs GateOf(const op::Glu& glu);

}  // namespace rocforge::gpu
