#include "kernels/gpu/launch/gemm.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/format.h"
#include "kernels/gpu/launch/gemm_call.h"
#include "kernels/gpu/launch/gemm_kernels.h"
#include "kernels/gpu/launch/launchers.h"
#include "kernels/gpu/ops/elementwise_args.h"
#include "kernels/gpu/ops/gemm_args.h"

namespace rocforge::gpu {
namespace {

constexpr int64_t kPackThreads = 512;  // at most
constexpr uint32_t kThreads = kGemmThreads;
constexpr uint32_t kMagnitudeBlocks = 256;
constexpr uint32_t kGroupThreads = 1024;

// Everything that stays the same from step to step.
struct Gemm {
  GemmOperands product;
  GemmSizes sizes;
  GemmLayout layout;
  RowCount rows;
  GemmKernels kernels;
  GemmUnit unit = GemmUnit::kAuto;  // kAuto: by `configs`
  OpConfigs configs;
  uint32_t wanted_parts = 0;
  DevicePtr scratch = 0;
  uint32_t wave = 32;
  uint32_t multiprocessors = 1;
  bool overlap = false;
  std::shared_ptr<Buffer> magnitudes;  // [n_weights, 1 + kMagnitudeBlocks]

  template <typename T>
  T* At(int64_t offset) const {
    return DevicePointer<T>(scratch + static_cast<DevicePtr>(offset));
  }
  uint32_t* Magnitude(uint32_t i) const {
    return DevicePointer<uint32_t>(magnitudes->ptr()) + i * (1 + kMagnitudeBlocks);
  }

  GemmUnit UnitFor(int64_t n_rows) const;
  const GemmKernel& Choose(GemmUnit wanted, int64_t row_tiles) const;
  GemmArgs StepArgs(uint32_t n_rows, const GemmKernel& unit) const;
  Status Prepare(const Stream& stream, uint32_t n_rows, const GemmArgs& args,
                 PackOrder order) const;
  Status Unpack(const Stream& stream, const GemmArgs& args, int64_t columns) const;
  Status Multiply(const Stream& stream, const GemmKernel& unit, GemmArgs args,
                  int64_t columns) const;
  Status MultiplyFew(const Stream& stream, GemmArgs args, const SkinnyConfig& config) const;
  Status MultiplyMany(const Stream& stream, const GemmKernel& unit, GemmArgs args) const;
  Status Enqueue(const Stream& stream, const StepShape& shape) const;
  Status TakeMagnitudes(const Stream& stream) const;
};

// What was asked for or tuned, where this device and this step allow it; else kAuto.
GemmUnit Gemm::UnitFor(int64_t n_rows) const {
  if (unit != GemmUnit::kAuto) return unit;
  const GemmUnit tuned = configs[RowBucket(n_rows)].unit;
  switch (tuned) {
    case GemmUnit::kSkinny:
    case GemmUnit::kFew:
      return sizes.experts || n_rows > kMaxSkinnyRows ? GemmUnit::kAuto : tuned;
    case GemmUnit::kWarpgroup:
    case GemmUnit::kWarpgroupWide:
      return kernels.wide.columns == 0 ? GemmUnit::kAuto : tuned;
    case GemmUnit::kTile:
      return tuned;
    case GemmUnit::kMatvec:
    case GemmUnit::kAuto:
      break;
  }
  return GemmUnit::kAuto;
}

// The narrow tile has two blocks on a multiprocessor and reads more per operation; the wide one
// makes fewer, larger pieces. Whichever needs less time by whole rounds of the multiprocessors.
const GemmKernel& Gemm::Choose(GemmUnit wanted, int64_t row_tiles) const {
  constexpr int64_t kNarrowCost = 115;  // of 128 columns; measured against 200 of 256
  constexpr int64_t kWideCost = 200;
  const auto cost = [&](const GemmKernel& u, int64_t per_tile, int64_t blocks_per_round) {
    const int64_t tiles = row_tiles * sizes.n_experts * sizes.Columns(u.columns) / u.columns;
    return RoundUp(tiles, blocks_per_round) / blocks_per_round * per_tile;
  };
  switch (wanted) {
    case GemmUnit::kTile:
      return kernels.tile;
    case GemmUnit::kWarpgroup:
      return kernels.warpgroup;
    case GemmUnit::kWarpgroupWide:
      return kernels.wide;
    case GemmUnit::kAuto:
    case GemmUnit::kMatvec:
    case GemmUnit::kSkinny:
    case GemmUnit::kFew:
      break;
  }
  if (kernels.wide.columns == 0) return kernels.tile;
  const int64_t per_round = kernels.wide.blocks;
  return cost(kernels.warpgroup, kNarrowCost, per_round) < cost(kernels.wide, kWideCost, per_round)
             ? kernels.warpgroup
             : kernels.wide;
}

GemmArgs Gemm::StepArgs(uint32_t n_rows, const GemmKernel& chosen) const {
  GemmArgs args{};
  args.x = At<void>(layout.x);
  args.w = At<void>(layout.weights);
  args.x_scale = At<float>(layout.x_scale);
  args.residual = product.residual;
  args.x_stride = static_cast<uint64_t>(sizes.RowTiles(n_rows)) * kGemmRows;
  args.n_k_tiles = static_cast<uint32_t>(sizes.n_k_tiles());
  args.n_rows = n_rows;
  args.n_weights = product.n_weights;
  args.expert_end = 1;
  if (sizes.experts) {
    args.first_tile = At<uint32_t>(layout.first_tile);
    args.row_of = At<int32_t>(layout.row_of);
  }
  uint32_t column = 0;
  for (uint32_t i = 0; i < product.n_weights; ++i) {
    args.w_magnitude[i] = Magnitude(i);
    args.bias[i] = product.bias[i];
    args.out[i] = product.out[i];
    args.n_out[i] = product.weight[i].n_rows;
    args.first_column[i] = column;
    if (!sizes.fused_glu())
      column += static_cast<uint32_t>(RoundUp(product.weight[i].n_rows, chosen.columns));
  }
  if (sizes.erf) {
    args.out[0] = At<float>(layout.gate_up);
    args.out[1] = args.out[0] + sizes.max_rows * sizes.n_out[0];
  }
  args.glu = sizes.fused_glu() ? 1 : 0;
  args.gate = GateOf(product.glu);
  args.out_scale = product.out_scale;
  return args;
}

// x as tiles, and with experts the order of its rows.
Status Gemm::Prepare(const Stream& stream, uint32_t n_rows, const GemmArgs& args,
                     PackOrder order) const {
  PackRowsArgs pack{};
  pack.x = product.x;
  pack.tiles = At<void>(layout.x);
  pack.scale = At<float>(layout.x_scale);
  pack.row_of = args.row_of;
  pack.stride = args.x_stride;
  pack.cols = static_cast<uint32_t>(sizes.cols);
  pack.rows_per_x = product.rows_per_x;
  pack.order = order;
  if (!sizes.experts) {
    const auto threads = static_cast<uint32_t>(
        std::min(RoundUp(CeilDiv(pack.cols, kPackColumns), wave), kPackThreads));
    return stream.Launch(kernels.pack_rows, {n_rows, 1, threads, false, 0, overlap}, &pack);
  }
  GroupRowsArgs group{};
  group.ids = product.ids;
  group.counts = At<uint32_t>(layout.counts);
  group.first_tile = At<uint32_t>(layout.first_tile);
  group.row_of = At<int32_t>(layout.row_of);
  group.n_rows = n_rows;
  group.n_experts = static_cast<uint32_t>(sizes.n_experts);
  group.max_tiles = static_cast<uint32_t>(sizes.RowTiles(n_rows));
  ROCFORGE_RETURN_IF_ERROR(stream.Launch(kernels.group_rows, {1, 1, kGroupThreads, false}, &group));
  return stream.Launch(kernels.pack_rows,
                       {static_cast<uint32_t>(args.x_stride), 1, kThreads, false}, &pack);
}

// The weights of virtual columns [args.column_begin, + columns) of the launch's experts.
Status Gemm::Unpack(const Stream& stream, const GemmArgs& args, int64_t columns) const {
  const int64_t begin = args.column_begin;
  const int64_t end = begin + columns;
  for (uint32_t i = 0; i < product.n_weights; ++i) {
    UnpackArgs unpack{};
    const int64_t n_out = args.n_out[i];
    int64_t row_begin = begin - args.first_column[i];
    int64_t row_end = end - args.first_column[i];
    unpack.column_offset = static_cast<int32_t>(args.first_column[i] - begin);
    unpack.glu_part = 2;
    if (sizes.fused_glu()) {
      row_begin = begin / 2;
      row_end = end / 2;
      unpack.glu_part = i;
    }
    row_begin = std::max<int64_t>(row_begin, 0);
    row_end = std::min(row_end, n_out);
    if (row_begin >= row_end) continue;
    unpack.weight = product.weight[i];
    unpack.magnitude = args.w_magnitude[i];
    unpack.tiles = At<void>(layout.weights);
    unpack.stride = args.w_stride;
    unpack.expert_rows = args.w_expert_rows;
    unpack.row_begin = static_cast<uint32_t>(row_begin);
    unpack.n_rows = static_cast<uint32_t>(row_end - row_begin);
    unpack.expert_begin = args.expert_begin;
    const auto units = static_cast<uint64_t>(RoundUp(unpack.weight.n_units, 2));
    const uint64_t waves = uint64_t{unpack.n_rows} * CeilDiv(units, wave);
    ROCFORGE_RETURN_IF_ERROR(stream.Launch(
        kernels.unpack,
        {CeilDiv(waves, kThreads / wave), args.expert_end - args.expert_begin, kThreads, false},
        &unpack));
  }
  return {};
}

Status Gemm::Multiply(const Stream& stream, const GemmKernel& chosen, GemmArgs args,
                      int64_t columns) const {
  args.n_column_tiles = static_cast<uint32_t>(columns) / chosen.columns;
  ROCFORGE_RETURN_IF_ERROR(Unpack(stream, args, columns));
  uint64_t tiles = chosen.blocks;  // with experts only the device knows
  if (!sizes.experts)
    tiles = std::min<uint64_t>(tiles, uint64_t{args.n_column_tiles} * args.x_stride / kGemmRows);
  LaunchShape shape{static_cast<uint32_t>(tiles), 1, chosen.threads, false};
  shape.shared_bytes = chosen.shared_bytes;
  return stream.Launch(chosen.kernel, shape, &args);
}

// Straight from the packed weights, by parts of k, and a launch that adds them up.
Status Gemm::MultiplyFew(const Stream& stream, GemmArgs args, const SkinnyConfig& config) const {
  const GemmKernel& kernel = config.direct ? kernels.Few(args.n_rows) : kernels.Skinny(args.n_rows);
  SkinnyArgs few{};
  few.n_weights = product.n_weights;
  uint32_t column = 0;
  for (uint32_t i = 0; i < product.n_weights; ++i) {
    few.weight[i] = product.weight[i];
    few.magnitude[i] = args.w_magnitude[i];
    few.first_column[i] = args.first_column[i] = column;
    column += static_cast<uint32_t>(RoundUp(args.n_out[i], kernel.columns));
  }
  few.x = args.x;
  few.x_stride = args.x_stride;
  few.partial = At<float>(layout.weights);
  few.n_rows = args.n_rows;
  few.n_columns = column;
  few.n_k_tiles = args.n_k_tiles;
  const uint32_t stages = CeilDiv(args.n_k_tiles, kFewStageTiles);
  const uint32_t tiles = column / kernel.columns;
  const int64_t fit = layout.weight_bytes / (int64_t{4} * args.n_rows * column);  // parts
  const uint32_t tuned = configs[RowBucket(args.n_rows)].parts;  // blocks a multiprocessor
  SkinnyFinishArgs finish{};
  finish.gemm = args;
  finish.partial = few.partial;
  finish.n_columns = column;
  LaunchShape shape{tiles, 1, kernel.threads, false, kernel.shared_bytes, overlap};
  if (config.direct) {
    const uint32_t blocks = tuned != 0 ? tuned * multiprocessors : kernel.blocks;
    uint32_t per_block = wanted_parts != 0 ? CeilDiv(stages, wanted_parts)
                                           : CeilDiv(uint64_t{tiles} * stages, blocks);
    // A tile that begins within a block's stages has one more part.
    if (CeilDiv(stages, per_block) + 1 > fit) per_block = stages;
    few.stages_per_block = finish.stages_per_block = per_block;
    finish.n_stages = stages;
    finish.tile_columns = kernel.columns;
    shape.grid_x = CeilDiv(uint64_t{tiles} * stages, per_block);
  } else {
    const int64_t wanted = tuned != 0 ? CeilDiv(tuned * multiprocessors, tiles) : config.parts;
    const auto parts =
        static_cast<uint32_t>(std::clamp<int64_t>(wanted, 1, std::min(int64_t{stages}, fit)));
    few.k_tiles_per_part = kFewStageTiles * CeilDiv(stages, parts);
    shape.grid_y = finish.n_parts = CeilDiv(args.n_k_tiles, few.k_tiles_per_part);
  }
  ROCFORGE_RETURN_IF_ERROR(stream.Launch(kernel.kernel, shape, &few));
  const auto columns = static_cast<uint64_t>(args.glu != 0 ? args.n_out[0] : column);
  return stream.Launch(
      kernels.skinny_finish,
      {CeilDiv(columns, kThreads * kFinishColumns), args.n_rows, kThreads, false, 0, overlap},
      &finish);
}

Status Gemm::MultiplyMany(const Stream& stream, const GemmKernel& chosen, GemmArgs args) const {
  // Several whole experts at once where they fit, else some columns of one.
  const int64_t all = sizes.Columns(chosen.columns);
  const int64_t fit = layout.weight_bytes / sizes.ColumnBytes() / chosen.columns * chosen.columns;
  const int64_t columns_per_launch = std::min(all, fit);
  const int64_t experts_per_launch = std::max<int64_t>(1, fit / all);
  for (int64_t expert = 0; expert < sizes.n_experts; expert += experts_per_launch) {
    args.expert_begin = static_cast<uint32_t>(expert);
    args.expert_end = static_cast<uint32_t>(std::min(expert + experts_per_launch, sizes.n_experts));
    for (int64_t column = 0; column < all; column += columns_per_launch) {
      const int64_t columns = std::min(columns_per_launch, all - column);
      args.column_begin = static_cast<uint32_t>(column);
      args.w_stride = static_cast<uint64_t>(columns);
      args.w_expert_rows = args.w_stride * args.n_k_tiles;
      ROCFORGE_RETURN_IF_ERROR(Multiply(stream, chosen, args, columns));
    }
  }
  return {};
}

Status Gemm::Enqueue(const Stream& stream, const StepShape& shape) const {
  const int64_t n_rows = rows.At(shape);
  if (n_rows == 0) return {};
  const GemmUnit wanted = UnitFor(n_rows);
  const bool few =
      !sizes.experts && n_rows <= kMaxSkinnyRows &&
      (wanted == GemmUnit::kAuto || wanted == GemmUnit::kSkinny || wanted == GemmUnit::kFew);
  const GemmKernel& chosen = Choose(wanted, sizes.RowTiles(n_rows));
  const GemmArgs args = StepArgs(static_cast<uint32_t>(n_rows), chosen);
  SkinnyConfig config;
  if (few)
    config = ChooseSkinny({product.weight, product.n_weights}, sizes.n_k_tiles(), multiprocessors);
  config.direct &= wanted != GemmUnit::kSkinny && kernels.HasFew(n_rows);
  if (wanted_parts != 0) config.parts = wanted_parts;
  const PackOrder order = config.direct ? kernels.Few(n_rows).order : kPackInOrder;
  ROCFORGE_RETURN_IF_ERROR(Prepare(stream, static_cast<uint32_t>(n_rows), args, order));
  ROCFORGE_RETURN_IF_ERROR(few ? MultiplyFew(stream, args, config)
                               : MultiplyMany(stream, chosen, args));
  if (!sizes.erf) return {};
  const uint64_t n = static_cast<uint64_t>(n_rows * sizes.n_out[0]);
  const GluArgs glu{args.out[0],
                    args.out[1],
                    product.out[0],
                    n,
                    static_cast<uint32_t>(product.glu.kind),
                    product.glu.alpha,
                    product.glu.limit};
  return stream.Launch(kernels.glu, {std::min(CeilDiv(n, kThreads), 4096u), 1, kThreads, false},
                       &glu);
}

Status Gemm::TakeMagnitudes(const Stream& stream) const {
  for (uint32_t i = 0; i < product.n_weights; ++i) {
    const Weight& w = product.weight[i];
    MagnitudeArgs args{w, Magnitude(i), static_cast<uint64_t>(sizes.n_experts) * w.n_rows};
    const uint32_t blocks = std::min(CeilDiv(args.n_rows * w.n_units, kThreads), kMagnitudeBlocks);
    ROCFORGE_RETURN_IF_ERROR(stream.Launch(kernels.magnitude, {blocks, 1, kThreads, false}, &args));
    args.n_rows = blocks;
    ROCFORGE_RETURN_IF_ERROR(stream.Launch(kernels.magnitude_join, {1, 1, kThreads, false}, &args));
  }
  return {};
}

class GemmOp final : public BoundOp {
 public:
  explicit GemmOp(Gemm gemm) : gemm_(std::move(gemm)) {}
  Status WeightsReady(const Stream& stream) override {
    ready_ = true;
    return gemm_.TakeMagnitudes(stream);
  }
  Status Enqueue(const Stream& stream, const StepShape& shape) const override {
    if (!ready_) return Internal("the weights of a matrix product are not known to be in place");
    return gemm_.Enqueue(stream, shape);
  }

 private:
  Gemm gemm_;
  bool ready_ = false;
};

}  // namespace

Result<std::unique_ptr<BoundOp>> BindGemm(const op::Call& call, const RowCount& rows,
                                          const BindContext& context, const GemmOptions& options) {
  Gemm gemm;
  ROCFORGE_ASSIGN_OR_RETURN(gemm.product, GemmOperandsOf(call));
  gemm.sizes = GemmSizesOf(call);
  gemm.layout = GemmLayoutOf(gemm.sizes, options);
  gemm.rows = rows;
  gemm.unit = options.unit;
  gemm.configs = ConfigsOf(context.tuning, call);
  gemm.wanted_parts = options.parts;
  gemm.scratch = context.scratch;
  gemm.wave = static_cast<uint32_t>(context.device->info().wave_size);
  gemm.multiprocessors = static_cast<uint32_t>(std::max(1, context.device->info().multiprocessors));
  gemm.overlap = CanOverlap(context);
  if (gemm.layout.end > context.scratch_bytes) {
    return InvalidArgument(Format("the matrix product wants {} bytes of scratch and got {}",
                                  gemm.layout.end, context.scratch_bytes));
  }
  if (gemm.sizes.experts && gemm.sizes.n_experts > kMaxGemmExperts) {
    return Unsupported(Format("{} experts; the GPU kernels take at most {}", gemm.sizes.n_experts,
                              kMaxGemmExperts));
  }
  bool even = true;
  for (int32_t i = 0; i < gemm.sizes.n_weights; ++i)
    even &= gemm.sizes.n_out[static_cast<size_t>(i)] % 2 == 0;
  ROCFORGE_ASSIGN_OR_RETURN(gemm.kernels, FindGemmKernels(context, gemm.sizes.fused_glu(), even));
  const bool warpgroup =
      options.unit == GemmUnit::kWarpgroup || options.unit == GemmUnit::kWarpgroupWide;
  if (warpgroup && gemm.kernels.wide.columns == 0)
    return Unsupported("the device has no warpgroup unit, or an output has odd columns");
  ROCFORGE_ASSIGN_OR_RETURN(
      Buffer magnitudes,
      Buffer::Allocate(context.device, gemm.product.n_weights * (1 + kMagnitudeBlocks) * 4));
  gemm.magnitudes = std::make_shared<Buffer>(std::move(magnitudes));
  return std::unique_ptr<BoundOp>(std::make_unique<GemmOp>(std::move(gemm)));
}

bool HasGemmFew(const op::Call& call, int64_t n_rows, const BindContext& context) {
  if (!std::holds_alternative<op::MatMul>(*call.params) || n_rows > kMaxSkinnyRows) return false;
  const Result<GemmOperands> product = GemmOperandsOf(call);
  if (!product.ok()) return false;
  const Result<GemmKernels> kernels = FindGemmKernels(context, false, false);
  return kernels.ok() && kernels->HasFew(n_rows) &&
         ChooseSkinny({product->weight, product->n_weights}, 1, 1).direct;
}

int64_t GemmMinRows(const op::Call& call, const Device& device) {
  constexpr int64_t kFew = 8;
  // As measured on an H200, with gemm_few on warpgroups and without.
  const int64_t few_direct = device.info().architecture == "sm_90" ? 3 : 4;
  constexpr int64_t kSmall = 4 << 20;  // weights
  constexpr int64_t kLarge = 32 << 20;
  const GemmSizes sizes = GemmSizesOf(call);
  bool stays_float = true;
  // AMD's code has no gemm_few (gemm_kernels.cc).
  bool direct = !sizes.experts && !device.info().architecture.starts_with("gfx");
  int64_t n = 0;
  for (size_t i = 0; i < static_cast<size_t>(sizes.n_weights); ++i) {
    const op::TensorDesc& w = call.in[FirstWeight(call) + i].desc;
    stays_float &= w.dtype == DType::kF32 && w.outer * w.rows * w.cols < kSmall;
    direct &= IsDirectType(static_cast<uint32_t>(w.dtype));
    n += w.rows * w.cols;
  }
  if (stays_float) return std::numeric_limits<int64_t>::max();
  return (direct && n >= kLarge ? few_direct : kFew) * sizes.n_experts + 1;
}

int64_t GemmScratchBytes(const op::Call& call, const GemmOptions& options) {
  return GemmLayoutOf(GemmSizesOf(call), options).end;
}

}  // namespace rocforge::gpu
