#include "exec/gpu_executor.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/clock.h"
#include "base/format.h"
#include "base/log.h"
#include "exec/gpu_result.h"
#include "exec/gpu_step.h"
#include "exec/graph_cache.h"
#include "exec/op_stamps.h"
#include "kernels/gpu/launch/bound_op.h"
#include "kernels/op/check.h"
#include "prof/kernel_timer.h"

namespace rocforge::exec {
namespace {

using gpu::DevicePtr;

// Ids of stamps. That of node i is i: it ends there.
constexpr uint32_t kStampBegin = std::numeric_limits<uint32_t>::max();  // before the upload
constexpr uint32_t kStampOps = kStampBegin - 1;                         // before the first op
constexpr uint32_t kStampChosen = kStampBegin - 2;
constexpr uint32_t kStampEnd = kStampBegin - 3;  // after the copy to the host
constexpr uint32_t kOuterStamps = 2;             // begin and end: never in the graph
constexpr uint32_t kOtherStamps = 2 + kOuterStamps;

void* AsPointer(DevicePtr p) { return reinterpret_cast<void*>(static_cast<uintptr_t>(p)); }

// A node with its operands at their device addresses. Rows follow the step where somebody looks.
struct BoundNode {
  op::Call call;
  std::vector<op::Operand> operands;  // inputs, then outputs
  std::vector<graph::Rows> rows;      // of each operand
  std::unique_ptr<gpu::BoundOp> op;
  const gpu::BoundOp* taken_by = nullptr;  // of a norm: the op that may do it too
  bool skip = false;  // in this step: no row is wanted, or the op behind the norm does it

  void SetRows(const op::Step& step) {
    for (size_t i = 0; i < operands.size(); ++i)
      operands[i].desc.rows = rows[i].At(step.n_tokens, step.n_outputs);
    call.step = &step;
  }
  void SetSkip(const gpu::StepShape& shape) {
    skip = (!call.out.empty() && call.out[0].desc.rows == 0) ||
           (taken_by != nullptr && taken_by->TakesNorm(shape));
  }
};

GpuResult::Size ResultSize(const graph::Plan& plan, int32_t max_sequences) {
  const int64_t max_outputs = plan.limits.max_outputs;
  return {plan.graph.value(plan.graph.logits).cols, max_outputs,
          std::min<int64_t>(max_outputs, max_sequences)};
}

// Calls with the shapes of the largest step; `address` gives each value's place.
template <typename AddressOf>
void MakeOperands(const graph::Plan& plan, const graph::Node& node, AddressOf address,
                  BoundNode& bound) {
  for (const auto* list : {&node.in, &node.out}) {
    for (const graph::ValueId id : *list) {
      const graph::Value& value = plan.graph.value(id);
      bound.operands.push_back(
          {value.At(plan.limits.max_tokens, plan.limits.max_outputs), AsPointer(address(id))});
      bound.rows.push_back(value.rows);
    }
  }
  const std::span<const op::Operand> all(bound.operands);
  bound.call = {&node.params, all.first(node.in.size()), all.subspan(node.in.size()), nullptr,
                nullptr};
}

int64_t ScratchOf(const graph::Plan& plan, const gpu::Device& device) {
  int64_t bytes = 0;
  for (const graph::Node& node : plan.graph.nodes) {
    BoundNode bound;
    MakeOperands(plan, node, [](graph::ValueId) { return DevicePtr{0}; }, bound);
    bytes = std::max(bytes, gpu::ScratchBytes(bound.call, device));
  }
  return bytes;
}

const op::KvLayer* LayerOf(const op::Params& params, const std::vector<op::KvLayer>& layers) {
  const auto at = [&](int32_t layer) { return &layers[static_cast<size_t>(layer)]; };
  if (const auto* p = std::get_if<op::KvAppend>(&params)) return at(p->layer);
  if (const auto* p = std::get_if<op::RopeKvAppend>(&params)) return at(p->append.layer);
  if (const auto* p = std::get_if<op::Attention>(&params)) return at(p->layer);
  return nullptr;
}

}  // namespace

Result<GpuMode> ParseGpuMode(std::string_view name) {
  if (name == "auto") return GpuMode::kAuto;
  if (name == "eager") return GpuMode::kEager;
  if (name == "graph") return GpuMode::kGraph;
  return InvalidArgument(Format("unknown executor '{}'; use auto, eager or graph", name));
}

Result<GpuMemory> EstimateGpuMemory(const graph::Plan& plan, const gpu::Device& device,
                                    int32_t max_sequences, int32_t page_table_stride) {
  GpuMemory memory;
  memory.arena = plan.arena_bytes;
  memory.scratch = ScratchOf(plan, device);
  memory.step = GpuStep::DeviceBytes(plan.limits, max_sequences, page_table_stride) +
                GpuResult::DeviceBytes(ResultSize(plan, max_sequences));
  return memory;
}

struct GpuExecutor::State {
  const graph::Plan* plan = nullptr;
  GpuBinding binding;
  gpu::Stream stream;
  gpu::Buffer arena;
  gpu::Buffer scratch;
  GpuStep step;
  std::vector<BoundNode> nodes;
  GpuResult result;
  int32_t page_size = 0;
  bool weights_ready = false;  // the ops have been told

  GpuMode mode = GpuMode::kAuto;  // kAuto until the first capture has worked
  GraphCache graphs;
  std::vector<gpu::Event> events;  // with an observer: one before each node and one at the end
  OpObserver observer;
  OpTiming timing = OpTiming::kOff;
  OpStamps stamps;
  std::vector<OpStamps::Stamp> read_stamps;
  std::vector<int32_t> node_kernels;  // of the last step that was timed
  StepTimes times;

  op::Cost last_cost;
  StepCounters last_counters;
  int32_t n_outputs = 0;
  Wanted wanted = Wanted::kLogits;
  bool edited = false;  // the step has edits of logits

  DevicePtr AddressOf(graph::ValueId id) const {
    const graph::Value& value = plan->graph.value(id);
    if (value.is_weight()) return binding.weights[static_cast<size_t>(value.weight)];
    return arena.ptr() + static_cast<DevicePtr>(plan->offsets[static_cast<size_t>(id)]);
  }

  gpu::BindContext Context() const {
    gpu::BindContext context;
    context.device = binding.device;
    context.modules = binding.modules;
    context.step = step.device();
    context.scratch = scratch.ptr();
    context.scratch_bytes = scratch.bytes();
    context.tuning = binding.tuning;
    return context;
  }
  Status Allocate();
  Status BindAll();
  void OfferNorms();
  Status Begin(const op::Step& s, const Choice& choice);
  Status EnqueueAll(const gpu::StepShape& shape);
  Status EnqueueNode(size_t i, const gpu::StepShape& shape);
  bool observed() const { return observer || timing == OpTiming::kEvents; }
  bool stamped() const { return timing == OpTiming::kStamps; }
  Status Stamp(uint32_t id) const { return stamped() ? stamps.Enqueue(stream, id) : Status(); }
  int64_t StampsBetweenOps() const;
  int64_t Launched() const {
    const gpu::DeviceCounters c = binding.device->counters();
    return c.launches + c.captured_launches;
  }
  Status EnqueueObserved(const gpu::StepShape& shape);
  Status EnqueueGraph(const gpu::StepShape& shape);
  Status Capture(GraphCache::Entry& entry);
  void AddCosts();
  Status Finish(const op::Step& s);
  Status Enqueue(const gpu::StepShape& shape, int32_t n_tokens);
  void Report();
  Status ReadStamps();
  Status ReadEvents();
  Status MakeEvents();
};

Status GpuExecutor::State::Allocate() {
  const std::shared_ptr<const gpu::Device>& device = binding.device;
  page_size = binding.kv_layers.empty() ? 1 : binding.kv_layers[0].page_size;
  ROCFORGE_ASSIGN_OR_RETURN(stream, gpu::Stream::Create(device));
  ROCFORGE_ASSIGN_OR_RETURN(step, GpuStep::Create(device, plan->limits, binding.max_sequences,
                                                  binding.page_table_stride));
  Result<gpu::Buffer> made = gpu::Buffer::Allocate(device, plan->arena_bytes);
  if (!made.ok()) return made.status().WithContext("activations (a smaller --batch needs less)");
  arena = std::move(*made);
  made = gpu::Buffer::Allocate(device, ScratchOf(*plan, *device));
  if (!made.ok()) return made.status().WithContext("kernel scratch (a smaller --batch needs less)");
  scratch = std::move(*made);
  return {};
}

Status GpuExecutor::State::BindAll() {
  const gpu::BindContext context = Context();
  nodes.resize(plan->graph.nodes.size());  // never resized again: calls point into it
  for (size_t i = 0; i < nodes.size(); ++i) {
    const graph::Node& node = plan->graph.nodes[i];
    BoundNode& bound = nodes[i];
    MakeOperands(*plan, node, [&](graph::ValueId id) { return AddressOf(id); }, bound);
    bound.call.kv = LayerOf(node.params, binding.kv_layers);
    ROCFORGE_RETURN_IF_ERROR(op::CheckCall(bound.call).WithContext(node.name));
    const graph::ValueId counted = node.out.empty() ? node.in[0] : node.out[0];
    Result<std::unique_ptr<gpu::BoundOp>> op =
        gpu::Bind(bound.call, ToRowCount(plan->graph.value(counted).rows), context);
    if (!op.ok()) return op.status().WithContext(node.name);
    bound.op = std::move(*op);
  }
  OfferNorms();
  return result.Create(ResultSize(*plan, binding.max_sequences), AddressOf(plan->graph.logits),
                       step.choice(), stream, context);
}

// Each norm to the op that alone reads it, if nothing is written where the norm's input lies until
// that op is done: the plan does not keep it beyond the norm.
void GpuExecutor::State::OfferNorms() {
  const auto overlap = [](const op::Operand& a, const op::Operand& b) {
    const auto* from_a = static_cast<const std::byte*>(a.data);
    const auto* from_b = static_cast<const std::byte*>(b.data);
    return from_a < from_b + b.desc.bytes() && from_b < from_a + a.desc.bytes();
  };
  for (size_t i = 0; i < nodes.size(); ++i) {
    const graph::Node& node = plan->graph.nodes[i];
    if (!std::holds_alternative<op::Norm>(node.params) || node.out[0] == plan->graph.logits)
      continue;
    int64_t reads = 0;
    size_t reader = i;
    for (size_t k = i + 1; k < nodes.size(); ++k) {
      const std::vector<graph::ValueId>& in = plan->graph.nodes[k].in;
      const int64_t n = std::count(in.begin(), in.end(), node.out[0]);
      reads += n;
      if (n > 0) reader = k;
    }
    if (reads != 1 || plan->graph.nodes[reader].in[0] != node.out[0]) continue;
    bool overwritten = false;
    for (size_t k = i + 1; k <= reader; ++k) {
      for (const op::Operand& out : nodes[k].call.out)
        overwritten |= overlap(out, nodes[i].call.in[0]);
    }
    if (!overwritten && nodes[reader].op->TakeNorm(nodes[i].call))
      nodes[i].taken_by = nodes[reader].op.get();
  }
}

GpuExecutor::GpuExecutor(std::unique_ptr<State> state) : state_(std::move(state)) {}
GpuExecutor::~GpuExecutor() {
  // What was enqueued may still use the memory; an error has nobody to hear it. Whoever destroys
  // the executor also frees that memory, for which the device must be current.
  static_cast<void>(state_->binding.device->MakeCurrent());
  static_cast<void>(state_->stream.Synchronize());
}

Result<std::unique_ptr<GpuExecutor>> GpuExecutor::Create(const graph::Plan& plan,
                                                         const GpuBinding& binding) {
  if (binding.weights.size() != plan.graph.weights.size() ||
      binding.kv_layers.size() != plan.graph.kv_layers.size()) {
    return Internal("the binding does not have the plan's number of weights and layers");
  }
  ROCFORGE_RETURN_IF_ERROR(binding.device->MakeCurrent());
  auto state = std::make_unique<State>();
  state->plan = &plan;
  state->binding = binding;
  state->mode = binding.mode;
  ROCFORGE_RETURN_IF_ERROR(state->Allocate());
  ROCFORGE_RETURN_IF_ERROR(state->BindAll());
  state->binding.tuning = nullptr;  // may not outlive this call
  return std::unique_ptr<GpuExecutor>(new GpuExecutor(std::move(state)));
}

// Copies the step and sets the operands' rows.
Status GpuExecutor::State::Begin(const op::Step& s, const Choice& choice) {
  last_counters = {};
  n_outputs = 0;  // no results until the step has succeeded
  wanted = choice.wanted;
  edited = !choice.edits.empty();
  ROCFORGE_RETURN_IF_ERROR(result.Check(s, choice));
  // The step loop need not run in the thread that loaded.
  ROCFORGE_RETURN_IF_ERROR(binding.device->MakeCurrent());
  ROCFORGE_RETURN_IF_ERROR(Stamp(kStampBegin));
  ROCFORGE_RETURN_IF_ERROR(step.Upload(s, choice, stream));
  for (BoundNode& node : nodes) node.SetRows(s);
  if (weights_ready) return {};
  // Weights may arrive after the executor was made, but not after its first step.
  for (BoundNode& node : nodes) ROCFORGE_RETURN_IF_ERROR(node.op->WeightsReady(stream));
  weights_ready = true;
  return {};
}

Status GpuExecutor::State::EnqueueNode(size_t i, const gpu::StepShape& shape) {
  const int64_t before = Launched();
  const Status status = nodes[i].op->Enqueue(stream, shape);
  if (!status.ok()) return status.WithContext(plan->graph.nodes[i].name);
  if (timing != OpTiming::kOff) node_kernels[i] = static_cast<int32_t>(Launched() - before);
  return {};
}

Status GpuExecutor::State::EnqueueAll(const gpu::StepShape& shape) {
  ROCFORGE_RETURN_IF_ERROR(Stamp(kStampOps));
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i].skip) continue;
    ROCFORGE_RETURN_IF_ERROR(EnqueueNode(i, shape));
    ROCFORGE_RETURN_IF_ERROR(Stamp(static_cast<uint32_t>(i)));
  }
  ROCFORGE_RETURN_IF_ERROR(result.EnqueueChoice(wanted, edited, stream, shape));
  return Stamp(kStampChosen);
}

// What EnqueueAll adds for the profiler.
int64_t GpuExecutor::State::StampsBetweenOps() const {
  if (!stamped()) return 0;
  const auto skipped =
      std::count_if(nodes.begin(), nodes.end(), [](const BoundNode& node) { return node.skip; });
  return static_cast<int64_t>(nodes.size()) - skipped + 2;
}

Status GpuExecutor::State::EnqueueObserved(const gpu::StepShape& shape) {
  for (size_t i = 0; i < nodes.size(); ++i) {
    ROCFORGE_RETURN_IF_ERROR(stream.Record(events[i]));
    if (!nodes[i].skip) ROCFORGE_RETURN_IF_ERROR(EnqueueNode(i, shape));
  }
  ROCFORGE_RETURN_IF_ERROR(stream.Record(events[nodes.size()]));
  return result.EnqueueChoice(wanted, edited, stream, shape);
}

Status GpuExecutor::State::Capture(GraphCache::Entry& entry) {
  const int64_t before = binding.device->counters().captured_launches;
  ROCFORGE_RETURN_IF_ERROR(stream.BeginCapture());
  const Status enqueued = EnqueueAll(entry.key.shape);
  Result<gpu::Graph> graph = stream.EndCapture();  // also after an error: it ends the capture
  ROCFORGE_RETURN_IF_ERROR(enqueued);
  if (!graph.ok()) return graph.status();
  entry.graph = std::move(*graph);
  entry.kernels = binding.device->counters().captured_launches - before - StampsBetweenOps();
  if (stamped()) entry.node_kernels = node_kernels;
  entry.captured = true;
  ++last_counters.captures;
  return {};
}

Status GpuExecutor::State::EnqueueGraph(const gpu::StepShape& shape) {
  bool first = false;
  GraphCache::Entry& entry = graphs.Find({shape, wanted, edited, stamped()}, &first);
  if (first) return EnqueueAll(shape);
  if (!entry.captured) {
    const Status captured = Capture(entry);
    if (!captured.ok()) {
      if (mode != GpuMode::kAuto) return captured.WithContext("--executor graph");
      Log(LogLevel::kWarn, "the driver cannot capture graphs ({}); launching op by op",
          captured.message());
      mode = GpuMode::kEager;
      return EnqueueAll(shape);
    }
    mode = GpuMode::kGraph;
  }
  last_counters.graph_kernels += entry.kernels;
  if (stamped()) node_kernels = entry.node_kernels;
  times.graph = true;
  return stream.Launch(entry.graph);
}

void GpuExecutor::State::AddCosts() {
  ROCFORGE_TIME_KERNEL("costs of the ops");
  last_cost = {};
  for (const BoundNode& node : nodes) {
    if (node.skip) continue;
    const op::Cost cost = op::CostOf(node.call);
    last_cost.bytes_read += cost.bytes_read;
    last_cost.bytes_written += cost.bytes_written;
    last_cost.ops += cost.ops;
  }
}

Status GpuExecutor::State::Finish(const op::Step& s) {
  ROCFORGE_RETURN_IF_ERROR(result.EnqueueDownload(wanted, s.n_outputs, stream));
  ROCFORGE_RETURN_IF_ERROR(Stamp(kStampEnd));
  AddCosts();  // while the device works
  ROCFORGE_TIME_KERNEL("wait for the device");
  ROCFORGE_RETURN_IF_ERROR(stream.Synchronize());
  n_outputs = s.n_outputs;
  return {};
}

void GpuExecutor::State::Report() {
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i].skip) continue;
    const Result<double> seconds = events[i + 1].SecondsSince(events[i]);
    if (seconds.ok()) observer(i, nodes[i].call, static_cast<int64_t>(*seconds * 1e9));
  }
}

// Times between neighbouring stamps. A stamp that ends an op begins the next.
Status GpuExecutor::State::ReadStamps() {
  ROCFORGE_RETURN_IF_ERROR(stamps.Read(stream, &read_stamps));
  times.ops.clear();
  times.stamp_ns = stamps.cost_ns();
  int64_t begin_ns = 0;
  int64_t ops_begin_ns = 0;
  const auto since = [&](int64_t time_ns) { return std::max<int64_t>(0, time_ns - begin_ns); };
  for (const OpStamps::Stamp& stamp : read_stamps) {
    if (stamp.id == kStampBegin) {
      times.ops.clear();  // what was left of a step that failed
    } else if (stamp.id == kStampOps) {
      times.upload_ns = since(stamp.time_ns);
      ops_begin_ns = stamp.time_ns;
    } else if (stamp.id == kStampChosen) {
      times.ops_ns = begin_ns - ops_begin_ns;
      times.choose_ns = wanted == Wanted::kLogits ? 0 : since(stamp.time_ns - times.stamp_ns);
    } else if (stamp.id == kStampEnd) {
      times.download_ns = since(stamp.time_ns);
    } else {
      const BoundNode& node = nodes[stamp.id];
      times.ops.push_back({stamp.id, begin_ns - ops_begin_ns, since(stamp.time_ns - times.stamp_ns),
                           op::CostOf(node.call), node_kernels[stamp.id]});
    }
    begin_ns = stamp.time_ns;
  }
  return {};
}

Status GpuExecutor::State::ReadEvents() {
  times.ops.clear();
  times.stamp_ns = 0;
  times.upload_ns = times.choose_ns = times.download_ns = 0;
  int64_t begin_ns = 0;
  for (size_t i = 0; i < nodes.size(); ++i) {
    ROCFORGE_ASSIGN_OR_RETURN(const double seconds, events[i + 1].SecondsSince(events[i]));
    const auto time_ns = static_cast<int64_t>(seconds * 1e9);
    if (!nodes[i].skip) {
      times.ops.push_back({i, begin_ns, time_ns, op::CostOf(nodes[i].call), node_kernels[i]});
    }
    begin_ns += time_ns;
  }
  times.ops_ns = begin_ns;
  return {};
}

Status GpuExecutor::State::Enqueue(const gpu::StepShape& shape, int32_t n_tokens) {
  ROCFORGE_TIME_KERNEL("enqueue");
  if (observed()) return EnqueueObserved(shape);
  if (mode == GpuMode::kEager || n_tokens > GraphCache::kMaxTokens) return EnqueueAll(shape);
  return EnqueueGraph(shape);
}

Status GpuExecutor::Run(const op::Step& step, const Choice& choice) {
  State& s = *state_;
  const gpu::DeviceCounters before = s.binding.device->counters();
  const int64_t begin_ns = s.timing == OpTiming::kOff ? 0 : NowNs();
  s.times.graph = false;
  ROCFORGE_RETURN_IF_ERROR(s.Begin(step, choice));
  gpu::StepShape shape = s.step.ShapeOf(step, s.page_size);
  shape.take_norms = true;
  for (BoundNode& node : s.nodes) node.SetSkip(shape);
  const bool events = s.observed();
  ROCFORGE_RETURN_IF_ERROR(s.Enqueue(shape, step.n_tokens));
  ROCFORGE_RETURN_IF_ERROR(s.Finish(step));
  const gpu::DeviceCounters cost = s.binding.device->counters() - before;
  s.last_counters.launches = cost.launches;
  s.last_counters.graph_launches = cost.graph_launches;
  s.last_counters.synchronisations = cost.synchronisations;
  s.last_counters.allocations = cost.allocations;
  s.last_counters.bytes_to_device = cost.bytes_to_device;
  s.last_counters.bytes_to_host = cost.bytes_to_host;
  if (s.observer) s.Report();
  if (s.timing == OpTiming::kOff) return {};
  const int64_t end_ns = NowNs();
  s.times.wall_ns = end_ns - begin_ns;
  const auto read_out = [&](const Status& status) {
    s.times.readout_ns = NowNs() - end_ns;
    return status;
  };
  if (events) return read_out(s.ReadEvents());
  // The profiler's own kernels are not the step's.
  s.last_counters.launches -= (s.times.graph ? 0 : s.StampsBetweenOps()) + kOuterStamps;
  return read_out(s.ReadStamps());
}

Status GpuExecutor::RunStepwise(const op::Step& step, const Visitor& visit) {
  State& s = *state_;
  ROCFORGE_RETURN_IF_ERROR(s.Begin(step, Choice()));
  ROCFORGE_RETURN_IF_ERROR(s.stream.Synchronize());
  const gpu::StepShape shape = s.step.ShapeOf(step, s.page_size);
  for (BoundNode& node : s.nodes) node.SetSkip(shape);
  for (size_t i = 0; i < s.nodes.size(); ++i) {
    const BoundNode& node = s.nodes[i];
    if (node.skip) continue;
    ROCFORGE_RETURN_IF_ERROR(visit(i, node.call, false));
    Status status = node.op->Enqueue(s.stream, shape);
    if (status.ok()) status = s.stream.Synchronize();
    if (!status.ok()) return status.WithContext(s.plan->graph.nodes[i].name);
    ROCFORGE_RETURN_IF_ERROR(visit(i, node.call, true));
  }
  return s.Finish(step);
}

const op::Call& GpuExecutor::CallOf(size_t node) const { return state_->nodes[node].call; }
gpu::BindContext GpuExecutor::Context() const { return state_->Context(); }
gpu::StepShape GpuExecutor::ShapeOf(const op::Step& step) const {
  return state_->step.ShapeOf(step, state_->page_size);
}

std::span<const float> GpuExecutor::logits() const {
  if (state_->wanted != Wanted::kLogits) return {};
  return {state_->result.logits(),
          static_cast<size_t>(state_->n_outputs * state_->result.n_vocab())};
}
std::span<const int32_t> GpuExecutor::best_tokens() const {
  if (state_->wanted != Wanted::kBestTokens) return {};
  return {state_->result.tokens(), static_cast<size_t>(state_->n_outputs)};
}
std::span<const DrawnToken> GpuExecutor::drawn_tokens() const {
  if (state_->wanted != Wanted::kDrawnTokens) return {};
  return {state_->result.drawn(), static_cast<size_t>(state_->n_outputs)};
}

std::span<const TopToken> GpuExecutor::top_tokens() const {
  if (state_->wanted != Wanted::kTopTokens) return {};
  return {state_->result.top(), static_cast<size_t>(state_->n_outputs) * kTopTokens};
}

op::Cost GpuExecutor::LastCost() const { return state_->last_cost; }
StepCounters GpuExecutor::LastCounters() const { return state_->last_counters; }
int64_t GpuExecutor::arena_bytes() const { return state_->arena.bytes(); }
int64_t GpuExecutor::scratch_bytes() const {
  return state_->scratch.bytes() + state_->step.bytes() +
         GpuResult::DeviceBytes(ResultSize(*state_->plan, state_->binding.max_sequences));
}
std::string GpuExecutor::mode() const {
  return state_->mode == GpuMode::kEager ? "eager" : "graph";
}

Status GpuExecutor::State::MakeEvents() {
  while (events.size() < nodes.size() + 1) {
    ROCFORGE_ASSIGN_OR_RETURN(gpu::Event event, gpu::Event::Create(binding.device));
    events.push_back(std::move(event));
  }
  return {};
}

void GpuExecutor::SetObserver(OpObserver observer) {
  state_->observer = std::move(observer);
  if (!state_->observer) return;
  const Status made = state_->MakeEvents();
  if (made.ok()) return;
  Log(LogLevel::kWarn, "ops are not timed: {}", made.message());
  state_->observer = nullptr;
}

Status GpuExecutor::SetTiming(OpTiming timing) {
  State& s = *state_;
  s.timing = OpTiming::kOff;
  s.node_kernels.resize(s.nodes.size());
  s.times.ops.reserve(s.nodes.size());
  if (timing == OpTiming::kEvents) ROCFORGE_RETURN_IF_ERROR(s.MakeEvents());
  if (timing == OpTiming::kStamps && s.stamps.cost_ns() == 0) {
    const auto n = static_cast<uint32_t>(s.nodes.size()) + kOtherStamps;
    ROCFORGE_ASSIGN_OR_RETURN(s.stamps, OpStamps::Create(s.binding.device, *s.binding.modules, n));
    s.read_stamps.reserve(n);
  }
  s.timing = timing;
  return {};
}

const StepTimes& GpuExecutor::LastTimes() const { return state_->times; }

}  // namespace rocforge::exec
