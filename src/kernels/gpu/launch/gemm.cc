#include "kernels/gpu/launch/gemm.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "base/format.h"
#include "kernels/gpu/launch/gemm_kernels.h"
#include "kernels/gpu/launch/launchers.h"
#include "kernels/gpu/layout/weights.h"
#include "kernels/gpu/ops/elementwise_args.h"
#include "kernels/gpu/ops/gemm_args.h"

namespace rocforge::gpu {
namespace {

constexpr int64_t kAlign = 256;
constexpr int64_t kPackThreads = 512;  // at most
constexpr uint32_t kThreads = kGemmThreads;
constexpr uint32_t kWideColumns = kGemmWideColumns;
constexpr uint32_t kMagnitudeBlocks = 256;
constexpr uint32_t kGroupThreads = 1024;

// The operands of a call.
struct Product {
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

Result<Product> ProductOf(const op::Call& call) {
  Product p;
  const bool* has_bias = nullptr;
  size_t at = 1;
  if (const auto* moe = std::get_if<op::MoeMatMul>(call.params)) {
    p.ids = static_cast<const int32_t*>(call.in[at++].data);
    p.rows_per_x = moe->x_per_expert ? 1 : static_cast<uint32_t>(moe->n_used);
    p.n_weights = static_cast<uint32_t>(moe->n_weights);
    p.glu = moe->glu;
    has_bias = moe->has_bias;
  } else {
    const auto& dense = std::get<op::MatMul>(*call.params);
    p.n_weights = static_cast<uint32_t>(dense.n_weights);
    p.glu = dense.glu;
    p.out_scale = dense.out_scale;
    if (dense.has_residual) p.residual = In(call, call.in.size() - 1);
    has_bias = dense.has_bias;
  }
  p.x = In(call, 0);
  for (uint32_t i = 0; i < p.n_weights; ++i) {
    const op::Operand& w = call.in[at++];
    if (!CanPack(w.desc.dtype))
      return Unsupported(Format("weights of type {} on a GPU", Name(w.desc.dtype)));
    p.weight[i] = DescribeWeight(w.desc, w.data);
  }
  for (uint32_t i = 0; i < p.n_weights; ++i) {
    if (has_bias[i]) p.bias[i] = In(call, at++);
  }
  for (size_t i = 0; i < call.out.size(); ++i) p.out[i] = Out(call, i);
  return p;
}

// The sizes of a call that scratch depends on.
struct Sizes {
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
    if (fused_glu()) return RoundUp(2 * RoundUp(n_out[0], kGluColumns), tile);
    int64_t sum = 0;
    for (int32_t i = 0; i < n_weights; ++i) sum += RoundUp(n_out[static_cast<size_t>(i)], tile);
    return sum;
  }
  // Of one expert.
  int64_t ColumnBytes() const { return n_k_tiles() * kGemmDepth * 2; }
  // Of x.
  int64_t RowBytes() const { return RoundUp(cols, kPackUnitColumns) * 2; }
  // Sums of one part of a few rows.
  int64_t FewBytes() const {
    int64_t columns = 0;
    for (int32_t i = 0; i < n_weights; ++i)
      columns += RoundUp(n_out[static_cast<size_t>(i)], kFewGroupColumns);
    return kMaxSkinnyRows * columns * 4;
  }
};

size_t FirstWeight(const op::Call& call) {
  return std::holds_alternative<op::MoeMatMul>(*call.params) ? 2 : 1;
}

Sizes SizesOf(const op::Call& call) {
  Sizes s;
  op::GluKind glu = op::GluKind::kNone;
  const size_t first = FirstWeight(call);
  if (const auto* moe = std::get_if<op::MoeMatMul>(call.params)) {
    s.experts = true;
    s.n_weights = moe->n_weights;
    s.n_experts = call.in[first].desc.outer;
    glu = moe->glu.kind;
  } else {
    const auto& p = std::get<op::MatMul>(*call.params);
    s.n_weights = p.n_weights;
    glu = p.glu.kind;
  }
  s.glu = glu != op::GluKind::kNone;
  s.erf = glu == op::GluKind::kGeluErf;
  s.max_rows = call.out[0].desc.rows;
  s.cols = call.in[0].desc.cols;
  for (int32_t i = 0; i < s.n_weights; ++i)
    s.n_out[static_cast<size_t>(i)] = call.in[first + static_cast<size_t>(i)].desc.rows;
  return s;
}

// Where things lie in the scratch; offsets for the largest step serve smaller ones too.
struct Layout {
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

Layout LayoutOf(const Sizes& s, const GemmOptions& options) {
  Layout l;
  const auto take = [&l](int64_t bytes) {
    const int64_t at = l.end;
    l.end += RoundUp(bytes, kAlign);
    return at;
  };
  const int64_t rows = s.RowTiles(s.max_rows) * kGemmRows;
  l.x = take(rows * s.RowBytes());
  l.x_scale = take(rows * 4);
  if (s.experts) {
    l.row_of = take(rows * 4);
    l.first_tile = take((s.n_experts + 1) * 4);
    l.counts = take(s.n_experts * 4);
  }
  if (s.erf) l.gate_up = take(2 * s.max_rows * s.n_out[0] * 4);
  l.weight_bytes =
      std::min(s.n_experts * s.Columns(kWideColumns) * s.ColumnBytes(),
               std::max(options.weight_bytes, int64_t{kWideColumns} * s.ColumnBytes()));
  // The sums of a few rows lie there too.
  l.weight_bytes = std::max(l.weight_bytes, s.FewBytes());
  l.weights = take(l.weight_bytes);
  return l;
}

GateArgs GateOf(const op::Glu& glu) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kGeluLinear = 1.59576912160573071f;  // 2 sqrt(2 / pi)
  switch (glu.kind) {
    case op::GluKind::kGeluTanh:
      return {kGeluLinear, kGeluLinear * 0.044715f, kInfinity, 0.0f};
    case op::GluKind::kSwigluOai:
      return {glu.alpha, 0.0f, glu.limit, 1.0f};
    default:
      return {1.0f, 0.0f, kInfinity, 0.0f};
  }
}

// Everything that stays the same from step to step.
struct Gemm {
  Product product;
  Sizes sizes;
  Layout layout;
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
  GemmKernel kernel{args.n_rows <= 32 ? kernels.skinny_32 : kernels.skinny_64, kGemmColumns,
                    kThreads, 0, 0};
  if (config.direct) kernel = kernels.Few(args.n_rows);
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
  const PackOrder order = !config.direct                                    ? kPackInOrder
                          : kernels.Few(n_rows).columns == kFewGroupColumns ? kPackByUnit
                                                                            : kPackByParity;
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
  ROCFORGE_ASSIGN_OR_RETURN(gemm.product, ProductOf(call));
  gemm.sizes = SizesOf(call);
  gemm.layout = LayoutOf(gemm.sizes, options);
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
  const Result<Product> product = ProductOf(call);
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
  const Sizes sizes = SizesOf(call);
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
  return LayoutOf(SizesOf(call), options).end;
}

}  // namespace rocforge::gpu
