#include "engine/engine.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/format.h"
#include "engine/kv_memory.h"
#include "engine/loader.h"
#include "engine/step_builder.h"
#include "exec/executor.h"
#include "kv/page_pool.h"
#include "prof/kernel_timer.h"

namespace rocforge::engine {

namespace {

Status BrokenLogits() {
  return DataLoss("the logits are not numbers: the model file is damaged, or its values overflow");
}

}  // namespace

struct Engine::State {
  Loaded loaded;  // file, model, plan, pool, KV memory, executor: in the order of their dependence
  kv::PagePool pages;
  StepBuilder builder;
  std::vector<std::optional<kv::SequencePages>> sequences;
  std::vector<int32_t> lengths_before;  // of a step's items, to undo a step that does not fit
  EngineCounters counters;
  int32_t n_logits = 0;

  explicit State(Loaded l)
      : loaded(std::move(l)),
        pages(loaded.n_pages),
        builder(loaded.options.max_batch_tokens, loaded.options.max_sequences,
                loaded.pages_per_sequence),
        sequences(static_cast<size_t>(loaded.options.max_sequences)) {
    lengths_before.reserve(sequences.size());
  }

  Result<kv::SequencePages*> Find(SequenceId id) {
    if (id < 0 || static_cast<size_t>(id) >= sequences.size() ||
        !sequences[static_cast<size_t>(id)]) {
      return InvalidArgument(Format("there is no sequence {}", id));
    }
    return &*sequences[static_cast<size_t>(id)];
  }

  Status CheckItems(std::span<const StepItem> items);
  Status ExtendAll(std::span<const StepItem> items);
  Result<const op::Step*> Build(std::span<const StepItem> items);
  static int32_t OutputsOf(const StepItem& item);
};

int32_t Engine::State::OutputsOf(const StepItem& item) {
  switch (item.logits) {
    case LogitsWanted::kNone:
      return 0;
    case LogitsWanted::kLast:
      return 1;
    case LogitsWanted::kAll:
      return static_cast<int32_t>(item.tokens.size());
  }
  return 0;
}

Status Engine::State::CheckItems(std::span<const StepItem> items) {
  const EngineOptions& options = loaded.options;
  int64_t n_tokens = 0;
  int64_t n_outputs = 0;
  for (size_t i = 0; i < items.size(); ++i) {
    ROCFORGE_RETURN_IF_ERROR(Find(items[i].sequence).status());
    for (size_t j = 0; j < i; ++j) {
      if (items[j].sequence == items[i].sequence)
        return InvalidArgument("a step names a sequence twice");
    }
    if (items[i].tokens.empty()) return InvalidArgument("a step has a sequence without tokens");
    for (int32_t token : items[i].tokens) {
      if (token < 0 || token >= loaded.model.info.n_vocab) {
        return InvalidArgument(Format("token id {} is outside the vocabulary of {} tokens", token,
                                      loaded.model.info.n_vocab));
      }
    }
    n_tokens += static_cast<int64_t>(items[i].tokens.size());
    n_outputs += OutputsOf(items[i]);
  }
  if (n_tokens < 1 || n_tokens > options.max_batch_tokens || n_outputs > options.max_outputs) {
    return InvalidArgument(
        Format("a step of {} tokens and {} rows of logits does not fit the limits of {} and {}",
               n_tokens, n_outputs, options.max_batch_tokens, options.max_outputs));
  }
  return {};
}

Status Engine::State::ExtendAll(std::span<const StepItem> items) {
  lengths_before.clear();
  for (size_t i = 0; i < items.size(); ++i) {
    kv::SequencePages& sequence = *sequences[static_cast<size_t>(items[i].sequence)];
    lengths_before.push_back(sequence.length());
    const Status status = sequence.Extend(static_cast<int32_t>(items[i].tokens.size()));
    if (status.ok()) continue;
    for (size_t j = 0; j < i; ++j)
      sequences[static_cast<size_t>(items[j].sequence)]->Truncate(lengths_before[j]);
    return status;
  }
  return {};
}

Result<const op::Step*> Engine::State::Build(std::span<const StepItem> items) {
  ROCFORGE_TIME_KERNEL("build step");
  ROCFORGE_RETURN_IF_ERROR(CheckItems(items));
  ROCFORGE_RETURN_IF_ERROR(ExtendAll(items));
  builder.Begin();
  for (const StepItem& item : items) {
    builder.Add(*sequences[static_cast<size_t>(item.sequence)], item.tokens, OutputsOf(item));
  }
  return &builder.Finish();
}

Result<SelfCheck> ParseSelfCheck(std::string_view name) {
  if (name == "off") return SelfCheck::kOff;
  if (name == "auto") return SelfCheck::kAuto;
  if (name == "on") return SelfCheck::kOn;
  return InvalidArgument(Format("unknown self-check '{}'; use off, auto or on", name));
}

Engine::Engine(std::unique_ptr<State> state) : state_(std::move(state)) {}
Engine::~Engine() = default;

Result<std::unique_ptr<Engine>> Engine::Load(const EngineOptions& options) {
  ROCFORGE_ASSIGN_OR_RETURN(Loaded loaded, LoadModel(options));
  return std::unique_ptr<Engine>(new Engine(std::make_unique<State>(std::move(loaded))));
}

const gguf::File& Engine::file() const { return *state_->loaded.file; }
const model::ModelInfo& Engine::info() const { return state_->loaded.model.info; }
const graph::Plan& Engine::plan() const { return *state_->loaded.plan; }
const EngineOptions& Engine::options() const { return state_->loaded.options; }
bool Engine::on_gpu() const { return state_->loaded.gpu.device != nullptr; }
std::string Engine::device_description() const {
  if (on_gpu()) {
    const OpenedGpu& gpu = state_->loaded.gpu;
    return Format("{} ({}, {}, {})", gpu.device->info().name, gpu.name, gpu.modules->target(),
                  state_->loaded.executor->mode());
  }
  return Format("CPU ({} thread{}, {})", options().n_threads, options().n_threads == 1 ? "" : "s",
                options().isa);
}

Result<SequenceId> Engine::NewSequence() {
  State& s = *state_;
  for (size_t i = 0; i < s.sequences.size(); ++i) {
    if (s.sequences[i]) continue;
    s.sequences[i].emplace(&s.pages, s.loaded.page_size, s.loaded.options.n_ctx);
    return static_cast<SequenceId>(i);
  }
  return ResourceExhausted(Format("all {} sequences are in use", s.sequences.size()));
}

void Engine::FreeSequence(SequenceId sequence) {
  const Result<kv::SequencePages*> found = state_->Find(sequence);
  ROCFORGE_CHECK(found.ok());
  (*found)->Clear();
  state_->sequences[static_cast<size_t>(sequence)].reset();
}

int32_t Engine::length(SequenceId sequence) const {
  const Result<kv::SequencePages*> found = state_->Find(sequence);
  ROCFORGE_CHECK(found.ok());
  return (*found)->length();
}

Status Engine::Truncate(SequenceId sequence, int32_t length) {
  ROCFORGE_ASSIGN_OR_RETURN(kv::SequencePages* const found, state_->Find(sequence));
  if (length < 0 || length > found->length()) {
    return InvalidArgument(
        Format("cannot truncate a sequence of {} tokens to {}", found->length(), length));
  }
  found->Truncate(length);
  return {};
}

Status Engine::Step(std::span<const StepItem> items, const exec::Choice& choice) {
  State& s = *state_;
  ROCFORGE_ASSIGN_OR_RETURN(const op::Step* const built, s.Build(items));
  const op::Step& step = *built;
  s.n_logits = 0;
  Status status = s.loaded.executor->Run(step, choice);
  if (!status.ok()) {
    for (size_t i = 0; i < items.size(); ++i)
      s.sequences[static_cast<size_t>(items[i].sequence)]->Truncate(s.lengths_before[i]);
    return status;
  }
  s.n_logits = step.n_outputs;
  const op::Cost cost = s.loaded.executor->LastCost();
  s.counters.steps += 1;
  s.counters.tokens += step.n_tokens;
  s.counters.bytes += cost.bytes();
  s.counters.ops += cost.ops;
  return {};
}

Status Engine::Prefill(SequenceId sequence, std::span<const int32_t> tokens,
                       const std::function<bool()>& cancelled, const exec::Choice& choice) {
  if (tokens.empty()) return InvalidArgument("there are no tokens to feed");
  const auto chunk = static_cast<size_t>(options().max_batch_tokens);
  for (size_t begin = 0; begin < tokens.size(); begin += chunk) {
    if (cancelled && cancelled()) return Cancelled("the prompt was interrupted");
    const size_t n = std::min(chunk, tokens.size() - begin);
    const bool last = begin + n == tokens.size();
    const StepItem item{sequence, tokens.subspan(begin, n),
                        last ? LogitsWanted::kLast : LogitsWanted::kNone};
    ROCFORGE_RETURN_IF_ERROR(Step({&item, 1}, last ? choice : exec::Choice(choice.wanted)));
  }
  return {};
}

int32_t Engine::n_logits() const { return state_->n_logits; }

std::span<const float> Engine::logits(int32_t row) const {
  ROCFORGE_CHECK(row >= 0 && row < state_->n_logits);
  const auto n_vocab = static_cast<size_t>(info().n_vocab);
  const std::span<const float> all = state_->loaded.executor->logits();
  ROCFORGE_CHECK(!all.empty());  // the step was run for best tokens only
  return all.subspan(static_cast<size_t>(row) * n_vocab, n_vocab);
}

Result<int32_t> Engine::best_token(int32_t row) const {
  ROCFORGE_CHECK(row >= 0 && row < state_->n_logits);
  const std::span<const int32_t> tokens = state_->loaded.executor->best_tokens();
  const int32_t token =
      tokens.empty() ? exec::BestToken(logits(row)) : tokens[static_cast<size_t>(row)];
  return token == exec::kNoBestToken ? Result<int32_t>(BrokenLogits()) : Result<int32_t>(token);
}

Result<exec::DrawnToken> Engine::drawn_token(int32_t row) const {
  ROCFORGE_CHECK(row >= 0 && row < state_->n_logits);
  const std::span<const exec::DrawnToken> tokens = state_->loaded.executor->drawn_tokens();
  ROCFORGE_CHECK(!tokens.empty());  // the step was run for something else
  const exec::DrawnToken& drawn = tokens[static_cast<size_t>(row)];
  if (drawn.token == exec::kNoBestToken) return BrokenLogits();
  return drawn;
}

Result<std::span<const exec::TopToken>> Engine::top_tokens(int32_t row) const {
  ROCFORGE_CHECK(row >= 0 && row < state_->n_logits);
  const std::span<const exec::TopToken> all = state_->loaded.executor->top_tokens();
  ROCFORGE_CHECK(!all.empty());  // the step was run for something else
  const std::span<const exec::TopToken> top =
      all.subspan(static_cast<size_t>(row) * exec::kTopTokens, exec::kTopTokens);
  const auto used =
      std::find_if(top.begin(), top.end(), [](const exec::TopToken& t) { return t.token < 0; });
  if (used == top.begin()) return BrokenLogits();
  return top.first(static_cast<size_t>(used - top.begin()));
}

const EngineCounters& Engine::counters() const { return state_->counters; }
exec::StepCounters Engine::last_step() const { return state_->loaded.executor->LastCounters(); }
int64_t Engine::kv_bytes() const { return state_->loaded.kv.bytes(); }
int64_t Engine::scratch_bytes() const {
  return state_->loaded.executor->arena_bytes() + state_->loaded.executor->scratch_bytes();
}
MemoryUse Engine::memory() const {
  const exec::Executor& executor = *state_->loaded.executor;
  return {weight_bytes(), kv_bytes(), executor.arena_bytes(), executor.scratch_bytes()};
}
Result<int64_t> Engine::device_used_bytes() const {
  if (!on_gpu()) return Unsupported("the CPU has no memory of its own");
  const gpu::Device& device = *state_->loaded.gpu.device;
  ROCFORGE_ASSIGN_OR_RETURN(const int64_t free, device.FreeBytes());
  return device.info().total_bytes - free;
}

Status Engine::SetTiming(exec::OpTiming timing) {
  return state_->loaded.executor->SetTiming(timing);
}
const exec::StepTimes& Engine::last_times() const { return state_->loaded.executor->LastTimes(); }
const std::vector<LoadPart>& Engine::load_parts() const { return state_->loaded.parts; }
int64_t Engine::weight_bytes() const {
  return on_gpu() ? state_->loaded.gpu_weights.bytes() : info().weight_bytes;
}

void Engine::SetOpObserver(std::function<void(size_t, const op::Call&, int64_t)> observer) {
  state_->loaded.executor->SetObserver(std::move(observer));
}

}  // namespace rocforge::engine
