#include "session/session.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <utility>

#include "base/format.h"
#include "session/stop_matcher.h"
#include "session/token_choice.h"
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

struct Session::Run {
  const GenerateRequest& request;
  const GenerateCallbacks& callbacks;
  sample::Sampler sampler;
  text::Detokenizer detokenizer;
  StopMatcher stops;
  Clock::time_point start;
  size_t n_keep = 0;
  TokenChoice choice;
  std::vector<sample::TokenLogProb> top;
  GenerateOutcome outcome;

  GenerateStats& stats() { return outcome.stats; }
  // For a step whose last row gives the next token.
  exec::Choice NextChoice() {
    const auto next = static_cast<size_t>(outcome.stats.generated_tokens);
    return choice.Next(&sampler, next < request.forced.size());
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
  TokenChoice choice(request, sampler.params(), model_->engine().on_gpu());
  Run run{.request = request,
          .callbacks = callbacks,
          .sampler = std::move(sampler),
          .detokenizer = text::Detokenizer(
              tokenizer, {.special = request.show_special, .strip_leading_space = begins_text}),
          .stops = std::move(stops),
          .start = start,
          .choice = std::move(choice)};
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
          : model_->engine().Prefill(sequence_, rest, cancelled, run.NextChoice());
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
  return run.choice.Token(model_->engine(), &run.sampler);
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
  ROCFORGE_RETURN_IF_ERROR(model_->engine().Step({&item, 1}, run.NextChoice()));
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
  // The step that follows gives the token.
  return engine.Prefill(sequence_, tail, run.callbacks.cancelled, run.choice.Unused());
}

}  // namespace rocforge::session
