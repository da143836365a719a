// `rocforge bench inference`: how fast a model reads prompts and writes text on this machine.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "apps/bench/bench_model.h"
#include "apps/bench/suite.h"
#include "apps/bench/suites.h"
#include "apps/engine_options.h"
#include "apps/plan_cost.h"
#include "apps/table.h"
#include "apps/terminal/interrupt.h"
#include "apps/terminal/progress.h"
#include "base/format.h"
#include "engine/engine.h"
#include "text/tokenizer/tokenizer.h"

namespace rocforge::apps {
namespace {

using Clock = std::chrono::steady_clock;
using engine::Engine;
using engine::LogitsWanted;
using engine::SequenceId;
using engine::StepItem;

struct InferenceFlags {
  EngineFlags engine;
  BenchOptions bench;
  std::string synthetic;
  std::vector<int32_t> prompts;
  std::vector<int32_t> texts;
  std::vector<int32_t> firsts;
  std::vector<int32_t> sequences;
  std::vector<int32_t> depths;
  int32_t repetitions = 5;
};

struct Test {
  enum class Kind { kPrompt, kText, kFirstToken } kind = Kind::kPrompt;
  int32_t tokens = 0;     // of each sequence
  int32_t sequences = 1;  // at once
  int32_t depth = 0;      // tokens in the cache before

  std::string Name() const {
    const char* prefix = kind == Kind::kPrompt ? "pp" : kind == Kind::kText ? "tg" : "ttft";
    std::string name = Format("{}{}", prefix, tokens);
    if (depth > 0) name += Format(" @ {}", depth);
    return sequences > 1 ? name + Format(" x {}", sequences) : name;
  }
};

// Words of every length; where it ends it begins again.
std::string EnglishText(size_t bytes) {
  constexpr std::string_view kText =
      "The harbour was quiet at that hour, and only a few fishermen stood by their boats, talking "
      "about the weather and the price of diesel. Nobody had expected the old ferry to come back; "
      "it had been sold two years before, repainted, and sent to another coast. Yet there it was, "
      "moving slowly between the buoys with its lights on, as if nothing had happened in 1997. ";
  std::string text;
  while (text.size() < bytes) text += kText;
  return text;
}

// What the suite's cases share: loaded once.
struct Loaded {
  std::unique_ptr<Engine> engine;
  std::unique_ptr<text::Tokenizer> tokenizer;  // null where the file has none
};

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Runs one test. Every step also chooses the best token, as a greedy text needs it.
class Runner final : public bench::PreparedOp, public Detailed {
 public:
  Runner(Loaded& loaded, const Test& test) : loaded_(loaded), test_(test) {}

  Result<double> Sample() override {
    Result<double> seconds = Run();
    for (const SequenceId s : sequences_) engine().FreeSequence(s);
    sequences_.clear();
    return seconds;
  }

  nlohmann::ordered_json Details() const override {
    const exec::StepCounters c = loaded_.engine->last_step();
    nlohmann::ordered_json json = {{"last_step",
                                    {{"launches", c.launches},
                                     {"graph_launches", c.graph_launches},
                                     {"graph_kernels", c.graph_kernels},
                                     {"synchronisations", c.synchronisations},
                                     {"allocations", c.allocations},
                                     {"bytes_to_device", c.bytes_to_device},
                                     {"bytes_to_host", c.bytes_to_host}}}};
    if (!tokenise_.empty()) {
      json["tokenise_seconds"] = prof::Summarise(tokenise_).p50;
      json["prefill_seconds"] = prof::Summarise(prefill_).p50;
      json["choose_seconds"] = prof::Summarise(choose_).p50;
    }
    return json;
  }

 private:
  static constexpr exec::Wanted kBest = exec::Wanted::kBestTokens;
  Engine& engine() { return *loaded_.engine; }

  Result<double> Run() {
    ROCFORGE_RETURN_IF_ERROR(Prepare());
    if (test_.kind == Test::Kind::kFirstToken) return FirstToken();
    const Clock::time_point start = Clock::now();
    ROCFORGE_RETURN_IF_ERROR(test_.kind == Test::Kind::kPrompt ? Read() : Write());
    return SecondsSince(start);
  }

  // Sequences with `depth` tokens each, and what to feed next.
  Status Prepare() {
    next_.clear();
    for (int32_t i = 0; i < test_.sequences; ++i) {
      ROCFORGE_ASSIGN_OR_RETURN(const SequenceId s, engine().NewSequence());
      sequences_.push_back(s);
      if (test_.depth > 0) {
        const std::vector<int32_t> before = RandomTokens(test_.depth);
        ROCFORGE_RETURN_IF_ERROR(engine().Prefill(s, before, Interrupted, kBest));
      }
      next_.push_back(RandomTokens(1)[0]);
    }
    if (test_.kind == Test::Kind::kPrompt) prompt_ = RandomTokens(test_.tokens);
    if (test_.kind == Test::Kind::kFirstToken && text_.empty()) return MakeText();
    return {};
  }

  // A text of just so many tokens.
  Status MakeText() {
    const text::Tokenizer& tokenizer = *loaded_.tokenizer;
    const std::string much = EnglishText(static_cast<size_t>(test_.tokens) * 16);
    ROCFORGE_ASSIGN_OR_RETURN(std::vector<int32_t> ids,
                              tokenizer.Encode(much, {.add_special = false}));
    ids.resize(std::min(ids.size(), static_cast<size_t>(test_.tokens)));
    text_ = tokenizer.Decode(ids);
    return {};
  }

  // From text to the first token of the answer.
  Result<double> FirstToken() {
    const Clock::time_point start = Clock::now();
    ROCFORGE_ASSIGN_OR_RETURN(std::vector<int32_t> ids,
                              loaded_.tokenizer->Encode(text_, {.add_special = false}));
    ids.resize(std::min(ids.size(), static_cast<size_t>(test_.tokens)));
    const double tokenised = SecondsSince(start);
    ROCFORGE_RETURN_IF_ERROR(engine().Prefill(sequences_[0], ids, Interrupted, kBest));
    const double read = SecondsSince(start);
    ROCFORGE_RETURN_IF_ERROR(engine().best_token(0).status());
    const double all = SecondsSince(start);
    tokenise_.push_back(tokenised);
    prefill_.push_back(read - tokenised);
    choose_.push_back(all - read);
    return all;
  }

  Status Read() {
    ROCFORGE_RETURN_IF_ERROR(engine().Prefill(sequences_[0], prompt_, Interrupted, kBest));
    return engine().best_token(0).status();
  }

  Status Write() {
    std::vector<StepItem> items(sequences_.size());
    for (int32_t i = 0; i < test_.tokens; ++i) {
      if (Interrupted()) return Cancelled("");
      for (size_t s = 0; s < items.size(); ++s)
        items[s] = {sequences_[s], {&next_[s], 1}, LogitsWanted::kLast};
      ROCFORGE_RETURN_IF_ERROR(engine().Step(items, kBest));
      for (size_t s = 0; s < items.size(); ++s) {
        ROCFORGE_ASSIGN_OR_RETURN(next_[s], engine().best_token(static_cast<int32_t>(s)));
      }
    }
    return {};
  }

  std::vector<int32_t> RandomTokens(int32_t n) {
    std::vector<int32_t> tokens(static_cast<size_t>(n));
    for (int32_t& t : tokens)
      t = static_cast<int32_t>(random_() % static_cast<uint64_t>(engine().info().n_vocab));
    return tokens;
  }

  Loaded& loaded_;
  Test test_;
  std::mt19937_64 random_{1};
  std::vector<SequenceId> sequences_;
  std::vector<int32_t> prompt_;
  std::vector<int32_t> next_;  // token of each sequence
  std::string text_;
  std::vector<double> tokenise_, prefill_, choose_;
};

std::vector<Test> Tests(const InferenceFlags& flags) {
  const bool full = flags.bench.full;
  const auto or_default = [](const std::vector<int32_t>& given, const std::vector<int32_t>& usual) {
    return given.empty() ? usual : given;
  };
  using Counts = std::vector<int32_t>;
  const Counts depths = or_default(flags.depths, full ? Counts{0, 1024, 3840} : Counts{0});
  const Counts prompts = or_default(flags.prompts, full ? Counts{32, 256, 512, 2048} : Counts{512});
  const Counts texts = or_default(flags.texts, {128});
  const Counts sequences = or_default(flags.sequences, full ? Counts{1, 4, 16, 64} : Counts{1});
  const bool only_named = !flags.prompts.empty() || !flags.texts.empty();
  const Counts firsts = or_default(flags.firsts, full         ? Counts{32, 256, 512, 2048}
                                                 : only_named ? Counts{}
                                                              : Counts{32, 512});
  std::vector<Test> tests;
  const auto add = [&](Test test) {
    if (test.tokens > 0) tests.push_back(test);
  };
  for (const int32_t n : firsts) add({Test::Kind::kFirstToken, n, 1, 0});
  for (const int32_t depth : depths) {
    for (const int32_t n : prompts) {
      if (depth == 0 || !full) add({Test::Kind::kPrompt, n, 1, depth});
    }
    for (const int32_t s : sequences) {
      for (const int32_t n : texts) {
        // Many sequences and much before them at once: only where asked for.
        if (s == 1 || depth == 0 || !full) add({Test::Kind::kText, n, s, depth});
      }
    }
  }
  return tests;
}

double PeakResidentBytes() {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("VmHWM:")) return 1024 * std::atof(line.c_str() + 6);
  }
  return 0;
}

void AddMemoryCases(Loaded& loaded, DType kv_type, Suite* suite) {
  const auto add = [&](const char* name, std::function<double()> value) {
    BenchCase c = ExactCase(name, 0, "bytes", {{"kind", "memory"}});
    c.prepare = [value = std::move(value)] { return ExactCase("", value(), "", {}).prepare(); };
    suite->cases.push_back(std::move(c));
  };
  add("memory weights",
      [&loaded] { return static_cast<double>(loaded.engine->info().weight_bytes); });
  add("memory kv reserved", [&loaded] { return static_cast<double>(loaded.engine->kv_bytes()); });
  add("memory kv a token", [&loaded, kv_type] {
    return static_cast<double>(KvBytesPerToken(loaded.engine->plan().graph, kv_type));
  });
  add("memory scratch", [&loaded] { return static_cast<double>(loaded.engine->scratch_bytes()); });
  add("memory peak resident", [] { return PeakResidentBytes(); });
  suite->cases.back().exact = false;  // it is measured
}

void AddTests(const std::vector<Test>& tests, Loaded& loaded, Suite* suite) {
  for (const Test& test : tests) {
    BenchCase c;
    c.name = test.Name();
    const char* kind = test.kind == Test::Kind::kPrompt ? "prompt"
                       : test.kind == Test::Kind::kText ? "text"
                                                        : "first token";
    c.about = {{"test", test.Name()},
               {"kind", kind},
               {"tokens", test.tokens},
               {"sequences", test.sequences},
               {"depth", test.depth}};
    c.items = static_cast<double>(test.tokens) * test.sequences;
    c.prepare = [&loaded, test]() -> bench::Prepared {
      if (test.kind == Test::Kind::kFirstToken && loaded.tokenizer == nullptr)
        return Unsupported("the model has no tokenizer that this build knows");
      return std::unique_ptr<bench::PreparedOp>(std::make_unique<Runner>(loaded, test));
    };
    suite->cases.push_back(std::move(c));
  }
}

// The rows that llama-bench prints, and where the first token's time went.
std::string InferenceRemarks(const Engine& engine, const std::vector<BenchResult>& results) {
  std::string text;
  for (const BenchResult& r : results) {
    if (!r.ok() || !r.details.contains("tokenise_seconds")) continue;
    const auto part = [&](const char* name) { return TimeText(r.details[name].get<double>()); };
    text += Format("{}: tokenise {}, prefill {}, choose {}\n", r.test->name,
                   part("tokenise_seconds"), part("prefill_seconds"), part("choose_seconds"));
  }
  Table table(
      {Align::kLeft, Align::kRight, Align::kLeft, Align::kRight, Align::kLeft, Align::kRight});
  table.AddRow({"model", "size", "device", "threads", "test", "t/s"});
  const model::ModelInfo& info = engine.info();
  bool any = false;
  for (const BenchResult& r : results) {
    if (!r.ok() || !(r.test->items > 0) || r.test->about["kind"] == "first token") continue;
    std::vector<double> speeds;
    for (const double s : r.samples) speeds.push_back(r.test->items / s);
    const double mean = prof::Summarise(speeds).avg;
    double squares = 0;
    for (const double s : speeds) squares += (s - mean) * (s - mean);
    const double deviation =
        speeds.size() > 1 ? std::sqrt(squares / static_cast<double>(speeds.size() - 1)) : 0;
    table.AddRow({Format("{} {}", EscapeForTerminal(info.name, 40), info.main_type),
                  FormatBytes(static_cast<uint64_t>(info.weight_bytes)),
                  engine.on_gpu() ? "gpu" : "cpu", Format("{}", engine.options().n_threads),
                  r.test->name, Format("{:.2f} +- {:.2f}", mean, deviation)});
    any = true;
  }
  return any ? text + "\n" + table.ToString() : text;
}

Status Load(const InferenceFlags& flags, const std::string& path, const std::vector<Test>& tests,
            Loaded* loaded) {
  EngineFlags named = flags.engine;
  named.model = path;
  ROCFORGE_ASSIGN_OR_RETURN(engine::EngineOptions options, ToEngineOptions(named));
  options.max_sequences = 1;
  options.n_ctx = 1;
  for (const Test& test : tests) {
    if (!Selected(flags.bench, test.Name())) continue;
    options.max_sequences = std::max(options.max_sequences, test.sequences);
    options.n_ctx = std::max(options.n_ctx, test.depth + test.tokens);
  }
  options.max_batch_tokens = std::max(options.max_batch_tokens, options.max_sequences);
  options.max_outputs = options.max_sequences;
  ProgressBar bar("loading");
  options.on_load_progress = [&](double fraction) { bar.Update(fraction); };
  ROCFORGE_ASSIGN_OR_RETURN(loaded->engine, Engine::Load(options));
  Result<std::unique_ptr<text::Tokenizer>> tokenizer =
      text::Tokenizer::FromGguf(loaded->engine->file());
  if (tokenizer.ok()) loaded->tokenizer = std::move(*tokenizer);
  return {};
}

void FillMachine(const Engine& engine, Suite* suite) {
  const engine::EngineOptions& o = engine.options();
  suite->machine = DescribeMachine(o.n_threads, o.isa, nullptr);
  if (engine.on_gpu()) suite->machine.hardware.emplace_back("gpu", engine.device_description());
  suite->machine.hardware.emplace_back("kv type", Name(o.kv_type));
  suite->machine.hardware.emplace_back("batch", Format("{}", o.max_batch_tokens));
  AddTuning(o.tuning_path, &suite->machine);
  suite->preface = Format("{} on {}", DescribeModel(engine.info()),
                          EscapeForTerminal(engine.device_description(), 100));
}

Status Inference(const InferenceFlags& flags) {
  const std::vector<Test> tests = Tests(flags);
  if (tests.empty())
    return InvalidArgument("there is nothing to measure: give --pp, --tg or --ttft");
  const bool run = !flags.bench.list && flags.bench.against.empty();
  ROCFORGE_ASSIGN_OR_RETURN(const BenchModel model,
                            FindBenchModel(flags.engine.model, flags.synthetic, run));
  if (model.path.empty() && model.synthetic.empty()) {
    SaySkipped("inference");
    return {};
  }
  ROCFORGE_ASSIGN_OR_RETURN(const DType kv_type, ParseDType(flags.engine.kv_type));
  Loaded loaded;
  Suite suite;
  suite.name = "inference";
  suite.item = "tok/s";
  suite.least_samples = flags.repetitions;
  suite.patient = true;
  AddTests(tests, loaded, &suite);
  AddMemoryCases(loaded, kv_type, &suite);
  if (!run) return RunSuite(std::move(suite), flags.bench);
  ROCFORGE_RETURN_IF_ERROR(Load(flags, model.path, tests, &loaded));
  FillMachine(*loaded.engine, &suite);
  if (model.synthetic.empty()) {
    ROCFORGE_RETURN_IF_ERROR(AddModel(model.path, &suite.machine));
  } else {
    suite.machine.hardware.emplace_back("model", "random weights, " + model.synthetic);
  }
  suite.remarks = [&loaded](const std::vector<BenchResult>& results) {
    return InferenceRemarks(*loaded.engine, results);
  };
  return RunSuite(std::move(suite), flags.bench);
}

void AddCounts(Command command, const char* name, std::vector<int32_t>* values, int64_t least,
               const char* about) {
  command.AddOption(name, *values, about).TypeName("N,...").Delimiter(',').AtLeast(least);
}

}  // namespace

void RegisterBenchInference(Command bench, std::function<Status()>* run) {
  Command command =
      bench.AddSubcommand("inference", "Tokens per second of a model, prompt and text");
  auto flags = std::make_shared<InferenceFlags>();
  flags->bench.min_time_s = 0;
  flags->bench.warmup = 1;
  AddEngineFlags(command, &flags->engine);
  AddSyntheticFlag(command, &flags->synthetic);
  AddCounts(command, "--pp", &flags->prompts, 0, "prompts of so many tokens (0: none)");
  AddCounts(command, "--tg", &flags->texts, 0, "texts of so many tokens (0: none)");
  AddCounts(command, "--ttft", &flags->firsts, 0,
            "time to the first token of texts of so many tokens, from the text on (0: none)");
  AddCounts(command, "--sequences", &flags->sequences, 1, "texts written at once");
  AddCounts(command, "--depth", &flags->depths, 0, "tokens in the cache before");
  command.AddOption("-r,--repetitions", flags->repetitions, "runs of each test, after one more")
      .TypeName("N")
      .Range(1, 1000);
  AddBenchFlags(command, &flags->bench, nullptr);
  command.OnParsed([flags, run] { *run = [flags] { return Inference(*flags); }; });
}

}  // namespace rocforge::apps
