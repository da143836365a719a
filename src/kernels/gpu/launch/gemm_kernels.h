// Which kernels multiply matrices on a device, and how a few rows are split among its
// multiprocessors.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "kernels/gpu/launch/launchers.h"
#include "kernels/gpu/ops/gemm_args.h"

namespace rocforge::gpu {

inline constexpr uint32_t kGemmThreads = 256;
inline constexpr uint32_t kGemmWideColumns = 2 * kGemmColumns;

// A kernel that multiplies whole tiles, and how it is launched.
struct GemmKernel {
  Kernel kernel;
  uint32_t columns = 0;  // of a block's tile; 0: the device has no such kernel
  uint32_t threads = 0;
  uint32_t shared_bytes = 0;
  uint32_t blocks = 0;             // resident on the device; the kernel loops over what is left
  PackOrder order = kPackInOrder;  // that it wants x in
};

struct GemmKernels {
  Kernel pack_rows, group_rows, unpack, magnitude, magnitude_join, glu;
  Kernel skinny_finish;
  GemmKernel skinny_32, skinny_64;  // gemm_skinny for up to 32 and up to 64 rows
  // gemm_few for up to 32 and up to 64 rows; without columns where the target's code has none or
  // the device cannot hold it.
  GemmKernel few_32, few_64;
  GemmKernel tile, warpgroup, wide;

  const GemmKernel& Skinny(int64_t n_rows) const { return n_rows <= 32 ? skinny_32 : skinny_64; }
  const GemmKernel& Few(int64_t n_rows) const { return n_rows <= 32 ? few_32 : few_64; }
  bool HasFew(int64_t n_rows) const { return Few(n_rows).columns != 0; }
};

// `glu`: the epilogue joins gate and up. `even_columns`: every weight has an even number of rows,
// which the warpgroup kernels want. kNotFound if the device's code lacks a kernel that all targets
// have.
Result<GemmKernels> FindGemmKernels(const BindContext& context, bool glu, bool even_columns);

// Whether gemm_few knows the WeightType.
bool IsDirectType(uint32_t type);

// How a few rows are multiplied.
struct SkinnyConfig {
  bool direct = false;  // gemm_few instead of gemm_skinny: all weights are of types that it knows
  uint32_t parts = 1;   // of k
};

// By the time that a multiprocessor needs. `n_k_tiles`: of kGemmDepth columns of x.
SkinnyConfig ChooseSkinny(std::span<const Weight> weights, int64_t n_k_tiles,
                          uint32_t multiprocessors);

}  // namespace rocforge::gpu
