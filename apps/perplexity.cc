// `rocforge perplexity`: how well a model predicts a text. The method is llama-perplexity's: the
// text is tokenised once (with BOS), cut into chunks of n_ctx tokens, the first token of each chunk
// is replaced by BOS where the vocabulary uses one, and the tokens of the second half of each chunk
// are scored, so that each has at least half the context before it.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "apps/command.h"
#include "apps/engine_options.h"
#include "apps/output.h"
#include "apps/terminal/interrupt.h"
#include "apps/terminal/progress.h"
#include "base/format.h"
#include "base/log.h"
#include "base/thread_pool.h"
#include "sample/logprobs.h"

namespace rocforge::apps {
namespace {

using session::TextModel;

constexpr int32_t kMaxBatchTokens = 512;
constexpr int64_t kMaxLogitBytes = int64_t{64} << 20;
constexpr int32_t kMaxParallelChunks = 8;
constexpr size_t kValuesPerLine = 6;

struct PerplexityFlags {
  EngineFlags engine;
  std::string file;
  int32_t n_ctx = 512;
  int64_t max_chunks = -1;
  bool json = false;
};

// Sums of the negative log-probabilities of the scored tokens.
struct Score {
  int64_t count = 0;
  double sum = 0;
  double sum_of_squares = 0;

  void Add(double nll) {
    ++count;
    sum += nll;
    sum_of_squares += nll * nll;
  }
  double mean() const { return sum / static_cast<double>(count); }
  double perplexity() const { return std::exp(mean()); }
  // Standard error of the mean, carried over to exp(mean).
  double standard_error() const {
    if (count < 2) return 0;
    const double n = static_cast<double>(count);
    const double variance = std::max(0.0, sum_of_squares / n - mean() * mean());
    return std::sqrt(variance / (n - 1)) * perplexity();
  }
};

// Several chunks side by side, each in a sequence of its own.
class Evaluator {
 public:
  static Result<std::unique_ptr<Evaluator>> Create(TextModel* model, int32_t n_ctx) {
    std::unique_ptr<Evaluator> e(new Evaluator(model, n_ctx));
    for (int32_t i = 0; i < model->engine().options().max_sequences; ++i) {
      ROCFORGE_ASSIGN_OR_RETURN(const engine::SequenceId id, model->engine().NewSequence());
      e->sequences_.push_back(id);
    }
    return e;
  }

  size_t parallel() const { return sequences_.size(); }

  // Negative log-probabilities of the scored tokens of each chunk (at most parallel()), in order.
  Result<std::vector<std::vector<double>>> Run(std::span<const std::span<const int32_t>> chunks) {
    engine::Engine& engine = model_->engine();
    nll_.assign(chunks.size(), {});
    for (size_t i = 0; i < chunks.size(); ++i) {
      ROCFORGE_RETURN_IF_ERROR(engine.Truncate(sequences_[i], 0));
    }
    const auto half = static_cast<size_t>(n_ctx_ / 2);
    const size_t scored_block =
        std::max<size_t>(1, static_cast<size_t>(engine.options().max_outputs) / chunks.size());
    const size_t block =
        std::max<size_t>(1, static_cast<size_t>(engine.options().max_batch_tokens) / chunks.size());
    ROCFORGE_RETURN_IF_ERROR(Feed(chunks, 0, half, block, false));
    // The last token predicts one of the next chunk, which is not scored.
    ROCFORGE_RETURN_IF_ERROR(
        Feed(chunks, half, static_cast<size_t>(n_ctx_) - 1, std::min(block, scored_block), true));
    return std::move(nll_);
  }

 private:
  Evaluator(TextModel* model, int32_t n_ctx)
      : model_(model), n_ctx_(n_ctx), pool_(model->engine().options().n_threads) {}

  Status Feed(std::span<const std::span<const int32_t>> chunks, size_t begin, size_t end,
              size_t block, bool scored) {
    for (size_t at = begin; at < end; at += block) {
      if (Interrupted()) return Cancelled("interrupted");
      const size_t n = std::min(block, end - at);
      items_.clear();
      for (size_t i = 0; i < chunks.size(); ++i) {
        items_.push_back({sequences_[i], chunks[i].subspan(at, n),
                          scored ? engine::LogitsWanted::kAll : engine::LogitsWanted::kNone});
      }
      ROCFORGE_RETURN_IF_ERROR(model_->engine().Step(items_));
      if (scored) ScoreRows(chunks, at, n);
    }
    return {};
  }

  void ScoreRows(std::span<const std::span<const int32_t>> chunks, size_t at, size_t n) {
    const size_t rows = chunks.size() * n;
    row_nll_.resize(rows);
    pool_.ParallelFor(static_cast<int64_t>(rows), 1, [&](int64_t from, int64_t to) {
      for (int64_t row = from; row < to; ++row) {
        const auto r = static_cast<size_t>(row);
        const std::span<const float> logits = model_->engine().logits(static_cast<int32_t>(row));
        const int32_t target = chunks[r / n][at + r % n + 1];
        row_nll_[r] = sample::LogSumExp(logits) - double{logits[static_cast<size_t>(target)]};
      }
    });
    for (size_t i = 0; i < chunks.size(); ++i) {
      nll_[i].insert(nll_[i].end(), row_nll_.begin() + static_cast<std::ptrdiff_t>(i * n),
                     row_nll_.begin() + static_cast<std::ptrdiff_t>((i + 1) * n));
    }
  }

  TextModel* model_;
  int32_t n_ctx_;
  ThreadPool pool_;
  std::vector<engine::SequenceId> sequences_;
  std::vector<engine::StepItem> items_;
  std::vector<double> row_nll_;
  std::vector<std::vector<double>> nll_;
};

// The text as tokens, cut to whole chunks, with BOS at the start of each.
Result<std::vector<int32_t>> Tokenise(const PerplexityFlags& flags, const TextModel& model) {
  ROCFORGE_ASSIGN_OR_RETURN(std::string text, ReadTextFile(flags.file));
  if (text.ends_with('\n')) text.pop_back();  // as llama-perplexity reads files
  const text::Tokenizer& tokenizer = model.tokenizer();
  ROCFORGE_ASSIGN_OR_RETURN(std::vector<int32_t> ids,
                            tokenizer.Encode(text, {.add_special = true, .parse_special = false}));
  const auto n_ctx = static_cast<size_t>(flags.n_ctx);
  if (ids.size() < 2 * n_ctx) {
    return FailedPrecondition(
        Format("{}: {} tokens; perplexity over contexts of {} needs at "
               "least {}",
               EscapeForTerminal(flags.file), ids.size(), n_ctx, 2 * n_ctx));
  }
  size_t n_chunks = ids.size() / n_ctx;
  if (flags.max_chunks > 0) n_chunks = std::min(n_chunks, static_cast<size_t>(flags.max_chunks));
  ids.resize(n_chunks * n_ctx);
  if (tokenizer.add_bos() && tokenizer.bos() != text::kNoToken) {
    for (size_t i = 0; i < n_chunks; ++i) ids[i * n_ctx] = tokenizer.bos();
  }
  return ids;
}

struct Outcome {
  Score score;
  std::vector<double> running;  // perplexity after each chunk
  double seconds = 0;
};

// "[1] 45.1234  [2] 44.0021 ..." as the chunks come, a line at a time.
class RunningValues {
 public:
  RunningValues(bool enabled, ProgressBar* bar) : enabled_(enabled), bar_(bar) {}

  Status Add(const std::vector<double>& running, bool last) {
    if (!enabled_) return {};
    const size_t n = running.size();
    line_ += Format("{}[{}] {:.4f}", line_.empty() ? "" : "  ", n, running.back());
    if (n % kValuesPerLine != 0 && !last) return {};
    bar_->Hide();
    const Status status = WriteStdout(line_ + "\n");
    line_.clear();
    return status;
  }

 private:
  bool enabled_;
  ProgressBar* bar_;
  std::string line_;
};

Result<Outcome> Evaluate(const PerplexityFlags& flags, TextModel& model,
                         const std::vector<int32_t>& ids) {
  const auto n_ctx = static_cast<size_t>(flags.n_ctx);
  const size_t n_chunks = ids.size() / n_ctx;
  ROCFORGE_ASSIGN_OR_RETURN(const std::unique_ptr<Evaluator> evaluator,
                            Evaluator::Create(&model, flags.n_ctx));
  Outcome outcome;
  ProgressBar bar("perplexity");
  RunningValues values(!flags.json, &bar);
  const auto start = std::chrono::steady_clock::now();
  for (size_t i = 0; i < n_chunks; i += evaluator->parallel()) {
    std::vector<std::span<const int32_t>> chunks;
    for (size_t j = i; j < std::min(i + evaluator->parallel(), n_chunks); ++j) {
      chunks.push_back(std::span(ids).subspan(j * n_ctx, n_ctx));
    }
    ROCFORGE_ASSIGN_OR_RETURN(const std::vector<std::vector<double>> nll, evaluator->Run(chunks));
    for (const std::vector<double>& chunk : nll) {
      for (const double value : chunk) outcome.score.Add(value);
      outcome.running.push_back(outcome.score.perplexity());
      ROCFORGE_RETURN_IF_ERROR(values.Add(outcome.running, outcome.running.size() == n_chunks));
    }
    bar.Update(static_cast<double>(outcome.running.size()) / static_cast<double>(n_chunks),
               Format("{} of {} chunks, ppl {:.4f}", outcome.running.size(), n_chunks,
                      outcome.running.back()));
  }
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  outcome.seconds = elapsed.count();
  return outcome;
}

// JSON has no infinity: null says that the value is none.
nlohmann::ordered_json Number(double value) {
  return std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json(nullptr);
}

Status PrintJson(const PerplexityFlags& flags, const TextModel& model, const Outcome& o,
                 double rate) {
  nlohmann::ordered_json running = nlohmann::ordered_json::array();
  for (const double value : o.running) running.push_back(Number(value));
  const nlohmann::ordered_json json = {
      {"model", model.engine().options().model_path},
      {"file", flags.file},
      {"n_ctx", flags.n_ctx},
      {"chunks", o.running.size()},
      {"tokens_scored", o.score.count},
      {"ppl", Number(o.score.perplexity())},
      {"stderr", Number(o.score.standard_error())},
      {"mean_nll", Number(o.score.mean())},
      {"running_ppl", std::move(running)},
      {"seconds", o.seconds},
      {"tokens_per_second", rate},
  };
  return WriteStdout(json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) +
                     "\n");
}

Status Perplexity(const PerplexityFlags& flags) {
  if (flags.file.empty()) return InvalidArgument("there is no text: give -f FILE");
  ROCFORGE_ASSIGN_OR_RETURN(engine::EngineOptions options, ToEngineOptions(flags.engine));
  options.n_ctx = flags.n_ctx;
  if (flags.engine.batch == 0) options.max_batch_tokens = kMaxBatchTokens;
  options.max_sequences =
      std::clamp(kMaxBatchTokens / std::max(1, flags.n_ctx / 2), 1, kMaxParallelChunks);
  // Rows of logits are bounded in bytes; how long a row is, the file says.
  ROCFORGE_ASSIGN_OR_RETURN(const gguf::File file, gguf::File::Open(options.model_path));
  const Result<std::span<const std::string>> vocab = file.GetStringArray("tokenizer.ggml.tokens");
  const int64_t n_vocab = vocab.ok() ? static_cast<int64_t>(vocab->size()) : 1;
  const int64_t rows = kMaxLogitBytes / std::max<int64_t>(1, 4 * n_vocab);
  options.max_outputs =
      static_cast<int32_t>(std::clamp<int64_t>(rows, options.max_sequences, kMaxBatchTokens));
  options.max_outputs = std::min(options.max_outputs, options.max_batch_tokens);
  ROCFORGE_ASSIGN_OR_RETURN(const std::unique_ptr<TextModel> model, LoadTextModel(options, ""));
  ROCFORGE_ASSIGN_OR_RETURN(const std::vector<int32_t> ids, Tokenise(flags, *model));
  if (flags.n_ctx > model->engine().info().n_ctx_train) {
    Log(LogLevel::kWarn, "the context of {} is longer than the {} that the model was trained with",
        flags.n_ctx, model->engine().info().n_ctx_train);
  }
  const InterruptScope interrupt;
  ROCFORGE_ASSIGN_OR_RETURN(const Outcome outcome, Evaluate(flags, *model, ids));
  const double rate = static_cast<double>(ids.size()) / outcome.seconds;
  if (flags.json) {
    ROCFORGE_RETURN_IF_ERROR(PrintJson(flags, *model, outcome, rate));
  } else {
    ROCFORGE_RETURN_IF_ERROR(WriteStdout(
        Format("perplexity {:.4f} +/- {:.5f}  ({} chunks of {} tokens, {} tokens scored)\n",
               outcome.score.perplexity(), outcome.score.standard_error(), outcome.running.size(),
               flags.n_ctx, outcome.score.count)));
  }
  std::fputs(
      Format("{} tokens in {}, {:.0f} tok/s\n", ids.size(), FormatSeconds(outcome.seconds), rate)
          .c_str(),
      stderr);
  return {};
}

}  // namespace

void RegisterPerplexity(Command app, std::function<Status()>* run) {
  Command command = app.AddSubcommand("perplexity", "Measure how well a model predicts a text");
  auto flags = std::make_shared<PerplexityFlags>();
  AddEngineFlags(command, &flags->engine);
  command.AddOption("-f,--file", flags->file, "the text").TypeName("FILE");
  command.AddOption("-c,--ctx", flags->n_ctx, "tokens of a chunk")
      .TypeName("N")
      .ShowDefault()
      .Range(4, 1 << 20);
  command.AddOption("--chunks", flags->max_chunks, "only the first N chunks (default: all)")
      .TypeName("N")
      .AtLeast(1);
  command.AddFlag("--json", flags->json, "print one JSON object");
  command.OnParsed([flags, run] { *run = [flags] { return Perplexity(*flags); }; });
}

}  // namespace rocforge::apps
