#include "session/session.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <limits>
#include <utility>

#include "base/format.h"
#include "base/log.h"
#include "session/stop_matcher.h"
#include "text/detokenizer.h"

namespace rocforge::session {
namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double Rate(double amount, double seconds) { return seconds > 0 ? amount / seconds : 0; }

}  // namespace

const char* FinishReasonName(FinishReason reason) {
  switch (reason) {
    case FinishReason::kStop:
      return "stop";
    case FinishReason::kLength:
      return "length";
    case FinishReason::kContext:
      return "context";
    case FinishReason::kCancelled:
      return "cancelled";
  }
  return "";
}

double GenerateStats::prompt_tokens_per_second() const {
  return Rate(static_cast<double>(prompt_tokens - reused_tokens), prompt_seconds);
}
double GenerateStats::decode_tokens_per_second() const {
  return Rate(static_cast<double>(decode_steps), decode_seconds);
}
double GenerateStats::decode_bytes_per_second() const { return Rate(decode_bytes, decode_seconds); }

namespace {

// Whether Sampler::Sample would give the token with the largest logit as the model computed it.
bool TakesBestToken(const sample::SamplerParams& p) {
  constexpr float kGreedy = 1e-6f;  // as Sampler::Sample
  return p.temperature < kGreedy && p.logit_bias.empty() && p.repetition_penalty == 1.0f &&
         p.presence_penalty == 0.0f && p.frequency_penalty == 0.0f && p.dry_multiplier == 0.0f;
}

// What a GPU need send back of each row of logits. `params` has the model's suppressed tokens too.
exec::Wanted WantedOf(const GenerateRequest& request, const sample::SamplerParams& params) {
  if (request.logprobs > 0) return exec::Wanted::kLogits;
  if (TakesBestToken(params)) return exec::Wanted::kBestTokens;
  const int32_t needed = sample::TokensNeeded(params);
  if (needed > 0 && static_cast<size_t>(needed) <= exec::kTopTokens)
    return exec::Wanted::kTopTokens;
  const std::string obstacle = sample::PlainChainOf(params).obstacle;
  if (obstacle.empty()) return exec::Wanted::kDrawnTokens;
  Log(LogLevel::kInfo, "all logits of each token come from the GPU to be sampled: {} acts",
      obstacle);
  return exec::Wanted::kLogits;
}

// For Wanted::kDrawnTokens; without the number.
exec::TokenDraw DrawOf(const sample::SamplerParams& params) {
  std::vector<exec::DrawStep> steps;
  for (const sample::SamplerKind kind : sample::PlainChainOf(params).kinds) {
    steps.push_back(kind == sample::SamplerKind::kTopK   ? exec::DrawStep::kTopK
                    : kind == sample::SamplerKind::kTopP ? exec::DrawStep::kTopP
                    : kind == sample::SamplerKind::kMinP ? exec::DrawStep::kMinP
                                                         : exec::DrawStep::kTemperature);
  }
  exec::TokenDraw draw;
  draw.temperature = params.temperature;
  draw.top_p = params.top_p;
  draw.min_p_log = std::log(params.min_p);
  draw.top_k = static_cast<uint32_t>(std::max(params.top_k, 1));
  draw.steps = exec::PackDrawSteps(steps);
  return draw;
}

}  // namespace

struct Session::Run {
  const GenerateRequest& request;
  const GenerateCallbacks& callbacks;
  sample::Sampler sampler;
  text::Detokenizer detokenizer;
  StopMatcher stops;
  Clock::time_point start;
  size_t n_keep = 0;
  // What steps are run for: on a GPU the best token can be found there, which saves the way of the
  // logits.
  exec::Wanted wanted = exec::Wanted::kLogits;
  exec::TokenDraw draw;  // with kDrawnTokens
  std::vector<sample::TokenLogProb> top;
  GenerateOutcome outcome;

  GenerateStats& stats() { return outcome.stats; }
  // For a step whose last row gives the next token. A token that is forced costs no number, as
  // where the sampler draws.
  std::span<const exec::TokenDraw> NextDraw() {
    if (wanted != exec::Wanted::kDrawnTokens) return {};
    const auto next = static_cast<size_t>(outcome.stats.generated_tokens);
    draw.unit = next < request.forced.size() ? 0.0 : sampler.NextUnit();
    return {&draw, 1};
  }
  bool Cancelled() const { return callbacks.cancelled && callbacks.cancelled(); }
  // Text of the detokenizer, through the stop strings, to the user.
  void Show(std::string_view text) {
    const std::string_view shown = stops.Feed(text);
    if (!shown.empty() && callbacks.on_text) callbacks.on_text(shown);
  }
  void ShowRest() {
    Show(detokenizer.Flush());
    const std::string_view rest = stops.Flush();
    if (!rest.empty() && callbacks.on_text) callbacks.on_text(rest);
  }
};

Session::Session(TextModel* model, engine::SequenceId sequence)
    : model_(model), sequence_(sequence) {
  tokens_.reserve(n_ctx());
}

Session::~Session() { model_->engine().FreeSequence(sequence_); }

Result<std::unique_ptr<Session>> Session::Create(TextModel* model) {
  ROCFORGE_ASSIGN_OR_RETURN(const engine::SequenceId sequence, model->engine().NewSequence());
  return std::unique_ptr<Session>(new Session(model, sequence));
}

size_t Session::n_ctx() const { return static_cast<size_t>(model_->engine().options().n_ctx); }

Status Session::Clear() { return KeepPrefix(0); }

Status Session::KeepPrefix(size_t n) {
  engine::Engine& engine = model_->engine();
  if (!engine.Truncate(sequence_, static_cast<int32_t>(n)).ok()) {
    n = 0;
    ROCFORGE_RETURN_IF_ERROR(engine.Truncate(sequence_, 0));
  }
  tokens_.resize(n);
  return {};
}

Status Session::CheckRequest(const GenerateRequest& request) const {
  const int64_t n_vocab = model_->engine().info().n_vocab;
  if (request.prompt.empty()) return InvalidArgument("the prompt is empty");
  for (const std::vector<int32_t>* ids : {&request.prompt, &request.forced}) {
    for (const int32_t id : *ids) {
      if (id >= 0 && id < n_vocab) continue;
      return InvalidArgument(
          Format("token id {} is outside the vocabulary of {} tokens", id, n_vocab));
    }
  }
  if (request.logprobs < 0) return InvalidArgument("logprobs must not be negative");
  if (request.logprobs > 0 && request.context_shift) {
    return InvalidArgument(
        "logprobs and context shift exclude each other: positions would move while they are "
        "reported");
  }
  const size_t n_prompt = request.prompt.size();
  const bool needs_room = request.max_tokens != 0 && !request.context_shift;
  if (n_prompt + (needs_room ? 1 : 0) > n_ctx()) {
    return ResourceExhausted(
        Format("the prompt has {} tokens and the context holds {}: shorten it or raise the context "
               "size (--ctx)",
               n_prompt, n_ctx()));
  }
  return {};
}

Result<sample::Sampler> Session::MakeSampler(const GenerateRequest& request) const {
  const text::Tokenizer& tokenizer = model_->tokenizer();
  const int64_t n_vocab = model_->engine().info().n_vocab;
  sample::SamplerParams params = request.sampling;
  for (const int32_t id : tokenizer.suppressed_tokens()) {
    if (id < n_vocab) params.logit_bias.emplace_back(id, -std::numeric_limits<float>::infinity());
  }
  std::vector<int32_t> breakers;
  if (params.dry_multiplier > 0) {
    breakers = sample::TokensContaining(
        params.dry_sequence_breakers, std::min<int64_t>(n_vocab, tokenizer.size()),
        [&](int32_t id) { return std::string(tokenizer.Piece(id, false)); });
  }
  ROCFORGE_ASSIGN_OR_RETURN(
      sample::Sampler sampler,
      sample::Sampler::Create(params, n_vocab, static_cast<int64_t>(n_ctx()), breakers));
  for (const int32_t id : request.prompt) sampler.Accept(id);
  return sampler;
}

Result<GenerateOutcome> Session::Generate(const GenerateRequest& request,
                                          const GenerateCallbacks& callbacks) {
  const Clock::time_point start = Clock::now();
  ROCFORGE_RETURN_IF_ERROR(CheckRequest(request));
  ROCFORGE_ASSIGN_OR_RETURN(StopMatcher stops, StopMatcher::Create(request.stop));
  ROCFORGE_ASSIGN_OR_RETURN(sample::Sampler sampler, MakeSampler(request));
  const text::Tokenizer& tokenizer = model_->tokenizer();
  // After BOS or a turn's marker the answer begins a text; after words it goes on in one.
  const bool begins_text =
      request.own_text || tokenizer.type(request.prompt.back()) == text::TokenType::kControl;
  Run run{.request = request,
          .callbacks = callbacks,
          .sampler = std::move(sampler),
          .detokenizer = text::Detokenizer(
              tokenizer, {.special = request.show_special, .strip_leading_space = begins_text}),
          .stops = std::move(stops),
          .start = start};
  if (model_->engine().on_gpu()) run.wanted = WantedOf(request, run.sampler.params());
  if (run.wanted == exec::Wanted::kDrawnTokens) run.draw = DrawOf(run.sampler.params());
  if (request.context_shift) {
    const size_t wanted =
        request.n_keep < 0 ? request.prompt.size() : static_cast<size_t>(request.n_keep);
    run.n_keep = std::max<size_t>(wanted, request.prompt.front() == tokenizer.bos() ? 1 : 0);
    if (run.n_keep + 2 > n_ctx()) {
      return InvalidArgument(
          Format("keeping {} tokens leaves no room in a context of {}", run.n_keep, n_ctx()));
    }
  }
  Status status = FeedPrompt(run);
  if (status.ok() && request.max_tokens != 0) status = Decode(run);
  if (status.code() == StatusCode::kCancelled) {
    run.outcome.reason = FinishReason::kCancelled;
    status = {};
  }
  // Whatever failed or was interrupted: what the cache really holds.
  tokens_.resize(static_cast<size_t>(model_->engine().length(sequence_)));
  ROCFORGE_RETURN_IF_ERROR(status);
  run.ShowRest();
  run.outcome.stop_string = std::string(run.stops.match());
  return std::move(run.outcome);
}

Status Session::FeedPrompt(Run& run) {
  const std::vector<int32_t>& prompt = run.request.prompt;
  size_t reused = 0;
  // The last token is always computed: its logits are needed, and the cache has none.
  if (run.request.logprobs == 0) {
    const size_t limit = std::min(tokens_.size(), prompt.size() - 1);
    while (reused < limit && tokens_[reused] == prompt[reused]) ++reused;
  }
  ROCFORGE_RETURN_IF_ERROR(KeepPrefix(reused));
  reused = tokens_.size();
  run.stats().prompt_tokens = static_cast<int64_t>(prompt.size());
  run.stats().reused_tokens = static_cast<int64_t>(reused);
  const std::span<const int32_t> rest = std::span(prompt).subspan(reused);
  tokens_.insert(tokens_.end(), rest.begin(), rest.end());
  const Clock::time_point start = Clock::now();
  // Asked between chunks, so it knows how far we are.
  const std::function<bool()> cancelled = [&] {
    if (run.callbacks.on_prompt) {
      run.callbacks.on_prompt(model_->engine().length(sequence_) - static_cast<int64_t>(reused),
                              static_cast<int64_t>(rest.size()));
    }
    return run.Cancelled();
  };
  const Status status =
      run.request.logprobs > 0
          ? FeedAllLogits(run, rest, cancelled)
          : model_->engine().Prefill(sequence_, rest, cancelled, run.wanted, run.NextDraw());
  run.stats().prompt_seconds = SecondsSince(start);
  return status;
}

Status Session::FeedAllLogits(Run& run, std::span<const int32_t> ids,
                              const std::function<bool()>& cancelled) {
  engine::Engine& engine = model_->engine();
  const auto chunk = static_cast<size_t>(
      std::min(engine.options().max_batch_tokens, engine.options().max_outputs));
  for (size_t begin = 0; begin < ids.size(); begin += chunk) {
    if (cancelled()) return Cancelled("the prompt was interrupted");
    const size_t n = std::min(chunk, ids.size() - begin);
    const engine::StepItem item{sequence_, ids.subspan(begin, n), engine::LogitsWanted::kAll};
    ROCFORGE_RETURN_IF_ERROR(engine.Step({&item, 1}));
    for (size_t i = 0; i < n; ++i) {
      ReportLogProbs(run, static_cast<int64_t>(begin + i), static_cast<int32_t>(i));
    }
  }
  return {};
}

void Session::ReportLogProbs(Run& run, int64_t position, int32_t row) const {
  if (!run.callbacks.on_logprobs) return;
  sample::TopLogProbs(model_->engine().logits(row), run.request.logprobs, &run.top);
  run.callbacks.on_logprobs(position, run.top);
}

Status Session::Decode(Run& run) {
  engine::Engine& engine = model_->engine();
  const double bytes_before = engine.counters().bytes;
  Clock::time_point first_token;
  Status status;
  while (true) {
    if (run.Cancelled()) {
      status = Cancelled("the text was interrupted");
      break;
    }
    const Result<int32_t> id = NextToken(run);
    if (!id.ok()) {
      status = id.status();
      break;
    }
    if (++run.stats().generated_tokens == 1) {
      first_token = Clock::now();
      run.stats().first_token_seconds = SecondsSince(run.start);
    }
    run.sampler.Accept(*id);
    if (run.callbacks.on_token) run.callbacks.on_token(*id);
    const bool ends = EndsWith(run, *id);
    if (ends && run.request.logprobs == 0) break;
    status = FeedToken(run, *id);
    if (ends || !status.ok()) break;
    ++run.stats().decode_steps;
  }
  if (run.stats().generated_tokens > 0) {
    run.stats().decode_seconds = SecondsSince(first_token);
    run.stats().decode_bytes = engine.counters().bytes - bytes_before;
  }
  return status;
}

Result<int32_t> Session::NextToken(Run& run) const {
  const auto i = static_cast<size_t>(run.stats().generated_tokens);
  if (i < run.request.forced.size()) return run.request.forced[i];
  // The last row: a step with all logits has one for each of its tokens.
  const engine::Engine& engine = model_->engine();
  const int32_t row = engine.n_logits() - 1;
  switch (run.wanted) {
    case exec::Wanted::kLogits:
      return run.sampler.Sample(engine.logits(row));
    case exec::Wanted::kBestTokens:
      return engine.best_token(row);
    case exec::Wanted::kDrawnTokens:
      return engine.drawn_token(row);
    case exec::Wanted::kTopTokens:
      break;
  }
  ROCFORGE_ASSIGN_OR_RETURN(const std::span<const exec::TopToken> top, engine.top_tokens(row));
  std::array<int32_t, exec::kTopTokens> ids;
  std::array<float, exec::kTopTokens> logits;
  for (size_t t = 0; t < top.size(); ++t) {
    ids[t] = top[t].token;
    logits[t] = top[t].logit;
  }
  return run.sampler.SampleAmong(std::span(ids).first(top.size()),
                                 std::span(logits).first(top.size()));
}

bool Session::EndsWith(Run& run, int32_t id) const {
  const GenerateRequest& request = run.request;
  if (!request.ignore_eos && model_->tokenizer().IsEog(id)) {
    run.outcome.reason = FinishReason::kStop;
    return true;
  }
  run.Show(run.detokenizer.Feed(id));
  if (run.stops.matched()) {
    run.outcome.reason = FinishReason::kStop;
    return true;
  }
  if (request.max_tokens >= 0 && run.stats().generated_tokens >= request.max_tokens) {
    run.outcome.reason = FinishReason::kLength;
    return true;
  }
  if (!request.context_shift && tokens_.size() + 1 >= n_ctx()) {
    run.outcome.reason = FinishReason::kContext;
    return true;
  }
  return false;
}

Status Session::FeedToken(Run& run, int32_t id) {
  if (tokens_.size() == n_ctx()) ROCFORGE_RETURN_IF_ERROR(ShiftContext(run));
  const engine::StepItem item{sequence_, {&id, 1}, engine::LogitsWanted::kLast};
  ROCFORGE_RETURN_IF_ERROR(model_->engine().Step({&item, 1}, run.wanted, run.NextDraw()));
  run.stats().decode_counters += model_->engine().last_step();
  tokens_.push_back(id);
  if (run.request.logprobs > 0) ReportLogProbs(run, static_cast<int64_t>(tokens_.size()) - 1, 0);
  return {};
}

Status Session::ShiftContext(Run& run) {
  engine::Engine& engine = model_->engine();
  const size_t dropped = (tokens_.size() - run.n_keep + 1) / 2;
  ROCFORGE_RETURN_IF_ERROR(engine.Truncate(sequence_, static_cast<int32_t>(run.n_keep)));
  const auto first = tokens_.begin() + static_cast<std::ptrdiff_t>(run.n_keep);
  tokens_.erase(first, first + static_cast<std::ptrdiff_t>(dropped));
  ++run.stats().context_shifts;
  const std::span<const int32_t> tail = std::span<const int32_t>(tokens_).subspan(run.n_keep);
  if (tail.empty()) return {};
  // Nobody looks at what this chooses: the step that follows does it again.
  const exec::Wanted wanted =
      run.wanted == exec::Wanted::kDrawnTokens ? exec::Wanted::kBestTokens : run.wanted;
  return engine.Prefill(sequence_, tail, run.callbacks.cancelled, wanted);
}

}  // namespace rocforge::session
