// MatMul and MoeMatMul for many rows: x and the weights become f16 tiles in scratch memory, then
// one matrix product with f32 sums finishes each output (ops/gemm_args.h says how they lie and how
// f16 is kept in range). Weights are unpacked in chunks of columns that fit a bounded part of the
// scratch, a product per chunk.
#pragma once

#include <cstdint>
#include <memory>

#include "kernels/gpu/launch/bound_op.h"

namespace rocforge::gpu {

struct GemmOptions {
  GemmUnit unit = GemmUnit::kAuto;   // kAuto: as tuned, else by the launcher; not kMatvec
  uint32_t parts = 0;                // of k, for few rows; 0: chosen
  int64_t weight_bytes = 256 << 20;  // of scratch for unpacked weights; at least one tile column
};

// Rows of the output from which on the matrix product is taken: more than eight for each matrix,
// because unpacking costs as much as some passes over the packed weights; more than three or four
// for large matrices that the device multiplies straight from packed words (gemm_few). Never for
// small matrices of F32: a file keeps what is sensitive in F32, such as the routers of experts, and
// f16 would lose it.
int64_t GemmMinRows(const op::Call& call, const Device& device);

// The op by the matrix product alone, for any number of rows. `call` is a MatMul or MoeMatMul with
// the rows of the largest step. WeightsReady takes the magnitudes of the weights, which say how
// they are scaled for f16; Enqueue before it is kInternal.
Result<std::unique_ptr<BoundOp>> BindGemm(const op::Call& call, const RowCount& rows,
                                          const BindContext& context,
                                          const GemmOptions& options = {});

// Whether `n_rows` rows can be multiplied by GemmUnit::kFew: the device has the kernel, and it
// knows the weights' types.
bool HasGemmFew(const op::Call& call, int64_t n_rows, const BindContext& context);

// Scratch of BindGemm.
int64_t GemmScratchBytes(const op::Call& call, const GemmOptions& options = {});

// `few` for less than GemmMinRows rows, the matrix product otherwise, or as tuned. Needs
// GemmScratchBytes(call).
Result<std::unique_ptr<BoundOp>> WithGemm(std::unique_ptr<BoundOp> few, const op::Call& call,
                                          const RowCount& rows, const BindContext& context);
// Scratch of its matrix product; 0 where no step has the rows for one.
int64_t WithGemmScratchBytes(const op::Call& call, const Device& device);

}  // namespace rocforge::gpu
