#include "kernels/gpu/launch/matvec.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "base/format.h"
#include "kernels/gpu/launch/gemm.h"
#include "kernels/gpu/launch/launchers.h"
#include "kernels/gpu/layout/weights.h"
#include "kernels/gpu/ops/elementwise_args.h"
#include "kernels/gpu/ops/matvec_args.h"
#include "kernels/gpu/ops/quantize_rows_args.h"

namespace rocforge::gpu {
namespace {

static_assert(op::MatMul::kMaxWeights == kMaxMatvecWeights);
static_assert(static_cast<uint32_t>(DType::kIQ4_XS) == kWeightIQ4_XS &&
              static_cast<uint32_t>(DType::kQ2_0) == kWeightQ2_0 &&
              static_cast<uint32_t>(DType::kNVFP4) == kWeightNVFP4 &&
              static_cast<uint32_t>(DType::kIQ1_M) == kWeightIQ1_M);

// Of the kernels that quantise x themselves; a few waves do that faster than one.
constexpr uint32_t kFewestThreads = 256;
constexpr uint32_t kMostThreads = 512;
constexpr uint32_t kBlocks = 2;         // a multiprocessor
constexpr uint32_t kManyThreads = 256;  // at most
constexpr uint32_t kRowsPerWave = 2;    // of the kernels for many columns and for float weights
constexpr uint32_t kQuantiseThreads = 256;
constexpr uint32_t kElementwiseThreads = 256;

// The file and the name of a type's kernels.
struct KernelName {
  DType type;
  const char* file;
  const char* name;
};
constexpr KernelName kKernels[] = {
    {DType::kF32, "matvec_float", "matvec_f32"},
    {DType::kF16, "matvec_float", "matvec_f16"},
    {DType::kBF16, "matvec_float", "matvec_bf16"},
    {DType::kQ4_0, "matvec_blocks", "matvec_q4_0"},
    {DType::kQ4_1, "matvec_blocks", "matvec_q4_1"},
    {DType::kQ5_0, "matvec_blocks", "matvec_q5_0"},
    {DType::kQ5_1, "matvec_blocks", "matvec_q5_1"},
    {DType::kQ8_0, "matvec_blocks", "matvec_q8_0"},
    {DType::kQ2_0, "matvec_blocks", "matvec_q2_0"},
    {DType::kQ1_0, "matvec_blocks", "matvec_q1_0"},
    {DType::kQ2_K, "matvec_k", "matvec_q2_k"},
    {DType::kQ3_K, "matvec_k", "matvec_q3_k"},
    {DType::kQ4_K, "matvec_k", "matvec_q4_k"},
    {DType::kQ5_K, "matvec_k", "matvec_q5_k"},
    {DType::kQ6_K, "matvec_k", "matvec_q6_k"},
    {DType::kIQ4_NL, "matvec_levels", "matvec_iq4_nl"},
    {DType::kIQ4_XS, "matvec_levels", "matvec_iq4_xs"},
    {DType::kMXFP4, "matvec_levels", "matvec_mxfp4"},
    {DType::kNVFP4, "matvec_levels", "matvec_nvfp4"},
    {DType::kTQ1_0, "matvec_levels", "matvec_tq2_0"},  // the same layout
    {DType::kTQ2_0, "matvec_levels", "matvec_tq2_0"},
    {DType::kIQ1_S, "matvec_books", "matvec_iq1_s"},
    {DType::kIQ1_M, "matvec_books", "matvec_iq1_m"},
    {DType::kIQ2_XXS, "matvec_books", "matvec_iq2_xxs"},
    {DType::kIQ2_XS, "matvec_books", "matvec_iq2_xs"},
    {DType::kIQ2_S, "matvec_books", "matvec_iq2_s"},
    {DType::kIQ3_XXS, "matvec_books", "matvec_iq3_xxs"},
    {DType::kIQ3_S, "matvec_books", "matvec_iq3_s"},
};

const KernelName* FindKernelName(DType type) {
  for (const KernelName& k : kKernels) {
    if (k.type == type) return &k;
  }
  return nullptr;
}

bool IsFloat(DType type) { return !Info(type).quantised; }

DType TypeOf(const MatvecCall& p, int32_t i) {
  return p.call->in[p.first_weight + static_cast<size_t>(i)].desc.dtype;
}

bool SameTypes(const MatvecCall& p) {
  for (int32_t i = 1; i < p.n_weights; ++i) {
    if (TypeOf(p, i) != TypeOf(p, 0)) return false;
  }
  return true;
}

// Experts, and single rows, are quantised by the blocks themselves.
bool FitsBlock(const MatvecCall& p) {
  bool all_float = true;
  for (int32_t i = 0; i < p.n_weights; ++i) all_float = all_float && IsFloat(TypeOf(p, i));
  return all_float || p.call->in[0].desc.cols <= kMaxMatvecUnits * kUnit;
}

// Scratch: the quantised rows of x, then gate and up where GLU is a launch of its own.
int64_t QuantisedBytes(const MatvecCall& p) {
  if (p.experts) return 0;
  bool any = false;
  for (int32_t i = 0; i < p.n_weights; ++i) any = any || !IsFloat(TypeOf(p, i));
  const op::TensorDesc& x = p.call->in[0].desc;
  if (!any) return 0;
  return RoundUp(x.rows * static_cast<int64_t>(QuantisedRowBytes(static_cast<uint64_t>(x.cols))),
                 256);
}
int64_t HalfOfGluBytes(const MatvecCall& p) {
  if (p.glu.kind == op::GluKind::kNone) return 0;
  return RoundUp(
      p.call->out[0].desc.rows * p.call->out[0].desc.cols * static_cast<int64_t>(sizeof(float)),
      256);
}

enum class Kind : uint8_t { kOne, kPair, kFloat, kQuantise, kMany, kGlu };

// One launch, but for what depends on the number of rows.
struct Launch {
  Kind kind = Kind::kOne;
  Kernel kernel;
  MatvecArgs args{};       // not of kGlu
  MatvecArgs second{};     // of kPair
  GluArgs glu{};           // of kGlu
  uint32_t half_sums = 0;  // of kQuantise
  bool one_row = false;    // of kFloat: the kernel takes one row of x, not eight
  bool ring = false;       // of kFloat: the kernel is a _ring one
};

// Shared memory of the _ring kernels for x of so many columns.
uint32_t RingXBytes(uint32_t cols) { return CeilDiv(cols, kUnit) * kUnit * 4; }

Status FindKernel(const BindContext& context, DType type, const char* suffix, Kernel* kernel) {
  const KernelName* name = FindKernelName(type);
  if (name == nullptr) return Unsupported(Format("weights of type {} on a GPU", Name(type)));
  ROCFORGE_ASSIGN_OR_RETURN(*kernel,
                            context.modules->Find(name->file, std::string(name->name) + suffix));
  return {};
}

// The launches of a product: with by_block those of single rows and experts, else those of many
// rows.
class LaunchList {
 public:
  LaunchList(const MatvecCall& p, const BindContext& context, bool by_block)
      : p_(p), context_(context), by_block_(by_block) {
    const bool glu = p.glu.kind != op::GluKind::kNone;
    fused_glu_ = glu && SameTypes(p) && (by_block || IsFloat(TypeOf(p, 0)));
    separate_glu_ = glu && !fused_glu_;
    size_t bias_at = p.first_weight + static_cast<size_t>(p.n_weights);
    for (int32_t i = 0; i < p.n_weights; ++i)
      bias_[i] = p.has_bias[i] ? In(*p.call, bias_at++) : nullptr;
    const DevicePtr halves = context.scratch + static_cast<DevicePtr>(QuantisedBytes(p));
    for (int i = 0; i < 2; ++i)
      half_[i] = DevicePointer<float>(halves + static_cast<DevicePtr>(i * HalfOfGluBytes(p)));
  }

  Result<std::vector<Launch>> Build() {
    for (int32_t begin = 0; begin < p_.n_weights;) {
      int32_t end = begin + 1;
      while (end < p_.n_weights && TypeOf(p_, end) == TypeOf(p_, begin)) ++end;
      ROCFORGE_RETURN_IF_ERROR(AddGroup(begin, end));
      begin = end;
    }
    ROCFORGE_RETURN_IF_ERROR(MergePair());
    if (separate_glu_) {
      Launch launch;
      launch.kind = Kind::kGlu;
      ROCFORGE_ASSIGN_OR_RETURN(launch.kernel,
                                context_.modules->Find("elementwise", "elementwise_glu"));
      launch.glu = {
          half_[0],     half_[1],    Out(*p_.call, 0), 0, static_cast<uint32_t>(p_.glu.kind),
          p_.glu.alpha, p_.glu.limit};
      launches_.push_back(launch);
    }
    return std::move(launches_);
  }

 private:
  // Weights [begin, end) have one type.
  Status AddGroup(int32_t begin, int32_t end) {
    const DType type = TypeOf(p_, begin);
    Launch launch;
    launch.args = Args(begin, end);
    if (IsFloat(type)) {
      launch.kind = Kind::kFloat;
      launch.one_row = by_block_;
      ROCFORGE_RETURN_IF_ERROR(
          FindKernel(context_, type, by_block_ ? "" : "_many", &launch.kernel));
      if (by_block_) ROCFORGE_RETURN_IF_ERROR(PreferRing(type, &launch));
    } else if (by_block_) {
      launch.kind = Kind::kOne;
      ROCFORGE_RETURN_IF_ERROR(
          FindKernel(context_, type, fused_glu_ ? "_glu" : "", &launch.kernel));
    } else {
      // Only Q2_K has two offsets in a unit.
      ROCFORGE_RETURN_IF_ERROR(AddQuantise(launch.args, type == DType::kQ2_K ? 1 : 0));
      launch.kind = Kind::kMany;
      ROCFORGE_RETURN_IF_ERROR(FindKernel(context_, type, "_many", &launch.kernel));
    }
    launches_.push_back(launch);
    return {};
  }

  // Takes the type's _ring kernel where the device's code has it and x leaves room for the rings.
  Status PreferRing(DType type, Launch* launch) {
    constexpr uint32_t kLeastRing = kMostRingWaves * kRingStageBytes;
    // AMD's object of this file is empty, and not worth loading.
    if (p_.experts || context_.modules->target().starts_with("gfx") ||
        kRingPhaseBytes + RingXBytes(launch->args.cols) + kLeastRing > kRingSharedBytes) {
      return {};
    }
    const Result<Kernel> kernel = context_.modules->Find(
        "matvec_ring",
        Format("{}{}", FindKernelName(type)->name, fused_glu_ ? "_glu_ring" : "_ring"));
    if (!kernel.ok()) return {};
    ROCFORGE_RETURN_IF_ERROR(AllowShared(*context_.device, *kernel, kRingSharedBytes));
    launch->kernel = *kernel;
    launch->ring = true;
    return {};
  }

  // Two launches of single rows become one where there is a kernel for their types.
  Status MergePair() {
    if (launches_.size() != 2 || launches_[0].kind != Kind::kOne ||
        launches_[1].kind != Kind::kOne || p_.experts) {
      return {};
    }
    if (launches_[0].args.weight[0].type == kWeightQ6_K) std::swap(launches_[0], launches_[1]);
    if (launches_[0].args.weight[0].type != kWeightQ4_K ||
        launches_[1].args.weight[0].type != kWeightQ6_K) {
      return {};
    }
    launches_[0].kind = Kind::kPair;
    launches_[0].second = launches_[1].args;
    launches_.pop_back();
    ROCFORGE_ASSIGN_OR_RETURN(launches_[0].kernel,
                              context_.modules->Find("matvec_pair", "matvec_q4_k_q6_k"));
    return {};
  }

  // Unless the group before has quantised x in the same way.
  Status AddQuantise(const MatvecArgs& args, uint32_t half_sums) {
    for (auto last = launches_.rbegin(); last != launches_.rend(); ++last) {
      if (last->kind == Kind::kQuantise && last->half_sums == half_sums) return {};
      if (last->kind == Kind::kQuantise) break;
    }
    Launch launch;
    launch.kind = Kind::kQuantise;
    launch.args = args;
    launch.half_sums = half_sums;
    ROCFORGE_ASSIGN_OR_RETURN(launch.kernel,
                              context_.modules->Find("quantize_rows", "quantize_rows"));
    launches_.push_back(launch);
    return {};
  }

  MatvecArgs Args(int32_t begin, int32_t end) const {
    MatvecArgs args{};
    for (int32_t i = begin; i < end; ++i) {
      const op::Operand& w = p_.call->in[p_.first_weight + static_cast<size_t>(i)];
      const int32_t at = i - begin;
      args.weight[at] = DescribeWeight(w.desc, w.data);
      args.bias[at] = bias_[i];
      args.out[at] =
          separate_glu_ ? half_[i] : Out(*p_.call, fused_glu_ ? 0 : static_cast<size_t>(i));
    }
    args.x = In(*p_.call, 0);
    args.quantised_x = DevicePointer<uint8_t>(context_.scratch);
    args.residual = p_.residual;
    args.ids = p_.ids;
    args.cols = static_cast<uint32_t>(p_.call->in[0].desc.cols);
    args.rows_per_x = static_cast<uint32_t>(p_.rows_per_x);
    args.glu = fused_glu_ ? static_cast<uint32_t>(p_.glu.kind) : 0;
    args.alpha = p_.glu.alpha;
    args.limit = p_.glu.limit;
    args.out_scale = p_.out_scale;
    return args;
  }

  const MatvecCall& p_;
  const BindContext& context_;
  bool by_block_;
  bool fused_glu_;
  bool separate_glu_;
  const float* bias_[kMaxMatvecWeights] = {};
  float* half_[2] = {};
  std::vector<Launch> launches_;
};

uint32_t Rows(const MatvecArgs& args) {
  return args.weight[0].n_rows + args.weight[1].n_rows + args.weight[2].n_rows;
}

// Grids for a device.
class Geometry {
 public:
  Geometry(const Device& device, bool overlap)
      : wave_(static_cast<uint32_t>(device.info().wave_size)),
        overlap_(overlap),
        // 512 threads take half of the registers of an NVIDIA multiprocessor, or of an AMD compute
        // unit.
        multiprocessors_(static_cast<uint32_t>(std::max(device.info().multiprocessors, 1))) {}

  // `tasks` waves' worth of work for each of n_rows rows: about kBlocks blocks a multiprocessor in
  // all, whose waves walk over the tasks.
  LaunchShape One(uint32_t tasks, uint32_t n_rows, const OpConfig& config) const {
    const uint32_t blocks = multiprocessors_ * (config.blocks != 0 ? config.blocks : kBlocks);
    const uint32_t per_row = std::max(blocks / n_rows, 1u);
    const uint32_t waves =
        config.threads != 0
            ? config.threads / wave_
            : std::clamp(CeilDiv(tasks, per_row), kFewestThreads / wave_, kMostThreads / wave_);
    return {std::min(per_row, CeilDiv(tasks, waves)), n_rows, waves * wave_, false, 0, overlap_};
  }
  // A block a multiprocessor for each of n_rows rows, whose waves walk over the tasks with as many
  // stages as there is room for.
  LaunchShape Ring(uint32_t tasks, uint32_t n_rows, uint32_t cols, const OpConfig& config,
                   uint32_t* stages) const {
    const uint32_t waves =
        config.threads != 0
            ? std::clamp(config.threads / wave_, 1u, kMostRingWaves)
            : std::clamp(CeilDiv(tasks, multiprocessors_), kFewestThreads / wave_, kMostRingWaves);
    const uint32_t room = kRingSharedBytes - kRingPhaseBytes - RingXBytes(cols);
    *stages = std::min(room / (waves * kRingStageBytes), kMostRingStages);
    return {std::min(multiprocessors_, CeilDiv(tasks, waves)),
            n_rows,
            waves * wave_,
            false,
            kRingSharedBytes,
            overlap_};
  }
  // The same for two matrices of one row; *first_blocks of them by the bytes of the first.
  LaunchShape Pair(const MatvecArgs& first, const MatvecArgs& second, const OpConfig& config,
                   uint32_t* first_blocks) const {
    const uint32_t tasks = Rows(first) + Rows(second);
    const double first_bytes = static_cast<double>(Rows(first)) * first.weight[0].row_bytes;
    const double second_bytes = static_cast<double>(Rows(second)) * second.weight[0].row_bytes;
    LaunchShape shape = One(tasks, 1, config);
    shape.grid_x = std::max(shape.grid_x, 2u);
    *first_blocks = std::clamp(static_cast<uint32_t>(std::lround(shape.grid_x * first_bytes /
                                                                 (first_bytes + second_bytes))),
                               1u, shape.grid_x - 1);
    return shape;
  }
  LaunchShape Quantise(uint32_t cols, uint32_t n_rows) const {
    return {CeilDiv(cols / kOct, kQuantiseThreads), n_rows, kQuantiseThreads, false, 0, overlap_};
  }
  LaunchShape Elementwise(uint64_t n) const {
    return {std::min(CeilDiv(n, kElementwiseThreads), 4096u),
            1,
            kElementwiseThreads,
            false,
            0,
            overlap_};
  }
  // A wave a task.
  LaunchShape Many(uint32_t tasks, uint32_t groups, const OpConfig& config) const {
    const uint32_t threads =
        config.threads != 0 ? std::min(config.threads, kManyThreads) : kManyThreads;
    return {CeilDiv(tasks, threads / wave_), groups, threads, false, 0, overlap_};
  }

 private:
  uint32_t wave_;
  bool overlap_;
  uint32_t multiprocessors_;
};

Status Enqueue(const Launch& launch, const Geometry& geometry, const OpConfig& config,
               const Stream& stream, uint32_t n_rows, uint64_t out_cols) {
  MatvecArgs args = launch.args;
  args.n_rows = n_rows;
  const uint32_t total = args.glu != 0 ? args.weight[0].n_rows : Rows(args);
  const uint32_t groups = CeilDiv(n_rows, kMaxMatvecColumns);
  switch (launch.kind) {
    case Kind::kOne:
      return stream.Launch(launch.kernel, geometry.One(total, n_rows, config), &args);
    case Kind::kPair: {
      MatvecPairArgs pair{args, launch.second, 0};
      pair.second.n_rows = n_rows;
      const LaunchShape shape = geometry.Pair(pair.first, pair.second, config, &pair.first_blocks);
      return stream.Launch(launch.kernel, shape, &pair);
    }
    case Kind::kFloat:
      if (launch.ring) {
        MatvecRingArgs ring{args, 0};
        const LaunchShape shape = geometry.Ring(total, n_rows, args.cols, config, &ring.stages);
        return stream.Launch(launch.kernel, shape, &ring);
      }
      return stream.Launch(launch.kernel,
                           geometry.Many(args.glu != 0 ? total : CeilDiv(total, kRowsPerWave),
                                         launch.one_row ? n_rows : groups, config),
                           &args);
    case Kind::kMany:
      return stream.Launch(launch.kernel,
                           geometry.Many(CeilDiv(total, kRowsPerWave), groups, config), &args);
    case Kind::kQuantise: {
      const QuantizeRowsArgs quantise{args.x, args.quantised_x, args.cols, launch.half_sums};
      return stream.Launch(launch.kernel, geometry.Quantise(args.cols, n_rows), &quantise);
    }
    case Kind::kGlu: {
      GluArgs glu = launch.glu;
      glu.n = n_rows * out_cols;
      return stream.Launch(launch.kernel, geometry.Elementwise(glu.n), &glu);
    }
  }
  return Internal("no such launch");
}

// Whether kernels of one row can do this norm: RMS over all columns, with weights.
bool IsPlainRms(const op::Call& norm) {
  const op::Norm& p = std::get<op::Norm>(*norm.params);
  return p.kind == op::NormKind::kRms && p.has_weight && !p.has_bias &&
         (p.group == 0 || p.group == norm.in[0].desc.cols);
}

class MatvecOp final : public BoundOp {
 public:
  MatvecOp(const MatvecCall& product, const Modules& modules, std::vector<Launch> one,
           std::vector<Launch> many, const Geometry& geometry, const RowCount& rows,
           const OpConfigs& configs)
      : modules_(modules),
        one_(std::move(one)),
        many_(std::move(many)),
        geometry_(geometry),
        rows_(rows),
        configs_(configs),
        out_cols_(static_cast<uint64_t>(product.call->out[0].desc.cols)),
        experts_(product.experts) {}

  bool TakeNorm(const op::Call& norm) override {
    if (experts_ || one_.empty() || !IsPlainRms(norm)) return false;
    std::vector<Launch> normed = one_;
    for (Launch& launch : normed) {
      if (launch.kind == Kind::kGlu) continue;
      if (launch.kind == Kind::kFloat) return false;  // these kernels do not round x
      Result<Kernel> kernel = modules_.Find("matvec_norm", NormKernelName(launch));
      if (!kernel.ok()) return false;  // not a type that has one
      launch.kernel = *kernel;
      for (MatvecArgs* args : {&launch.args, &launch.second}) {
        args->x = In(norm, 0);
        args->norm_weight = In(norm, 1);
        args->norm_eps = std::get<op::Norm>(*norm.params).eps;
      }
    }
    normed_ = std::move(normed);
    return true;
  }
  bool TakesNorm(const StepShape& shape) const override {
    return shape.take_norms && !normed_.empty() && rows_.At(shape) == 1;
  }
  Status Enqueue(const Stream& stream, const StepShape& shape) const override {
    const auto n_rows = static_cast<uint32_t>(rows_.At(shape));
    if (n_rows == 0) return {};
    const bool by_block = experts_ || (n_rows == 1 && !one_.empty());
    for (const Launch& launch : TakesNorm(shape) ? normed_ : by_block ? one_ : many_)
      ROCFORGE_RETURN_IF_ERROR(
          gpu::Enqueue(launch, geometry_, configs_[RowBucket(n_rows)], stream, n_rows, out_cols_));
    return {};
  }

 private:
  static std::string NormKernelName(const Launch& launch) {
    if (launch.kind == Kind::kPair) return "matvec_q4_k_q6_k_norm";
    const auto type = static_cast<DType>(launch.args.weight[0].type);
    return std::string(FindKernelName(type)->name) + (launch.args.glu != 0 ? "_glu_norm" : "_norm");
  }

  const Modules& modules_;
  // Of one row (or experts), of several, of one row with its norm.
  std::vector<Launch> one_, many_, normed_;
  Geometry geometry_;
  RowCount rows_;
  OpConfigs configs_;
  uint64_t out_cols_;
  bool experts_;
};

}  // namespace

Result<std::unique_ptr<BoundOp>> BindMatvec(const MatvecCall& product, const RowCount& rows,
                                            const BindContext& context) {
  const bool experts = product.experts;
  if (experts && !FitsBlock(product)) {
    return Unsupported(Format("experts with {} columns; the GPU kernels take at most {}",
                              product.call->in[0].desc.cols, kMaxMatvecUnits * kUnit));
  }
  std::vector<Launch> one, many;
  if (FitsBlock(product)) {
    ROCFORGE_ASSIGN_OR_RETURN(one, LaunchList(product, context, true).Build());
  }
  if (!experts) {
    ROCFORGE_ASSIGN_OR_RETURN(many, LaunchList(product, context, false).Build());
  }
  return std::unique_ptr<BoundOp>(
      std::make_unique<MatvecOp>(product, *context.modules, std::move(one), std::move(many),
                                 Geometry(*context.device, CanOverlap(context)), rows,
                                 ConfigsOf(context.tuning, *product.call)));
}

int64_t MatvecScratchBytes(const MatvecCall& product) {
  return QuantisedBytes(product) + 2 * HalfOfGluBytes(product);
}

namespace {

MatvecCall DenseCall(const op::Call& call) {
  const op::MatMul& p = std::get<op::MatMul>(*call.params);
  MatvecCall product{&call, 1, p.n_weights, p.has_bias, p.glu};
  if (p.has_residual) product.residual = In(call, call.in.size() - 1);
  product.out_scale = p.out_scale;
  return product;
}

}  // namespace

Result<std::unique_ptr<BoundOp>> BindMatMul(const op::Call& call, const RowCount& rows,
                                            const BindContext& context) {
  ROCFORGE_ASSIGN_OR_RETURN(auto few, BindMatvec(DenseCall(call), rows, context));
  return WithGemm(std::move(few), call, rows, context);
}

int64_t MatMulScratchBytes(const op::Call& call, const Device& device) {
  return std::max(MatvecScratchBytes(DenseCall(call)), WithGemmScratchBytes(call, device));
}

}  // namespace rocforge::gpu
