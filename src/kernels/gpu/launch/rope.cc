// Launchers of the ops in ops/rope.gpu.cc.
#include <algorithm>
#include <cmath>
#include <vector>

#include "base/format.h"
#include "kernels/gpu/launch/kv_cache.h"
#include "kernels/gpu/launch/launchers.h"
#include "kernels/gpu/ops/rope_args.h"

namespace rocforge::gpu {
namespace {

constexpr int64_t kMaxHeadDim = 512;
constexpr uint32_t kBlocksPerMultiprocessor = 8;  // fill it: an NVIDIA one holds 16 of 128 threads

// The dimension whose pair turns `rotations` times within the original context (YaRN, Peng et al.
// 2023, section 3.2).
double CorrectionDimension(const op::RopeTable& p, double rotations) {
  constexpr double kPi = 3.14159265358979323846;
  return static_cast<double>(p.rope_dim) *
         std::log(static_cast<double>(p.n_ctx_orig) / (rotations * 2.0 * kPi)) /
         (2.0 * std::log(static_cast<double>(p.freq_base)));
}

// angle / position of each pair: op.h's formulas are linear in the position, so they fold into one
// number.
std::vector<double> InverseFrequencies(const op::RopeTable& p, const float* factors) {
  double low = 0;
  double high = 0;
  if (p.ext_factor != 0.0f) {
    const double last = static_cast<double>(p.rope_dim - 1);
    low = std::clamp(std::floor(CorrectionDimension(p, p.beta_fast)), 0.0, last);
    high = std::clamp(std::ceil(CorrectionDimension(p, p.beta_slow)), 0.0, last);
  }
  std::vector<double> result;
  for (int64_t j = 0; j < p.rope_dim / 2; ++j) {
    const double exponent = -2.0 * static_cast<double>(j) / static_cast<double>(p.rope_dim);
    const double extrapolated = std::pow(static_cast<double>(p.freq_base), exponent) /
                                (factors == nullptr ? 1.0 : static_cast<double>(factors[j]));
    const double interpolated = static_cast<double>(p.freq_scale) * extrapolated;
    const double ramp =
        1.0 - std::clamp((static_cast<double>(j) - low) / std::max(0.001, high - low), 0.0, 1.0);
    const double mix = p.ext_factor != 0.0f ? ramp * static_cast<double>(p.ext_factor) : 0.0;
    result.push_back(interpolated * (1.0 - mix) + extrapolated * mix);
  }
  return result;
}

RopeKvArgs MakeArgs(const op::Rope* rope, const op::KvAppend* append, const op::KvLayer* kv,
                    const BindContext& context) {
  RopeKvArgs args{};
  if (rope != nullptr) {
    args.head_dim = static_cast<uint32_t>(rope->head_dim);
    args.rope_dim = static_cast<uint32_t>(rope->rope_dim);
    args.neox = rope->kind == op::RopeKind::kNeox ? 1 : 0;
  }
  if (append != nullptr) {
    args.n_kv_heads = static_cast<uint32_t>(append->n_kv_heads);
    args.head_dim = static_cast<uint32_t>(append->head_dim_k);
    args.head_dim_v = static_cast<uint32_t>(append->head_dim_v);
    args.slots = DevicePointer<int32_t>(context.step.kv_slots);
    args.k_pages = static_cast<uint8_t*>(kv->k);
    args.v_pages = static_cast<uint8_t*>(kv->v);
    args.page_size = static_cast<uint32_t>(kv->page_size);
    args.cache_type = CacheType(kv->dtype);
    args.k_plane = PlaneOf(*kv, kv->head_dim_k);
    args.v_plane = PlaneOf(*kv, kv->head_dim_v);
  }
  return args;
}

// Blocks for the queries, keys and values that are set: of one head each, or of kRopeHeads where
// those fill the device too. On an H200 32 heads of 512 tokens take 20 us by the one and 6 by the
// other, of one token 1.0 and 1.2.
Result<std::unique_ptr<BoundOp>> BindKernel(const RopeKvArgs& args, const RowCount& rows,
                                            const BindContext& context) {
  const int64_t widest = std::max(args.head_dim, args.head_dim_v);
  if (widest > kMaxHeadDim) {
    return Unsupported(
        Format("heads of {} columns; the GPU kernels take at most {}", widest, kMaxHeadDim));
  }
  ROCFORGE_ASSIGN_OR_RETURN(const Kernel one, context.modules->Find("rope", "rope_kv"));
  ROCFORGE_ASSIGN_OR_RETURN(const Kernel several, context.modules->Find("rope", "rope_kv_heads"));
  const auto wave = static_cast<uint32_t>(context.device->info().wave_size);
  const uint32_t block = CeilDiv(static_cast<uint64_t>(widest), wave) * wave;
  const auto multiprocessors =
      static_cast<uint32_t>(std::max(1, context.device->info().multiprocessors));
  const bool overlap = CanOverlap(context);
  return MakeBoundOp([=](const Stream& stream, const StepShape& shape) {
    const auto n_tokens = static_cast<uint32_t>(rows.At(shape));
    if (n_tokens == 0) return Status();
    const auto blocks = [&args](uint32_t block_heads) {
      return (args.q != nullptr ? CeilDiv(args.n_heads, block_heads) : 0) +
             (args.k != nullptr ? CeilDiv(args.n_kv_heads, block_heads) : 0) +
             (args.v != nullptr ? CeilDiv(args.n_kv_heads, block_heads) : 0);
    };
    const bool full = uint64_t{blocks(kRopeHeads)} * n_tokens >=
                      uint64_t{kBlocksPerMultiprocessor} * multiprocessors;
    return stream.Launch(full ? several : one,
                         {blocks(full ? kRopeHeads : 1), n_tokens, block, false, 0, overlap},
                         &args);
  });
}

}  // namespace

Result<std::unique_ptr<BoundOp>> BindRopeTable(const op::Call& call, const RowCount& rows,
                                               const BindContext& context) {
  const op::RopeTable& p = std::get<op::RopeTable>(*call.params);
  ROCFORGE_ASSIGN_OR_RETURN(const Kernel kernel, context.modules->Find("rope", "rope_table"));
  const auto half = static_cast<size_t>(p.rope_dim / 2);
  ROCFORGE_ASSIGN_OR_RETURN(const Stream stream, Stream::Create(context.device));
  std::vector<float> factors(half);
  if (p.has_factors) {
    const auto from = static_cast<DevicePtr>(reinterpret_cast<uintptr_t>(call.in[0].data));
    ROCFORGE_RETURN_IF_ERROR(stream.CopyToHost(std::as_writable_bytes(std::span(factors)), from));
    ROCFORGE_RETURN_IF_ERROR(stream.Synchronize());
  }
  std::vector<float> pairs;
  for (const double frequency : InverseFrequencies(p, p.has_factors ? factors.data() : nullptr)) {
    const auto rounded = static_cast<float>(frequency);
    pairs.push_back(rounded);
    pairs.push_back(static_cast<float>(frequency - static_cast<double>(rounded)));
  }
  ROCFORGE_ASSIGN_OR_RETURN(
      Buffer made,
      Buffer::Allocate(context.device, static_cast<int64_t>(pairs.size() * sizeof(float))));
  const auto frequencies = std::make_shared<Buffer>(std::move(made));
  ROCFORGE_RETURN_IF_ERROR(
      stream.CopyToDevice(frequencies->ptr(), std::as_bytes(std::span(pairs))));
  ROCFORGE_RETURN_IF_ERROR(stream.Synchronize());
  RopeTableArgs args{};
  args.positions = DevicePointer<int32_t>(context.step.positions);
  args.inverse_frequency = DevicePointer<float>(frequencies->ptr());
  args.table = Out(call, 0);
  args.rope_dim = static_cast<uint32_t>(p.rope_dim);
  args.magnitude = p.attn_factor;
  if (p.ext_factor != 0.0f) args.magnitude *= 1.0f + 0.1f * std::log(1.0f / p.freq_scale);
  constexpr uint32_t kBlock = 256;
  const bool overlap = CanOverlap(context);
  return MakeBoundOp([=](const Stream& s, const StepShape& shape) {
    RopeTableArgs step_args = args;
    static_cast<void>(frequencies);  // owned by this op
    step_args.n_tokens = static_cast<uint32_t>(rows.At(shape));
    if (step_args.n_tokens == 0) return Status();
    const uint32_t grid = CeilDiv(uint64_t{step_args.n_tokens} * half, kBlock);
    return s.Launch(kernel, {grid, 1, kBlock, false, 0, overlap}, &step_args);
  });
}

Result<std::unique_ptr<BoundOp>> BindRope(const op::Call& call, const RowCount& rows,
                                          const BindContext& context) {
  const op::Rope& p = std::get<op::Rope>(*call.params);
  RopeKvArgs args = MakeArgs(&p, nullptr, nullptr, context);
  args.n_heads = static_cast<uint32_t>(call.in[0].desc.cols / p.head_dim);
  args.q = In(call, 0);
  args.q_out = Out(call, 0);
  args.table = In(call, 1);
  return BindKernel(args, rows, context);
}

Result<std::unique_ptr<BoundOp>> BindKvAppend(const op::Call& call, const RowCount& rows,
                                              const BindContext& context) {
  RopeKvArgs args = MakeArgs(nullptr, &std::get<op::KvAppend>(*call.params), call.kv, context);
  args.k = In(call, 0);
  args.v = In(call, 1);
  return BindKernel(args, rows, context);
}

Result<std::unique_ptr<BoundOp>> BindRopeKvAppend(const op::Call& call, const RowCount& rows,
                                                  const BindContext& context) {
  const op::RopeKvAppend& p = std::get<op::RopeKvAppend>(*call.params);
  RopeKvArgs args = MakeArgs(&p.rope, &p.append, call.kv, context);
  args.n_heads = static_cast<uint32_t>(call.in[0].desc.cols / p.rope.head_dim);
  args.q = In(call, 0);
  args.q_out = Out(call, 0);
  args.k = In(call, 1);
  args.v = In(call, 2);
  args.table = In(call, 3);
  return BindKernel(args, rows, context);
}

}  // namespace rocforge::gpu
