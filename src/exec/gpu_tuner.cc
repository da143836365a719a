#include "exec/gpu_tuner.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <memory>
#include <set>
#include <span>
#include <utility>

#include "base/format.h"
#include "exec/one_sequence.h"
#include "kernels/gpu/launch/gemm.h"
#include "kernels/gpu/ops/gemm_args.h"

namespace rocforge::exec {
namespace {

using Clock = std::chrono::steady_clock;
using gpu::GemmUnit;
using gpu::OpConfig;

constexpr double kSampleSeconds = 1.5e-3;
constexpr int kSamples = 3;
constexpr double kSlowSeconds = 0.02;  // a pass this long is measured once
constexpr double kSameKernel = 1e-3;   // tolerances, see the header
constexpr double kOtherKernel = 0.05;
constexpr double kOtherKernelFloat = 0.01;

gpu::DevicePtr Address(const void* pointer) {
  return static_cast<gpu::DevicePtr>(reinterpret_cast<uintptr_t>(pointer));
}

double RelativeError(const std::vector<float>& got, const std::vector<float>& expected) {
  double error = 0;
  double norm = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    // Broken numbers of the model itself say nothing.
    if (!std::isfinite(expected[i])) return 0;
    if (!std::isfinite(got[i])) return HUGE_VAL;
    const double difference = static_cast<double>(got[i]) - static_cast<double>(expected[i]);
    error += difference * difference;
    norm += static_cast<double>(expected[i]) * static_cast<double>(expected[i]);
  }
  return std::sqrt(error) / std::max(std::sqrt(norm), 1e-20);
}

bool IsMatMul(const op::Call& call) { return op::KindOf(*call.params) != op::Kind::kAttention; }

op::Glu GluOf(const op::Call& call) {
  if (const auto* p = std::get_if<op::MatMul>(call.params)) return p->glu;
  if (const auto* p = std::get_if<op::MoeMatMul>(call.params)) return p->glu;
  return op::Glu{op::GluKind::kNone};
}

// What may be tried for a call with `rows` rows of output.
std::vector<OpConfig> Candidates(const op::Call& call, int64_t rows,
                                 const gpu::BindContext& context) {
  std::vector<OpConfig> list;
  if (const auto* attention = std::get_if<op::Attention>(call.params)) {
    // A kernel for more queries than share a head would compute rows that nobody wants.
    const auto group = static_cast<uint32_t>(attention->n_heads / attention->n_kv_heads);
    for (const uint32_t queries : {0u, 1u, 4u, 8u}) {
      if (queries > group) break;
      for (const uint32_t blocks : {1u, 2u, 3u, 4u, 6u, 8u})
        list.push_back({GemmUnit::kAuto, blocks, 0, 0, queries});
    }
    return list;
  }
  const bool experts = std::holds_alternative<op::MoeMatMul>(*call.params);
  if (rows == 1 || experts) {
    for (const uint32_t blocks : {1u, 2u, 3u, 4u, 6u}) {
      for (const uint32_t threads : {128u, 256u, 384u, 512u, 768u, 1024u})
        list.push_back({GemmUnit::kAuto, blocks, threads, 0, 0});
    }
    if (!experts) return list;
  }
  if (!experts && rows <= gpu::kMaxSkinnyRows) {
    for (const uint32_t threads : {64u, 128u, 256u})
      list.push_back({GemmUnit::kMatvec, 0, threads, 0, 0});
    for (const GemmUnit unit : {GemmUnit::kFew, GemmUnit::kSkinny}) {
      if (unit == GemmUnit::kFew && !gpu::HasGemmFew(call, rows, context)) continue;
      for (const uint32_t parts : {1u, 2u, 3u, 4u, 6u, 8u}) list.push_back({unit, 0, 0, parts, 0});
    }
  }
  if (rows > 8) {
    for (const GemmUnit unit : {GemmUnit::kTile, GemmUnit::kWarpgroup, GemmUnit::kWarpgroupWide})
      list.push_back({unit, 0, 0, 0, 0});
  }
  return list;
}

double Tolerance(const op::Call& call, const OpConfig& config) {
  if (!IsMatMul(call) || config.unit == GemmUnit::kAuto) return kSameKernel;
  const op::TensorDesc& weight =
      call.in[std::holds_alternative<op::MoeMatMul>(*call.params) ? 2 : 1].desc;
  const double one = Info(weight.dtype).quantised ? kOtherKernel : kOtherKernelFloat;
  return GluOf(call).kind == op::GluKind::kNone ? one : 2 * one;
}

// The call of one node with the weights, or the cache, of another of the same key.
struct Variant {
  std::vector<op::Operand> operands;
  op::Call call;
};

class Tuner {
 public:
  Tuner(GpuExecutor& executor, const graph::Plan& plan, const TuneOptions& options)
      : executor_(executor),
        plan_(plan),
        options_(options),
        context_(executor.Context()),
        start_(Clock::now()) {}

  Status Open() {
    ROCFORGE_ASSIGN_OR_RETURN(stream_, gpu::Stream::Create(context_.device));
    ROCFORGE_ASSIGN_OR_RETURN(begin_, gpu::Event::Create(context_.device));
    ROCFORGE_ASSIGN_OR_RETURN(end_, gpu::Event::Create(context_.device));
    return {};
  }

  // Tunes what is not tuned yet: matrix products, or attention, of one step.
  Status Step(const OneSequence& step, bool attention, double from, double to) {
    shape_ = executor_.ShapeOf(step.step());
    int64_t todo = 0;
    for (size_t i = 0; i < plan_.graph.nodes.size(); ++i)
      todo += IsAttention(i) == attention && !gpu::TuneKey(executor_.CallOf(i)).empty() ? 1 : 0;
    int64_t done = 0;
    return executor_.RunStepwise(step.step(), [&](size_t node, const op::Call& call, bool after) {
      if (after || stopped_ || IsAttention(node) != attention) return Status();
      const std::string key = gpu::TuneKey(call);
      if (key.empty()) return Status();
      Progress(from + (to - from) * static_cast<double>(done++) / static_cast<double>(todo), key);
      const int64_t rows = call.out[0].desc.rows;
      const int64_t size = attention ? shape_.max_kv_len : rows;
      const size_t bucket = attention ? gpu::LengthBucket(size) : gpu::RowBucket(size);
      if (!seen_.emplace(key, bucket).second) return Status();
      TunedOp tuned;
      tuned.op = key;
      tuned.bucket = bucket;
      tuned.size = static_cast<int32_t>(size);
      return Tune(node, call, rows, tuned);
    });
  }

  bool stopped() const { return stopped_; }
  TuneResult Take() {
    result_.complete = !stopped_;
    return std::move(result_);
  }

 private:
  bool IsAttention(size_t node) const {
    return plan_.graph.nodes[node].kind() == op::Kind::kAttention;
  }

  void Progress(double fraction, const std::string& what) const {
    if (options_.on_progress) options_.on_progress(fraction, what);
  }

  bool MustStop() {
    const double spent = std::chrono::duration<double>(Clock::now() - start_).count();
    stopped_ |= spent > options_.budget_s || (options_.cancelled && options_.cancelled());
    return stopped_;
  }

  // The call as it is bound: rows of the largest step.
  std::unique_ptr<Variant> MakeVariant(size_t node, const op::Call& call, size_t weights_of) const {
    auto v = std::make_unique<Variant>();
    const op::Call& other = executor_.CallOf(weights_of);
    const graph::Node& shape = plan_.graph.nodes[node];
    for (size_t i = 0; i < call.in.size() + call.out.size(); ++i) {
      const bool in = i < call.in.size();
      const size_t at = in ? i : i - call.in.size();
      const graph::Value& value = plan_.graph.value(in ? shape.in[at] : shape.out[at]);
      op::Operand operand = in ? call.in[at] : call.out[at];
      if (value.is_weight()) operand.data = other.in[at].data;
      operand.desc = value.At(plan_.limits.max_tokens, plan_.limits.max_outputs);
      v->operands.push_back(operand);
    }
    const std::span<const op::Operand> all(v->operands);
    v->call = {call.params, all.first(call.in.size()), all.subspan(call.in.size()), nullptr,
               other.kv};
    return v;
  }

  // The node first, then others of its key until their weights are well beyond the cache.
  std::vector<std::unique_ptr<Variant>> Variants(size_t node, const op::Call& call,
                                                 TunedOp& tuned) const {
    constexpr int64_t kUnknownCache = 64 << 20;
    const int64_t l2 = context_.device->info().l2_bytes;
    const int64_t enough = 4 * (l2 > 0 ? l2 : kUnknownCache);
    std::vector<std::unique_ptr<Variant>> variants;
    variants.push_back(MakeVariant(node, call, node));
    int64_t bytes = 0;
    for (size_t i = 0; i < plan_.graph.nodes.size(); ++i) {
      const op::Call& other = executor_.CallOf(i);
      if (gpu::TuneKey(other) != tuned.op) continue;
      ++tuned.per_step;
      if (i == node || bytes > enough) continue;
      for (const op::Operand& operand : other.in) bytes += operand.desc.bytes();
      variants.push_back(MakeVariant(node, call, i));
    }
    return variants;
  }

  using Ops = std::vector<std::unique_ptr<gpu::BoundOp>>;
  Result<Ops> Bind(size_t node, const std::vector<std::unique_ptr<Variant>>& variants,
                   const TunedOp& tuned, const OpConfig& config) {
    gpu::Tuning tuning;
    tuning.Set(tuned.op, tuned.bucket, config);
    gpu::BindContext context = context_;
    context.tuning = config.is_default() ? nullptr : &tuning;
    const gpu::RowCount rows = ToRowCount(plan_.graph.value(plan_.graph.nodes[node].out[0]).rows);
    Ops ops;
    for (const auto& v : variants) {
      ROCFORGE_ASSIGN_OR_RETURN(auto bound, gpu::Bind(v->call, rows, context));
      ROCFORGE_RETURN_IF_ERROR(bound->WeightsReady(stream_));
      ops.push_back(std::move(bound));
    }
    ROCFORGE_RETURN_IF_ERROR(stream_.Synchronize());
    return ops;
  }

  Status EnqueueAll(const Ops& ops) const {
    for (const auto& bound : ops) ROCFORGE_RETURN_IF_ERROR(bound->Enqueue(stream_, shape_));
    return {};
  }

  Result<double> PassSeconds(const std::function<Status()>& pass, int passes) {
    ROCFORGE_RETURN_IF_ERROR(stream_.Record(begin_));
    for (int i = 0; i < passes; ++i) ROCFORGE_RETURN_IF_ERROR(pass());
    ROCFORGE_RETURN_IF_ERROR(stream_.Record(end_));
    ROCFORGE_RETURN_IF_ERROR(stream_.Synchronize());
    ROCFORGE_ASSIGN_OR_RETURN(const double seconds, end_.SecondsSince(begin_));
    return seconds / passes;
  }

  // Seconds of a call: the median of some samples, all calls of a pass in one captured graph where
  // the driver can, as in a step.
  Result<double> Measure(const Ops& ops) {
    gpu::Graph graph;
    bool captured = false;
    if (stream_.BeginCapture().ok()) {
      const Status enqueued = EnqueueAll(ops);
      Result<gpu::Graph> made = stream_.EndCapture();
      ROCFORGE_RETURN_IF_ERROR(enqueued);
      captured = made.ok();
      if (captured) graph = std::move(*made);
    }
    const auto pass = [&] { return captured ? stream_.Launch(graph) : EnqueueAll(ops); };
    ROCFORGE_ASSIGN_OR_RETURN(double once, PassSeconds(pass, 1));  // warms up
    const auto n = static_cast<double>(ops.size());
    if (once > kSlowSeconds) return once / n;
    ROCFORGE_ASSIGN_OR_RETURN(once, PassSeconds(pass, 1));
    const int passes = std::clamp(static_cast<int>(kSampleSeconds / std::max(once, 1e-7)), 1, 200);
    std::vector<double> samples;
    for (int i = 0; i < kSamples; ++i) {
      ROCFORGE_ASSIGN_OR_RETURN(const double seconds, PassSeconds(pass, passes));
      samples.push_back(seconds / n);
    }
    std::sort(samples.begin(), samples.end());
    return samples[samples.size() / 2];
  }

  // Outputs of the call as the step has them.
  Status Download(const op::Call& call, std::vector<float>* values) const {
    values->clear();
    for (const op::Operand& out : call.out) {
      const size_t begin = values->size();
      values->resize(begin + static_cast<size_t>(out.desc.bytes()) / sizeof(float));
      ROCFORGE_RETURN_IF_ERROR(stream_.CopyToHost(
          std::as_writable_bytes(std::span(*values).subspan(begin)), Address(out.data)));
    }
    return stream_.Synchronize();
  }
  Status Upload(const op::Call& call, const std::vector<float>& values) const {
    size_t begin = 0;
    for (const op::Operand& out : call.out) {
      const size_t n = static_cast<size_t>(out.desc.bytes()) / sizeof(float);
      ROCFORGE_RETURN_IF_ERROR(stream_.CopyToDevice(
          Address(out.data), std::as_bytes(std::span(values).subspan(begin, n))));
      begin += n;
    }
    return stream_.Synchronize();
  }

  // What one op makes of the inputs; outputs are as before it (ops may work in place).
  Status Outcome(const gpu::BoundOp& bound, const op::Call& call, const std::vector<float>& before,
                 std::vector<float>* after) const {
    ROCFORGE_RETURN_IF_ERROR(Upload(call, before));
    ROCFORGE_RETURN_IF_ERROR(bound.Enqueue(stream_, shape_));
    return Download(call, after);
  }

  Status Tune(size_t node, const op::Call& call, int64_t rows, TunedOp& tuned) {
    if (MustStop()) return {};
    std::vector<float> before, expected;
    ROCFORGE_RETURN_IF_ERROR(Download(call, &before));
    const auto variants = Variants(node, call, tuned);
    ROCFORGE_ASSIGN_OR_RETURN(const Ops usual, Bind(node, variants, tuned, OpConfig()));
    ROCFORGE_RETURN_IF_ERROR(Outcome(*usual[0], call, before, &expected));
    // Timing writes over the outputs again and again; inputs that share their memory would change.
    ROCFORGE_ASSIGN_OR_RETURN(tuned.before_s, Measure(usual));
    tuned.after_s = tuned.before_s;
    OpConfig best;
    Ops best_ops;
    for (const OpConfig& config : Candidates(call, rows, context_)) {
      if (MustStop()) break;
      Result<Ops> ops = Bind(node, variants, tuned, config);
      if (!ops.ok() && ops.status().code() == StatusCode::kUnsupported) continue;
      if (!ops.ok()) return ops.status();
      ++tuned.candidates;
      std::vector<float> got;
      ROCFORGE_RETURN_IF_ERROR(Outcome(*(*ops)[0], call, before, &got));
      if (RelativeError(got, expected) > Tolerance(call, config)) {
        ++tuned.wrong;
        continue;
      }
      ROCFORGE_ASSIGN_OR_RETURN(const double seconds, Measure(*ops));
      if (seconds >= tuned.after_s) continue;
      tuned.after_s = seconds;
      best = config;
      best_ops = std::move(*ops);
    }
    if (!best_ops.empty()) ROCFORGE_RETURN_IF_ERROR(Confirm(usual, best_ops, best, tuned));
    // The step goes on with what it had.
    ROCFORGE_RETURN_IF_ERROR(Upload(call, before));
    // "Nothing is better" takes all candidates to say.
    if (!stopped_ || !tuned.config.is_default()) result_.ops.push_back(tuned);
    return {};
  }

  // The quickest of many is quick by chance too: both again, in turns.
  Status Confirm(const Ops& usual, const Ops& best, const OpConfig& config, TunedOp& tuned) {
    std::vector<double> a, b;
    for (int i = 0; i < kSamples; ++i) {
      ROCFORGE_ASSIGN_OR_RETURN(const double first, Measure(usual));
      ROCFORGE_ASSIGN_OR_RETURN(const double second, Measure(best));
      a.push_back(first);
      b.push_back(second);
    }
    std::sort(a.begin(), a.end());
    std::sort(b.begin(), b.end());
    tuned.before_s = a[a.size() / 2];
    tuned.after_s = b[b.size() / 2];
    if (tuned.after_s < tuned.before_s * (1 - options_.least_gain)) {
      tuned.config = config;
    } else {
      tuned.after_s = tuned.before_s;
    }
    return {};
  }

  GpuExecutor& executor_;
  const graph::Plan& plan_;
  const TuneOptions& options_;
  gpu::BindContext context_;
  Clock::time_point start_;
  gpu::Stream stream_;
  gpu::Event begin_, end_;
  gpu::StepShape shape_;
  std::set<std::pair<std::string, size_t>> seen_;
  TuneResult result_;
  bool stopped_ = false;
};

int64_t VocabularyOf(const graph::Plan& plan) { return plan.graph.value(plan.graph.logits).cols; }

int32_t PositionsOf(const GpuExecutor& executor, const graph::Plan& plan, int32_t stride) {
  for (size_t i = 0; i < plan.graph.nodes.size(); ++i) {
    if (executor.CallOf(i).kv != nullptr) return executor.CallOf(i).kv->page_size * stride;
  }
  return 1;
}

}  // namespace

Result<TuneResult> TuneGpu(GpuExecutor& executor, const graph::Plan& plan,
                           int32_t page_table_stride, const TuneOptions& options) {
  Tuner tuner(executor, plan, options);
  ROCFORGE_RETURN_IF_ERROR(tuner.Open());
  const int32_t positions = PositionsOf(executor, plan, page_table_stride);
  const int64_t n_vocab = VocabularyOf(plan);
  const auto n_steps = static_cast<double>(options.rows.size() + options.depths.size());
  // Keys and values to attend to, of all layers.
  const auto filled =
      static_cast<int32_t>(std::min<int64_t>({positions, plan.limits.max_tokens, 512}));
  ROCFORGE_RETURN_IF_ERROR(
      executor.Run(OneSequence(0, filled, n_vocab, page_table_stride).step(), Wanted::kLogits));
  double at = 0;
  for (const int32_t rows : options.rows) {
    const double from = at++;
    if (rows > plan.limits.max_tokens || rows > positions || tuner.stopped()) continue;
    const OneSequence step(0, rows, n_vocab, page_table_stride);
    ROCFORGE_RETURN_IF_ERROR(tuner.Step(step, false, from / n_steps, at / n_steps));
  }
  for (const int32_t depth : options.depths) {
    const double from = at++;
    if (depth > positions || tuner.stopped()) continue;
    const OneSequence step(depth - 1, 1, n_vocab, page_table_stride);
    ROCFORGE_RETURN_IF_ERROR(tuner.Step(step, true, from / n_steps, at / n_steps));
  }
  return tuner.Take();
}

Result<double> MeasureStep(Executor& executor, const graph::Plan& plan, int32_t first,
                           int32_t count, int32_t page_table_stride) {
  constexpr double kSeconds = 0.3;
  constexpr size_t kMostRuns = 200;
  const OneSequence step(first, count, VocabularyOf(plan), page_table_stride);
  // Once plainly, once captured.
  for (int i = 0; i < 2; ++i)
    ROCFORGE_RETURN_IF_ERROR(executor.Run(step.step(), Wanted::kBestTokens));
  std::vector<double> samples;
  const Clock::time_point start = Clock::now();
  do {
    const Clock::time_point begin = Clock::now();
    ROCFORGE_RETURN_IF_ERROR(executor.Run(step.step(), Wanted::kBestTokens));
    samples.push_back(std::chrono::duration<double>(Clock::now() - begin).count());
  } while (samples.size() < kMostRuns &&
           std::chrono::duration<double>(Clock::now() - start).count() < kSeconds);
  std::sort(samples.begin(), samples.end());
  return samples[samples.size() / 2];
}

}  // namespace rocforge::exec
