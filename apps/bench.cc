// `rocforge bench inference`: how fast a model reads prompts and writes text on this machine.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "apps/command.h"
#include "apps/engine_options.h"
#include "apps/interrupt.h"
#include "apps/output.h"
#include "apps/progress.h"
#include "apps/table.h"
#include "base/format.h"
#include "engine/engine.h"

namespace rocforge::apps {
namespace {

using Clock = std::chrono::steady_clock;
using engine::Engine;
using engine::LogitsWanted;
using engine::SequenceId;
using engine::StepItem;

struct Flags {
  EngineFlags engine;
  std::vector<int32_t> prompts = {512};
  std::vector<int32_t> texts = {128};
  std::vector<int32_t> sequences = {1};
  std::vector<int32_t> depths = {0};
  int32_t repetitions = 5;
  bool json = false;
};

// One line of the report.
struct Case {
  enum class Kind { kPrompt, kText } kind = Kind::kPrompt;
  int32_t tokens = 0;     // of each sequence
  int32_t sequences = 1;  // at once
  int32_t depth = 0;      // tokens in the cache before

  std::string Name() const {
    std::string name = Format("{}{}", kind == Kind::kPrompt ? "pp" : "tg", tokens);
    if (depth > 0) name += Format(" @ {}", depth);
    return sequences > 1 ? name + Format(" x {}", sequences) : name;
  }
};

struct Measured {
  Case test;
  std::vector<double> seconds;  // by repetition
  exec::StepCounters last_step;

  double tokens() const { return static_cast<double>(test.tokens) * test.sequences; }
  double mean() const {
    double sum = 0;
    for (const double s : seconds) sum += tokens() / s;
    return sum / static_cast<double>(seconds.size());
  }
  double deviation() const {
    if (seconds.size() < 2) return 0;
    double sum = 0;
    for (const double s : seconds) sum += std::pow(tokens() / s - mean(), 2);
    return std::sqrt(sum / static_cast<double>(seconds.size() - 1));
  }
  double median_seconds() const {
    std::vector<double> sorted = seconds;
    std::sort(sorted.begin(), sorted.end());
    return sorted[sorted.size() / 2];
  }
  // A prompt: until the first token is chosen. A text: between two tokens of a sequence.
  double milliseconds() const {
    return 1e3 * median_seconds() / (test.kind == Case::Kind::kPrompt ? 1 : test.tokens);
  }
};

std::vector<Case> Cases(const Flags& flags) {
  std::vector<Case> cases;
  for (const int32_t depth : flags.depths) {
    for (const int32_t n : flags.prompts) {
      if (n > 0) cases.push_back({Case::Kind::kPrompt, n, 1, depth});
    }
    for (const int32_t sequences : flags.sequences) {
      for (const int32_t n : flags.texts) {
        if (n > 0) cases.push_back({Case::Kind::kText, n, sequences, depth});
      }
    }
  }
  return cases;
}

// Runs cases on one engine. Every step also chooses the best token, as a greedy text needs it.
class Runner {
 public:
  explicit Runner(Engine& engine) : engine_(engine) {}

  Result<double> Run(const Case& test) {
    ROCFORGE_RETURN_IF_ERROR(Prepare(test));
    const Clock::time_point start = Clock::now();
    const Status status = test.kind == Case::Kind::kPrompt ? Read(test.tokens) : Write(test.tokens);
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    for (const SequenceId s : sequences_) engine_.FreeSequence(s);
    sequences_.clear();
    ROCFORGE_RETURN_IF_ERROR(status);
    return seconds;
  }

 private:
  // Sequences with `depth` tokens each, and what to feed next.
  Status Prepare(const Case& test) {
    next_.clear();
    for (int32_t i = 0; i < test.sequences; ++i) {
      ROCFORGE_ASSIGN_OR_RETURN(const SequenceId s, engine_.NewSequence());
      sequences_.push_back(s);
      if (test.depth > 0) {
        const std::vector<int32_t> before = RandomTokens(test.depth);
        ROCFORGE_RETURN_IF_ERROR(engine_.Prefill(s, before, Interrupted, kBest));
      }
      next_.push_back(RandomTokens(1)[0]);
    }
    prompt_ = RandomTokens(test.tokens);
    return {};
  }

  Status Read(int32_t) {
    ROCFORGE_RETURN_IF_ERROR(engine_.Prefill(sequences_[0], prompt_, Interrupted, kBest));
    return engine_.best_token(0).status();
  }

  Status Write(int32_t n) {
    std::vector<StepItem> items(sequences_.size());
    for (int32_t i = 0; i < n; ++i) {
      if (Interrupted()) return Cancelled("");
      for (size_t s = 0; s < items.size(); ++s)
        items[s] = {sequences_[s], {&next_[s], 1}, LogitsWanted::kLast};
      ROCFORGE_RETURN_IF_ERROR(engine_.Step(items, kBest));
      for (size_t s = 0; s < items.size(); ++s) {
        ROCFORGE_ASSIGN_OR_RETURN(next_[s], engine_.best_token(static_cast<int32_t>(s)));
      }
    }
    return {};
  }

  std::vector<int32_t> RandomTokens(int32_t n) {
    std::vector<int32_t> tokens(static_cast<size_t>(n));
    for (int32_t& t : tokens)
      t = static_cast<int32_t>(random_() % static_cast<uint64_t>(engine_.info().n_vocab));
    return tokens;
  }

  static constexpr exec::Wanted kBest = exec::Wanted::kBestTokens;
  Engine& engine_;
  std::mt19937_64 random_{1};
  std::vector<SequenceId> sequences_;
  std::vector<int32_t> prompt_;
  std::vector<int32_t> next_;  // token of each sequence
};

nlohmann::ordered_json ToJson(const Measured& m, const Engine& engine) {
  const engine::EngineOptions& o = engine.options();
  const exec::StepCounters& c = m.last_step;
  return {{"model", engine.info().name},
          {"type", engine.info().main_type},
          {"model_bytes", engine.info().weight_bytes},
          {"device", engine.device_description()},
          {"threads", o.n_threads},
          {"batch", o.max_batch_tokens},
          {"kv_type", std::string(Name(o.kv_type))},
          {"test", m.test.Name()},
          {"kind", m.test.kind == Case::Kind::kPrompt ? "prompt" : "text"},
          {"tokens", m.test.tokens},
          {"sequences", m.test.sequences},
          {"depth", m.test.depth},
          {"tokens_per_second", m.mean()},
          {"tokens_per_second_deviation", m.deviation()},
          {"milliseconds", m.milliseconds()},
          {"seconds", m.seconds},
          {"last_step",
           {{"launches", c.launches},
            {"graph_launches", c.graph_launches},
            {"graph_kernels", c.graph_kernels},
            {"synchronisations", c.synchronisations},
            {"allocations", c.allocations},
            {"bytes_to_device", c.bytes_to_device},
            {"bytes_to_host", c.bytes_to_host}}}};
}

Status Print(const Flags& flags, const std::vector<Measured>& all, const Engine& engine) {
  if (flags.json) {
    nlohmann::ordered_json rows = nlohmann::ordered_json::array();
    for (const Measured& m : all) rows.push_back(ToJson(m, engine));
    return WriteStdout(rows.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) +
                       "\n");
  }
  std::string text = Format("{} on {}\n", DescribeModel(engine.info()),
                            EscapeForTerminal(engine.device_description(), 100));
  Table table({Align::kLeft, Align::kRight, Align::kRight, Align::kRight, Align::kLeft});
  table.AddRow({"test", "tok/s", "+-", "ms", ""});
  for (const Measured& m : all) {
    table.AddRow({m.test.Name(), Format("{:.1f}", m.mean()), Format("{:.1f}", m.deviation()),
                  Format("{:.2f}", m.milliseconds()),
                  m.test.kind == Case::Kind::kPrompt ? "to the first token" : "a step"});
  }
  return WriteStdout(text + table.ToString());
}

Status Inference(const Flags& flags) {
  const std::vector<Case> cases = Cases(flags);
  if (cases.empty()) return InvalidArgument("there is nothing to measure: give --pp or --tg");
  ROCFORGE_ASSIGN_OR_RETURN(engine::EngineOptions options, ToEngineOptions(flags.engine));
  options.max_sequences = 1;
  options.n_ctx = 1;
  for (const Case& test : cases) {
    options.max_sequences = std::max(options.max_sequences, test.sequences);
    options.n_ctx = std::max(options.n_ctx, test.depth + test.tokens);
  }
  options.max_batch_tokens = std::max(options.max_batch_tokens, options.max_sequences);
  options.max_outputs = options.max_sequences;
  std::unique_ptr<Engine> engine;
  {
    ProgressBar bar("loading");
    options.on_load_progress = [&](double fraction) { bar.Update(fraction); };
    ROCFORGE_ASSIGN_OR_RETURN(engine, Engine::Load(options));
  }
  const InterruptScope interrupt;
  ProgressBar bar("measuring");
  Runner runner(*engine);
  std::vector<Measured> all;
  const auto runs = static_cast<double>(cases.size()) * (flags.repetitions + 1);
  double done = 0;
  for (const Case& test : cases) {
    Measured& m = all.emplace_back();
    m.test = test;
    // The first run warms up: caches, clocks, captured graphs.
    for (int32_t i = 0; i <= flags.repetitions; ++i) {
      ROCFORGE_ASSIGN_OR_RETURN(const double seconds, runner.Run(test));
      if (i > 0) m.seconds.push_back(seconds);
      bar.Update(++done / runs, test.Name());
    }
    m.last_step = engine->last_step();
  }
  bar.Finish();
  return Print(flags, all, *engine);
}

void AddCounts(Command command, const char* name, std::vector<int32_t>* values, int64_t least,
               const char* about) {
  command.AddOption(name, *values, about).TypeName("N,...").Delimiter(',').AtLeast(least);
}

}  // namespace

void RegisterBench(Command app, std::function<Status()>* run) {
  Command bench = app.AddSubcommand("bench", "Measure speed: bench inference");
  bench.RequireSubcommand();
  Command command =
      bench.AddSubcommand("inference", "Tokens per second of a model, prompt and text");
  auto flags = std::make_shared<Flags>();
  AddEngineFlags(command, &flags->engine);
  AddCounts(command, "--pp", &flags->prompts, 0, "prompts of so many tokens (0: none)");
  AddCounts(command, "--tg", &flags->texts, 0, "texts of so many tokens (0: none)");
  AddCounts(command, "--sequences", &flags->sequences, 1, "texts written at once");
  AddCounts(command, "--depth", &flags->depths, 0, "tokens in the cache before");
  command.AddOption("-r,--repetitions", flags->repetitions, "runs of each test, after one more")
      .TypeName("N")
      .Range(1, 1000);
  command.AddFlag("--json", flags->json, "print a JSON array with all numbers");
  command.OnParsed([flags, run] { *run = [flags] { return Inference(*flags); }; });
}

}  // namespace rocforge::apps
