#include "apps/profile/measure.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <fstream>
#include <map>
#include <tuple>
#include <utility>

#include "apps/engine_options.h"
#include "apps/plan_cost.h"
#include "apps/terminal/interrupt.h"
#include "base/format.h"
#include "prof/kernel_timer.h"
#include "sample/sampler.h"
#include "text/detokenizer.h"

namespace rocforge::apps {
namespace {

using Clock = std::chrono::steady_clock;
using engine::Engine;
using engine::LogitsWanted;

constexpr const char* kText =
    "The river ran low that summer, and people who had never looked at it before came to see the "
    "stones. Every evening the old engineer wrote down the level, the time and the weather, as he "
    "had done for forty years: what is measured every day, he used to say, cannot surprise you. ";

constexpr int32_t kWarmUpTokens = 32;

// A text that gives about n tokens, never fewer.
Result<std::string> TextOf(const session::TextModel& model, int32_t n) {
  std::string text = kText;
  while (true) {
    ROCFORGE_ASSIGN_OR_RETURN(const std::vector<int32_t> ids, model.EncodeRaw(text));
    const auto n_ids = static_cast<int32_t>(ids.size());
    if (n_ids < n) {
      text += text;
      continue;
    }
    const double share = 1.02 * n / n_ids;
    const auto size = static_cast<size_t>(share * static_cast<double>(text.size())) + 16;
    return text.substr(0, std::min(size, text.size()));
  }
}

// One pass over the prompt and the text.
class Pass {
 public:
  Pass(session::TextModel& model, const ProfileOptions& options, const std::string& text,
       Profile* profile)
      : model_(model), engine_(model.engine()), options_(options), text_(text), p_(profile) {}
  ~Pass() {
    if (sequence_ >= 0) engine_.FreeSequence(sequence_);
  }
  Pass(const Pass&) = delete;
  Pass& operator=(const Pass&) = delete;

  Status Run(const std::function<void(double)>& progress);
  double seconds() const { return Now(); }
  double prefill_seconds() const { return prefill_s_; }
  double fastest_step_seconds() const {
    return decode_s_.empty() ? 0 : *std::min_element(decode_s_.begin(), decode_s_.end());
  }

 private:
  double Now() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }
  // Runs `work` and notes it as a span of the host.
  template <typename F>
  Status Span(const char* name, F work) {
    const double begin = Now();
    const Status status = work();
    if (p_ != nullptr) p_->spans.push_back({name, begin, Now() - begin});
    return status;
  }
  Status Step(std::span<const int32_t> tokens, bool prefill, bool last);
  Status Sample(sample::Sampler& sampler, int32_t* id) const;
  void NoteMemory();

  session::TextModel& model_;
  Engine& engine_;
  const ProfileOptions& options_;
  const std::string& text_;
  Profile* p_;  // null: nothing is noted
  engine::SequenceId sequence_ = -1;
  exec::Wanted wanted_ = exec::Wanted::kLogits;
  Clock::time_point start_ = Clock::now();
  double prefill_s_ = 0;
  std::vector<double> decode_s_;  // of each step
};

void Pass::NoteMemory() {
  const int64_t per_token = KvBytesPerToken(engine_.plan().graph, engine_.options().kv_type);
  const Result<int64_t> used = engine_.device_used_bytes();
  p_->memory.push_back({p_->run_begin_s + Now(), ResidentBytes(),
                        per_token * engine_.length(sequence_), p_->held, used.ok() ? *used : 0});
}

Status Pass::Step(std::span<const int32_t> tokens, bool prefill, bool last) {
  const double begin = Now();
  const engine::StepItem item{sequence_, tokens, last ? LogitsWanted::kLast : LogitsWanted::kNone};
  ROCFORGE_RETURN_IF_ERROR(engine_.Step({&item, 1}, wanted_));
  double seconds = Now() - begin;
  if (p_ != nullptr) {
    const double readout = static_cast<double>(engine_.last_times().readout_ns) * 1e-9;
    p_->profiler_seconds += readout;
    seconds -= readout;
    p_->steps.push_back({prefill, static_cast<int32_t>(tokens.size()), engine_.length(sequence_),
                         begin, seconds, engine_.last_times(), engine_.last_step()});
    // What noting costs is the profiler's, not the run's.
    const double noting = Now();
    NoteMemory();
    p_->profiler_seconds += Now() - noting;
  }
  if (prefill) {
    prefill_s_ += seconds;
  } else {
    decode_s_.push_back(seconds);
  }
  return {};
}

Status Pass::Sample(sample::Sampler& sampler, int32_t* id) const {
  ROCFORGE_TIME_KERNEL("sample");
  const int32_t row = engine_.n_logits() - 1;
  if (wanted_ == exec::Wanted::kLogits) {
    ROCFORGE_ASSIGN_OR_RETURN(*id, sampler.Sample(engine_.logits(row)));
  } else {
    ROCFORGE_ASSIGN_OR_RETURN(const std::span<const exec::TopToken> top, engine_.top_tokens(row));
    std::array<int32_t, exec::kTopTokens> ids;
    std::array<float, exec::kTopTokens> logits;
    for (size_t t = 0; t < top.size(); ++t) {
      ids[t] = top[t].token;
      logits[t] = top[t].logit;
    }
    ROCFORGE_ASSIGN_OR_RETURN(*id, sampler.SampleAmong(std::span(ids).first(top.size()),
                                                       std::span(logits).first(top.size())));
  }
  sampler.Accept(*id);
  return {};
}

Status Pass::Run(const std::function<void(double)>& progress) {
  ROCFORGE_ASSIGN_OR_RETURN(sequence_, engine_.NewSequence());
  sample::SamplerParams params;
  params.seed = 1;
  // As Session does: a GPU sends back the tokens that the sampler can choose among.
  wanted_ = engine_.on_gpu() ? exec::Wanted::kTopTokens : exec::Wanted::kLogits;
  ROCFORGE_ASSIGN_OR_RETURN(
      sample::Sampler sampler,
      sample::Sampler::Create(params, engine_.info().n_vocab, engine_.options().n_ctx, {}));
  text::Detokenizer detokenizer(model_.tokenizer());
  start_ = Clock::now();
  std::vector<int32_t> ids;
  ROCFORGE_RETURN_IF_ERROR(Span("tokenise", [&] {
    ROCFORGE_ASSIGN_OR_RETURN(ids, model_.EncodeRaw(text_));
    return Status();
  }));
  ids.resize(static_cast<size_t>(options_.n_prompt), ids.back());
  const auto batch = static_cast<size_t>(engine_.options().max_batch_tokens);
  const double total = static_cast<double>(ids.size()) + 4.0 * options_.n_generate;
  for (size_t begin = 0; begin < ids.size(); begin += batch) {
    if (Interrupted()) return Cancelled("");
    const size_t n = std::min(batch, ids.size() - begin);
    ROCFORGE_RETURN_IF_ERROR(Span("prefill", [&] {
      return Step(std::span(ids).subspan(begin, n), true, begin + n == ids.size());
    }));
    progress(static_cast<double>(begin + n) / total);
  }
  for (int32_t i = 0; i < options_.n_generate; ++i) {
    if (Interrupted()) return Cancelled("");
    int32_t id = 0;
    ROCFORGE_RETURN_IF_ERROR(Span("sample", [&] { return Sample(sampler, &id); }));
    if (p_ != nullptr && i == 0) p_->first_token_seconds = Now() - p_->profiler_seconds;
    ROCFORGE_RETURN_IF_ERROR(Span("detokenise", [&] {
      static_cast<void>(detokenizer.Feed(id));
      return Status();
    }));
    if (p_ != nullptr) p_->generated_tokens = i + 1;
    if (i + 1 == options_.n_generate) break;
    ROCFORGE_RETURN_IF_ERROR(Span("decode", [&] { return Step({&id, 1}, false, true); }));
    progress((static_cast<double>(ids.size()) + 4.0 * (i + 1)) / total);
  }
  return {};
}

// Nodes that do the same in different layers.
void FindKinds(const Engine& engine, Profile* p) {
  const StepShape shape{1, 1, engine.options().kv_type};
  std::map<std::tuple<std::string, std::string, std::string, std::string>, size_t> known;
  for (const OpRow& row : CostTable(engine.plan().graph, shape)) {
    const auto key = std::make_tuple(row.name, row.op, row.weights, row.types);
    const auto [found, is_new] = known.emplace(key, p->kinds.size());
    if (is_new) p->kinds.push_back({row.name, row.op, row.weights, row.types});
    p->kind_of_node.push_back(found->second);
  }
}

}  // namespace

int64_t ResidentBytes() {
  std::ifstream file("/proc/self/statm");
  int64_t total = 0;
  int64_t resident = 0;
  if (!(file >> total >> resident)) return 0;
  return resident * sysconf(_SC_PAGESIZE);
}

Status RunProfile(session::TextModel& model, const ProfileOptions& options,
                  const std::function<void(double fraction)>& progress, Profile* p) {
  Engine& engine = model.engine();
  p->model = DescribeModel(engine.info());
  p->device = engine.device_description();
  p->kv_type = std::string(Name(engine.options().kv_type));
  p->on_gpu = engine.on_gpu();
  p->events = options.events;
  p->held = engine.memory();
  double parts = 0;
  for (const engine::LoadPart& part : engine.load_parts()) {
    p->load.push_back({part.name, part.seconds, part.bytes, part.held});
    parts += part.seconds;
  }
  p->load_seconds = model.load_seconds();
  p->load.push_back({"tokenizer", std::max(0.0, p->load_seconds - parts), 0, p->held});
  FindKinds(engine, p);
  p->prompt_tokens = options.n_prompt;
  ROCFORGE_ASSIGN_OR_RETURN(const std::string text, TextOf(model, options.n_prompt));

  const auto cancelled = [&](const Status& status) {
    p->interrupted = status.code() == StatusCode::kCancelled;
    return status;
  };
  {
    // Caches, page tables and graphs are as in a program that has run for a while. On the CPU a few
    // steps do that, and leave more of an interrupted run.
    ProfileOptions warm_up = options;
    if (!engine.on_gpu()) warm_up.n_generate = std::min(options.n_generate, kWarmUpTokens);
    Pass plain(model, warm_up, text, nullptr);
    const Status status = plain.Run([&](double f) { progress(0.5 * f); });
    if (!status.ok()) return cancelled(status);
    p->plain_prefill_seconds = plain.prefill_seconds();
    p->plain_step_seconds = plain.fastest_step_seconds();
  }
  const auto timing = options.events ? exec::OpTiming::kEvents : exec::OpTiming::kStamps;
  ROCFORGE_RETURN_IF_ERROR(engine.SetTiming(timing));
  if (engine.on_gpu() && !options.events) {
    // A graph with stamps is captured when its shape comes for the second time; shapes change as
    // the context grows.
    Pass capture(model, options, text, nullptr);
    const Status status = capture.Run([](double) {});
    if (!status.ok()) return cancelled(status);
  }
  const double before = p->memory.empty() ? 0 : p->memory.back().at_s;
  p->run_begin_s = std::max(before, p->load_seconds);
  Pass timed(model, options, text, p);
  prof::ClearKernelTimes();
  prof::EnableKernelTimes(true);
  const Status status = timed.Run([&](double f) { progress(0.5 + 0.5 * f); });
  prof::EnableKernelTimes(false);
  p->host_times = prof::CollectedKernelTimes();
  p->run_seconds = timed.seconds() - p->profiler_seconds;
  static_cast<void>(engine.SetTiming(exec::OpTiming::kOff));
  return cancelled(status);
}

}  // namespace rocforge::apps
