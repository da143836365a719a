#include "kernels/gpu/launch/gemm_kernels.h"

#include <algorithm>

#include "base/format.h"

namespace rocforge::gpu {
namespace {

constexpr uint32_t kTileBlocks = 4;  // of gemm_tile on a multiprocessor
// As in ops/gemm_warpgroup.h.
constexpr uint32_t kWarpgroupThreads = 288;
constexpr uint32_t kWarpgroupShared = 3 * (kGemmRows + kGemmColumns) * 128 + 1024;
constexpr uint32_t kWideThreads = 384;
constexpr uint32_t kWideShared = 4 * (kGemmRows + kGemmWideColumns) * 128 + 1024;

uint32_t Multiprocessors(const BindContext& context) {
  return static_cast<uint32_t>(std::max(1, context.device->info().multiprocessors));
}

Result<GemmKernel> FindUnit(const BindContext& context, const char* name, bool glu,
                            uint32_t columns, uint32_t threads, uint32_t shared_bytes,
                            uint32_t blocks_per_unit) {
  GemmKernel unit;
  ROCFORGE_ASSIGN_OR_RETURN(unit.kernel,
                            context.modules->Find("gemm", Format("{}{}", name, glu ? "_glu" : "")));
  if (shared_bytes != 0)
    ROCFORGE_RETURN_IF_ERROR(AllowShared(*context.device, unit.kernel, shared_bytes));
  unit.columns = columns;
  unit.threads = threads;
  unit.shared_bytes = shared_bytes;
  unit.blocks = blocks_per_unit * Multiprocessors(context);
  return unit;
}

// AMD's objects have no gemm_few (RF_PORT_FEW_ROWS), and a file without kernels is not worth
// loading. A block of NVIDIA's consumer cards may take 99 KiB of shared memory: none for 64 rows.
Result<GemmKernel> FindFew(const BindContext& context, uint32_t rows) {
  const Modules& modules = *context.modules;
  if (modules.target().starts_with("gfx")) return GemmKernel{};
  Result<Kernel> group = modules.Find("gemm_few", Format("gemm_few_group_{}", rows));
  if (group.ok() && AllowShared(*context.device, *group, kFewGroupSharedBytes).ok())
    return GemmKernel{*group,
                      kFewGroupColumns,
                      kFewGroupThreads,
                      kFewGroupSharedBytes,
                      Multiprocessors(context),
                      kPackByUnit};
  ROCFORGE_ASSIGN_OR_RETURN(const Kernel kernel,
                            modules.Find("gemm_few", Format("gemm_few_{}", rows)));
  if (!AllowShared(*context.device, kernel, FewSharedBytes(rows)).ok()) return GemmKernel{};
  return GemmKernel{kernel,
                    kGemmColumns,
                    kGemmThreads,
                    FewSharedBytes(rows),
                    (rows <= 32 ? 2 : 1) * Multiprocessors(context),
                    kPackByParity};
}

}  // namespace

bool IsDirectType(uint32_t type) {
  return type == kWeightQ4_0 || type == kWeightQ8_0 || type == kWeightQ4_K || type == kWeightQ5_K ||
         type == kWeightQ6_K;
}

Result<GemmKernels> FindGemmKernels(const BindContext& context, bool glu, bool even_columns) {
  const Modules& modules = *context.modules;
  GemmKernels k;
  ROCFORGE_ASSIGN_OR_RETURN(k.pack_rows, modules.Find("pack_rows", "pack_rows"));
  ROCFORGE_ASSIGN_OR_RETURN(k.group_rows, modules.Find("pack_rows", "group_rows"));
  ROCFORGE_ASSIGN_OR_RETURN(k.unpack, modules.Find("unpack", "unpack"));
  k.skinny_32.columns = k.skinny_64.columns = kGemmColumns;
  k.skinny_32.threads = k.skinny_64.threads = kGemmThreads;
  ROCFORGE_ASSIGN_OR_RETURN(k.skinny_32.kernel, modules.Find("gemm_skinny", "gemm_skinny_32"));
  ROCFORGE_ASSIGN_OR_RETURN(k.skinny_64.kernel, modules.Find("gemm_skinny", "gemm_skinny_64"));
  ROCFORGE_ASSIGN_OR_RETURN(k.skinny_finish, modules.Find("gemm_skinny", "gemm_skinny_finish"));
  ROCFORGE_ASSIGN_OR_RETURN(k.few_32, FindFew(context, 32));
  ROCFORGE_ASSIGN_OR_RETURN(k.few_64, FindFew(context, 64));
  ROCFORGE_ASSIGN_OR_RETURN(k.magnitude, modules.Find("unpack", "weight_magnitude"));
  ROCFORGE_ASSIGN_OR_RETURN(k.magnitude_join, modules.Find("unpack", "weight_magnitude_join"));
  ROCFORGE_ASSIGN_OR_RETURN(k.glu, modules.Find("elementwise", "elementwise_glu"));
  ROCFORGE_ASSIGN_OR_RETURN(
      k.tile, FindUnit(context, "gemm_tile", glu, kGemmColumns, kGemmThreads, 0, kTileBlocks));
  if (even_columns && modules.Find("gemm", "gemm_warpgroup").ok()) {
    ROCFORGE_ASSIGN_OR_RETURN(k.warpgroup, FindUnit(context, "gemm_warpgroup", glu, kGemmColumns,
                                                    kWarpgroupThreads, kWarpgroupShared, 2));
    ROCFORGE_ASSIGN_OR_RETURN(k.wide, FindUnit(context, "gemm_warpgroup_wide", glu,
                                               kGemmWideColumns, kWideThreads, kWideShared, 1));
  }
  return k;
}

// The parts that need the least time on a multiprocessor, where a block's own time is some stages:
// start, sums, and adding them up. At least two blocks a multiprocessor hide the memory's latency.
SkinnyConfig ChooseSkinny(std::span<const Weight> weights, int64_t n_k_tiles,
                          uint32_t multiprocessors) {
  constexpr uint32_t kBlockCost = 2;  // stages
  SkinnyConfig config{true, 1};
  uint32_t column_tiles = 0;
  for (const Weight& weight : weights) {
    config.direct &= IsDirectType(weight.type);
    column_tiles += CeilDiv(weight.n_rows, kGemmColumns);
  }
  const uint32_t stages = CeilDiv(static_cast<uint64_t>(n_k_tiles), 2u);
  uint32_t least = 0;
  for (uint32_t parts = 1; parts <= std::min(stages, 32u); ++parts) {
    const uint32_t stages_per_part = CeilDiv(stages, parts);
    if (CeilDiv(stages, stages_per_part) != parts) continue;
    const uint32_t per_unit = std::max(2u, CeilDiv(column_tiles * parts, multiprocessors));
    const uint32_t cost = per_unit * (stages_per_part + kBlockCost);
    if (least == 0 || cost < least) {
      least = cost;
      config.parts = parts;
    }
  }
  return config;
}

}  // namespace rocforge::gpu
