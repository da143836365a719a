// `rocforge bench tokenizer`: megabytes of text a second, to tokens and back, for the vocabularies
// of the models at hand.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "apps/bench/bench_model.h"
#include "apps/bench/suite.h"
#include "apps/bench/suites.h"
#include "apps/engine_options.h"
#include "apps/pull/cache.h"
#include "apps/pull/model_path.h"
#include "base/format.h"
#include "gguf/reader.h"
#include "text/tokenizer/tokenizer.h"

namespace rocforge::apps {
namespace {

using Clock = std::chrono::steady_clock;

struct TokenizerFlags {
  BenchOptions bench;
  std::vector<std::string> models;
  std::string file;
};

struct Sample {
  const char* name;
  std::string_view text;  // repeated until there is enough
};

constexpr size_t kTextBytes = 64 << 10;

constexpr Sample kSamples[] = {
    {"english",
     "The harbour was quiet at that hour, and only a few fishermen stood by their boats, talking "
     "about the weather and the price of diesel. \"It's been sold,\" one of them said; they'd all "
     "seen it leave in 1997, repainted & renamed. Yet there it was - its lights on, 300 m "
     "away.\n\n"},
    {"code",
     "static int find(const char *s, int c)\n{\n\tfor (int i = 0; s[i] != '\\0'; ++i) {\n"
     "\t\tif (s[i] == c)\n\t\t\treturn i;  // first match\n\t}\n\treturn -1;\n}\n\n"
     "def mean(xs: list[float]) -> float:\n    return sum(xs) / max(len(xs), 1)\n\n"},
    {"languages",
     "Der Hafen war um diese Stunde ruhig. \xD0\x93\xD0\xB0\xD0\xB2\xD0\xB0\xD0\xBD\xD1\x8C "
     "\xD0\xB1\xD1\x8B\xD0\xBB\xD0\xB0 \xD1\x82\xD0\xB8\xD1\x85\xD0\xBE\xD0\xB9. "
     "\xE6\xB8\xAF\xE5\x8F\xA3\xE5\xBE\x88\xE5\xAE\x89\xE9\x9D\x99\xE3\x80\x82"
     "\xE6\xB8\xAF\xE3\x81\xAF\xE9\x9D\x99\xE3\x81\x8B\xE3\x81\xA0\xE3\x81\xA3\xE3\x81\x9F\xE3\x80"
     "\x82 \xD9\x83\xD8\xA7\xD9\x86 \xD8\xA7\xD9\x84\xD9\x85\xD9\x8A\xD9\x86\xD8\xA7\xD8\xA1 "
     "\xD9\x87\xD8\xA7\xD8\xAF\xD8\xA6\xD8\xA7. \xF0\x9F\x9A\xA2\xF0\x9F\x8C\x8A\n"},
};

std::string Repeated(std::string_view text) {
  std::string all;
  while (all.size() < kTextBytes) all += text;
  return all;
}

using SharedTokenizer = std::shared_ptr<const text::Tokenizer>;
using SharedText = std::shared_ptr<const std::string>;

class Encode final : public bench::PreparedOp, public Detailed {
 public:
  Encode(SharedTokenizer tokenizer, SharedText text)
      : tokenizer_(std::move(tokenizer)), text_(std::move(text)) {}
  Result<double> Sample() override {
    const Clock::time_point start = Clock::now();
    ROCFORGE_ASSIGN_OR_RETURN(const std::vector<int32_t> ids,
                              tokenizer_->Encode(*text_, {.add_special = false}));
    n_tokens_ = ids.size();
    return std::chrono::duration<double>(Clock::now() - start).count();
  }
  nlohmann::ordered_json Details() const override {
    return {{"tokens", n_tokens_},
            {"bytes_per_token", static_cast<double>(text_->size()) /
                                    static_cast<double>(std::max<size_t>(n_tokens_, 1))}};
  }

 private:
  SharedTokenizer tokenizer_;
  SharedText text_;
  size_t n_tokens_ = 0;
};

class Decode final : public bench::PreparedOp {
 public:
  Decode(SharedTokenizer tokenizer, std::vector<int32_t> ids)
      : tokenizer_(std::move(tokenizer)), ids_(std::move(ids)) {}
  Result<double> Sample() override {
    const Clock::time_point start = Clock::now();
    const std::string text = tokenizer_->Decode(ids_);
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    if (text.empty()) return Internal("the tokens decode to nothing");
    return seconds;
  }

 private:
  SharedTokenizer tokenizer_;
  std::vector<int32_t> ids_;
};

void AddCases(const std::string& model, const SharedTokenizer& tokenizer, const char* text_name,
              const SharedText& text, Suite* suite) {
  const auto add = [&](const char* direction, const auto& prepare) {
    BenchCase c;
    c.name = Format("{} {} {}", model, direction, text_name);
    c.about = {{"model", model},
               {"vocabulary", tokenizer->model()},
               {"pre_tokenizer", tokenizer->pre()},
               {"n_vocab", tokenizer->size()},
               {"direction", direction},
               {"text", text_name}};
    c.items = static_cast<double>(text->size()) / 1e6;
    c.prepare = prepare;
    suite->cases.push_back(std::move(c));
  };
  add("encode", [tokenizer, text]() -> bench::Prepared {
    return std::unique_ptr<bench::PreparedOp>(std::make_unique<Encode>(tokenizer, text));
  });
  add("decode", [tokenizer, text]() -> bench::Prepared {
    ROCFORGE_ASSIGN_OR_RETURN(std::vector<int32_t> ids,
                              tokenizer->Encode(*text, {.add_special = false}));
    return std::unique_ptr<bench::PreparedOp>(std::make_unique<Decode>(tokenizer, std::move(ids)));
  });
}

// Those that were named, else that of the environment, else all in the cache.
Result<std::vector<std::string>> Paths(const TokenizerFlags& flags) {
  std::vector<std::string> paths;
  for (const std::string& name : flags.models) {
    ROCFORGE_ASSIGN_OR_RETURN(std::string path, ResolveModel(name));
    paths.push_back(std::move(path));
  }
  if (!paths.empty()) return paths;
  ROCFORGE_ASSIGN_OR_RETURN(const BenchModel model, FindBenchModel("", "", false));
  if (!model.path.empty()) return std::vector<std::string>{model.path};
  ROCFORGE_ASSIGN_OR_RETURN(const std::vector<CachedModel> cached, ListCachedModels());
  for (const CachedModel& m : cached) paths.push_back(m.paths.front());
  return paths;
}

Status Tokenizer(const TokenizerFlags& flags) {
  ROCFORGE_ASSIGN_OR_RETURN(const std::vector<std::string> paths, Paths(flags));
  if (paths.empty()) {
    SaySkipped("tokenizer");
    return {};
  }
  std::vector<std::pair<const char*, SharedText>> texts;
  if (flags.file.empty()) {
    for (const Sample& s : kSamples)
      texts.emplace_back(s.name, std::make_shared<const std::string>(Repeated(s.text)));
  } else {
    ROCFORGE_ASSIGN_OR_RETURN(std::string text, ReadTextFile(flags.file));
    if (text.empty()) return InvalidArgument(Format("{} is empty", EscapeForTerminal(flags.file)));
    texts.emplace_back("file", std::make_shared<const std::string>(std::move(text)));
  }
  Suite suite;
  suite.name = "tokenizer";
  suite.item = "MB/s";
  suite.machine = DescribeMachine(1, "", nullptr);
  for (const std::string& path : paths) {
    ROCFORGE_ASSIGN_OR_RETURN(const gguf::File file, gguf::File::Open(path));
    Result<std::unique_ptr<text::Tokenizer>> tokenizer = text::Tokenizer::FromGguf(file);
    if (!tokenizer.ok()) return tokenizer.status().WithContext(EscapeForTerminal(path));
    const SharedTokenizer shared = std::move(*tokenizer);
    const std::string name = std::filesystem::path(path).stem().string();
    for (const auto& [text_name, text] : texts)
      AddCases(EscapeForTerminal(name, 60), shared, text_name, text, &suite);
  }
  return RunSuite(std::move(suite), flags.bench);
}

}  // namespace

void RegisterBenchTokenizer(Command bench, std::function<Status()>* run) {
  auto flags = std::make_shared<TokenizerFlags>();
  Command command =
      bench.AddSubcommand("tokenizer", "Text to tokens and back, by vocabulary and kind of text");
  AddBenchFlags(command, &flags->bench, nullptr);
  command
      .AddOption("-m,--model,--gguf", flags->models,
                 "models whose vocabularies are measured (default: $ROCFORGE_TEST_MODEL, "
                 "$ROCFORGE_MODEL, else all pulled ones)")
      .TypeName("MODEL,...")
      .Delimiter(',');
  command.AddOption("-f,--file", flags->file, "this text instead of the built-in ones")
      .TypeName("FILE");
  command.OnParsed([flags, run] { *run = [flags] { return Tokenizer(*flags); }; });
}

}  // namespace rocforge::apps
