#include "exec/cpu_executor.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <new>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/format.h"
#include "kernels/op/check.h"

namespace rocforge::exec {
namespace {

struct AlignedDelete {
  void operator()(std::byte* p) const { ::operator delete[](p, std::align_val_t{64}); }
};
using AlignedBytes = std::unique_ptr<std::byte[], AlignedDelete>;

Result<AlignedBytes> Allocate(int64_t bytes, const char* what) {
  if (bytes == 0) return AlignedBytes();
  void* p = ::operator new[](static_cast<size_t>(bytes), std::align_val_t{64}, std::nothrow);
  if (p == nullptr) {
    return ResourceExhausted(Format("no memory for {} of {}; use a smaller --batch or --ctx",
                                    FormatBytes(static_cast<uint64_t>(bytes)), what));
  }
  return AlignedBytes(static_cast<std::byte*>(p));
}

// A node with its operands resolved. Rows that follow the step are set anew each time; the rest
// never changes.
struct BoundOp {
  op::Call call;
  cpu::Kernel kernel = nullptr;
  std::vector<op::Operand> operands;  // inputs, then outputs
  std::vector<graph::Rows> rows;      // of each operand
  size_t n_in = 0;
};

}  // namespace

int32_t BestToken(std::span<const float> logits) {
  float best = -std::numeric_limits<float>::infinity();
  int32_t token = kNoBestToken;
  for (size_t i = 0; i < logits.size(); ++i) {
    if (!(logits[i] <= std::numeric_limits<float>::max())) return kNoBestToken;  // NaN, infinity
    if (!(logits[i] > best)) continue;
    best = logits[i];
    token = static_cast<int32_t>(i);
  }
  return token;
}

void SelectTopTokens(std::span<const float> logits, std::span<TopToken> top) {
  const auto before = [](const TopToken& a, const TopToken& b) {
    return a.logit > b.logit || (a.logit == b.logit && a.token < b.token);
  };
  std::fill(top.begin(), top.end(), TopToken{});
  size_t n = 0;  // entries in use: a heap whose front is the worst of them
  for (size_t i = 0; i < logits.size(); ++i) {
    const TopToken t{logits[i], static_cast<int32_t>(i)};
    if (!(t.logit <= std::numeric_limits<float>::max())) {
      std::fill(top.begin(), top.end(), TopToken{});
      top[0].token = kBrokenLogits;
      return;
    }
    if (t.logit == -std::numeric_limits<float>::infinity()) continue;
    const auto end = [&] { return top.begin() + static_cast<std::ptrdiff_t>(n); };
    if (n == top.size()) {
      if (!before(t, top[0])) continue;
      std::pop_heap(top.begin(), end(), before);
      top[n - 1] = t;
    } else {
      top[n++] = t;
    }
    std::push_heap(top.begin(), end(), before);
  }
  std::sort(top.begin(), top.begin() + static_cast<std::ptrdiff_t>(n),
            [](const TopToken& a, const TopToken& b) { return a.token < b.token; });
}

struct CpuExecutor::State {
  const graph::Plan* plan = nullptr;
  std::vector<op::KvLayer> kv_layers;
  cpu::Context context;
  std::vector<BoundOp> ops;
  AlignedBytes arena;
  AlignedBytes scratch;
  int64_t scratch_bytes = 0;
  op::Cost last_cost;
  int32_t n_outputs = 0;
  Wanted wanted = Wanted::kLogits;
  std::vector<int32_t> best_tokens;  // capacity for the largest step
  std::vector<DrawnToken> drawn_tokens;
  std::vector<TopToken> top_tokens;  // grows to the largest step that asked for them
  OpObserver observer;
  OpTiming timing = OpTiming::kOff;
  StepTimes times;

  op::Operand MakeOperand(graph::ValueId id, const CpuBinding& binding) const {
    const graph::Value& value = plan->graph.value(id);
    op::Operand operand;
    operand.desc = value.At(plan->limits.max_tokens, plan->limits.max_outputs);
    // Weights are read only by contract (call.h); one Operand type serves both.
    operand.data = value.is_weight()
                       ? const_cast<std::byte*>(binding.weights[static_cast<size_t>(value.weight)])
                       : arena.get() + plan->offsets[static_cast<size_t>(id)];
    return operand;
  }

  const op::KvLayer* LayerOf(const op::Params& params) const {
    const auto at = [&](int32_t layer) { return &kv_layers[static_cast<size_t>(layer)]; };
    if (const auto* p = std::get_if<op::KvAppend>(&params)) return at(p->layer);
    if (const auto* p = std::get_if<op::RopeKvAppend>(&params)) return at(p->append.layer);
    if (const auto* p = std::get_if<op::Attention>(&params)) return at(p->layer);
    return nullptr;
  }

  Status Bind(const graph::Node& node, const CpuBinding& binding, BoundOp& bound);
  void SetRows(const op::Step& step);
  void RunOps();
  void Choose(const op::Step& step, const Choice& choice);
  std::span<float> AllLogits() const;
};

Status CpuExecutor::State::Bind(const graph::Node& node, const CpuBinding& binding,
                                BoundOp& bound) {
  bound.n_in = node.in.size();
  for (const auto* list : {&node.in, &node.out}) {
    for (graph::ValueId id : *list) {
      bound.operands.push_back(MakeOperand(id, binding));
      bound.rows.push_back(plan->graph.value(id).rows);
    }
  }
  const std::span<const op::Operand> all(bound.operands);
  bound.call = {&node.params, all.first(bound.n_in), all.subspan(bound.n_in), nullptr,
                LayerOf(node.params)};
  ROCFORGE_RETURN_IF_ERROR(op::CheckCall(bound.call).WithContext(node.name));
  const Result<cpu::Kernel> kernel = cpu::FindKernel(bound.call, binding.isa);
  if (!kernel.ok()) return kernel.status().WithContext(node.name);
  bound.kernel = *kernel;
  scratch_bytes =
      std::max(scratch_bytes, cpu::ScratchBytes(bound.call, binding.isa, binding.pool->size()));
  return {};
}

void CpuExecutor::State::SetRows(const op::Step& step) {
  for (BoundOp& bound : ops) {
    for (size_t i = 0; i < bound.operands.size(); ++i) {
      bound.operands[i].desc.rows = bound.rows[i].At(step.n_tokens, step.n_outputs);
    }
    bound.call.step = &step;
  }
}

CpuExecutor::CpuExecutor(std::unique_ptr<State> state) : state_(std::move(state)) {}
CpuExecutor::~CpuExecutor() = default;

Result<std::unique_ptr<CpuExecutor>> CpuExecutor::Create(const graph::Plan& plan,
                                                         const CpuBinding& binding) {
  if (binding.weights.size() != plan.graph.weights.size() ||
      binding.kv_layers.size() != plan.graph.kv_layers.size()) {
    return Internal("the binding does not have the plan's number of weights and layers");
  }
  auto state = std::make_unique<State>();
  state->plan = &plan;
  state->kv_layers = binding.kv_layers;
  state->best_tokens.reserve(static_cast<size_t>(plan.limits.max_outputs));
  ROCFORGE_ASSIGN_OR_RETURN(state->arena, Allocate(plan.arena_bytes, "activations"));
  state->ops.resize(plan.graph.nodes.size());  // never resized again: calls point into it
  for (size_t i = 0; i < state->ops.size(); ++i) {
    ROCFORGE_RETURN_IF_ERROR(state->Bind(plan.graph.nodes[i], binding, state->ops[i]));
  }
  ROCFORGE_ASSIGN_OR_RETURN(state->scratch, Allocate(state->scratch_bytes, "kernel scratch"));
  state->context = {binding.pool, state->scratch.get()};
  return std::unique_ptr<CpuExecutor>(new CpuExecutor(std::move(state)));
}

void CpuExecutor::State::RunOps() {
  const bool timed = timing != OpTiming::kOff || observer;
  times.ops.clear();
  const int64_t step_ns = timed ? NowNs() : 0;
  int64_t begin_ns = step_ns;
  for (size_t i = 0; i < ops.size(); ++i) {
    const BoundOp& bound = ops[i];
    if (!bound.call.out.empty() && bound.call.out[0].desc.rows == 0) continue;  // no logits wanted
    const int64_t jobs = context.pool->jobs();
    bound.kernel(bound.call, context);
    const op::Cost cost = op::CostOf(bound.call);
    last_cost.bytes_read += cost.bytes_read;
    last_cost.bytes_written += cost.bytes_written;
    last_cost.ops += cost.ops;
    if (!timed) continue;
    // One reading of the clock ends an op and begins the next, so that the sum has no holes.
    const int64_t end_ns = NowNs();
    if (observer) observer(i, bound.call, end_ns - begin_ns);
    if (timing != OpTiming::kOff) {
      times.ops.push_back(
          {i, begin_ns - step_ns, end_ns - begin_ns, cost, context.pool->jobs() - jobs});
    }
    begin_ns = observer ? NowNs() : end_ns;
  }
}

void CpuExecutor::State::Choose(const op::Step& step, const Choice& choice) {
  best_tokens.clear();
  drawn_tokens.clear();
  top_tokens.clear();
  if (wanted == Wanted::kLogits) return;
  const std::span<float> all = AllLogits();
  const auto n_rows = static_cast<size_t>(step.n_outputs);
  const size_t n_vocab = n_rows == 0 ? 0 : all.size() / n_rows;
  if (wanted == Wanted::kTopTokens) top_tokens.resize(n_rows * kTopTokens);
  for (size_t row = 0; row < n_rows; ++row) {
    const std::span<float> logits = all.subspan(row * n_vocab, n_vocab);
    if (!choice.edits.empty()) EditLogits(choice.edits[row], logits);
    if (wanted == Wanted::kBestTokens) {
      best_tokens.push_back(BestToken(logits));
    } else if (wanted == Wanted::kDrawnTokens) {
      drawn_tokens.push_back(DrawToken(logits, choice.draws[row]));
    } else {
      SelectTopTokens(logits, std::span(top_tokens).subspan(row * kTopTokens, kTopTokens));
    }
  }
}

Status CpuExecutor::Run(const op::Step& step, const Choice& choice) {
  State& s = *state_;
  const graph::PlanLimits& limits = s.plan->limits;
  if (step.n_tokens < 1 || step.n_tokens > limits.max_tokens || step.n_outputs < 0 ||
      step.n_outputs > limits.max_outputs) {
    return InvalidArgument(
        Format("a step of {} tokens and {} outputs does not fit the plan's {} and {}",
               step.n_tokens, step.n_outputs, limits.max_tokens, limits.max_outputs));
  }
  ROCFORGE_RETURN_IF_ERROR(CheckChoice(step, choice));
  s.SetRows(step);
  s.last_cost = {};
  s.n_outputs = step.n_outputs;
  s.wanted = choice.wanted;
  if (s.timing == OpTiming::kOff) {
    s.RunOps();
    s.Choose(step, choice);
    return {};
  }
  const int64_t begin_ns = NowNs();
  s.RunOps();
  const int64_t ops_end_ns = NowNs();
  s.Choose(step, choice);
  s.times.wall_ns = NowNs() - begin_ns;
  s.times.ops_ns = ops_end_ns - begin_ns;
  s.times.choose_ns = s.times.wall_ns - s.times.ops_ns;
  return {};
}

std::span<float> CpuExecutor::State::AllLogits() const {
  const auto id = static_cast<size_t>(plan->graph.logits);
  auto* data = reinterpret_cast<float*>(arena.get() + plan->offsets[id]);
  return {data, static_cast<size_t>(n_outputs * plan->graph.values[id].cols)};
}

std::span<const float> CpuExecutor::logits() const {
  return state_->wanted == Wanted::kLogits ? state_->AllLogits() : std::span<const float>();
}
std::span<const int32_t> CpuExecutor::best_tokens() const {
  return state_->wanted == Wanted::kBestTokens ? state_->best_tokens : std::span<const int32_t>();
}
std::span<const DrawnToken> CpuExecutor::drawn_tokens() const { return state_->drawn_tokens; }
std::span<const TopToken> CpuExecutor::top_tokens() const { return state_->top_tokens; }

op::Cost CpuExecutor::LastCost() const { return state_->last_cost; }
void CpuExecutor::SetObserver(OpObserver observer) { state_->observer = std::move(observer); }
Status CpuExecutor::SetTiming(OpTiming timing) {
  state_->timing = timing;
  if (timing != OpTiming::kOff) state_->times.ops.reserve(state_->ops.size());
  return {};
}
const StepTimes& CpuExecutor::LastTimes() const { return state_->times; }
int64_t CpuExecutor::arena_bytes() const { return state_->plan->arena_bytes; }
int64_t CpuExecutor::scratch_bytes() const { return state_->scratch_bytes; }

}  // namespace rocforge::exec
