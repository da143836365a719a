// rocforge tokenize: what a model's vocabulary makes of a text.
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "apps/command.h"
#include "apps/engine_options.h"
#include "apps/output.h"
#include "apps/pull/model_path.h"
#include "apps/terminal/c_escapes.h"
#include "base/format.h"
#include "gguf/reader.h"
#include "text/tokenizer/tokenizer.h"
#include "text/unicode.h"

namespace rocforge::apps {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kWriteBytes = size_t{1} << 18;

struct TokenizeFlags {
  std::string model;
  std::string text;
  Option text_option;
  std::string file;
  Option file_option;
  bool ids = false;
  bool json = false;
  bool lines = false;
  bool no_special = false;
  bool no_bos = false;
};

// For the line on stderr.
struct Totals {
  size_t texts = 0;
  size_t bytes = 0;
  size_t tokens = 0;
  Clock::duration encoding{};
};

const char* TypeName(text::TokenType type) {
  switch (type) {
    case text::TokenType::kNormal:
      return "normal";
    case text::TokenType::kUnknown:
      return "unknown";
    case text::TokenType::kControl:
      return "control";
    case text::TokenType::kUserDefined:
      return "user_defined";
    case text::TokenType::kUnused:
      return "unused";
    case text::TokenType::kByte:
      return "byte";
  }
  return "unknown";
}

std::string IdList(const std::vector<int32_t>& ids) {
  std::string out = "[";
  for (const int32_t id : ids) {
    if (out.size() > 1) out += ", ";
    out += std::to_string(id);
  }
  return out + "]\n";
}

std::string Table(const text::Tokenizer& tokenizer, const std::vector<int32_t>& ids) {
  std::string out;
  for (const int32_t id : ids) {
    out += Format("{:>6} -> '{}'\n", id, EscapeForTerminal(tokenizer.Piece(id, true)));
  }
  return out;
}

std::string TokensJson(const text::Tokenizer& tokenizer, const std::vector<int32_t>& ids) {
  nlohmann::ordered_json tokens = nlohmann::ordered_json::array();
  for (const int32_t id : ids) {
    const std::string piece(tokenizer.Piece(id, true));
    nlohmann::ordered_json token = {
        {"id", id}, {"piece", piece}, {"type", TypeName(tokenizer.type(id))}};
    if (!text::IsUtf8(piece)) {  // "piece" shows U+FFFD then
      std::string hex;
      for (const char c : piece) hex += Format("{:02x}", static_cast<uint8_t>(c));
      token["bytes"] = hex;
    }
    tokens.push_back(std::move(token));
  }
  const nlohmann::ordered_json all = {{"count", ids.size()}, {"tokens", std::move(tokens)}};
  return all.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

Result<std::string> ReadInput(const TokenizeFlags& flags) {
  if (flags.text_option.Count() > 0) return flags.text;
  if (flags.file_option.Count() == 0 && isatty(STDIN_FILENO) != 0) {
    return InvalidArgument(
        "there is no text: give it behind the options, or --file FILE, or pipe "
        "it in");
  }
  const bool from_stdin = flags.file_option.Count() == 0 || flags.file == "-";
  return ReadTextFile(from_stdin ? "/dev/stdin" : flags.file);
}

Result<std::vector<int32_t>> Encode(const text::Tokenizer& tokenizer, const TokenizeFlags& flags,
                                    std::string_view text, Totals* totals) {
  const auto start = Clock::now();
  ROCFORGE_ASSIGN_OR_RETURN(
      std::vector<int32_t> ids,
      tokenizer.Encode(text, {.add_special = !flags.no_bos, .parse_special = !flags.no_special}));
  totals->encoding += Clock::now() - start;
  totals->texts += 1;
  totals->bytes += text.size();
  totals->tokens += ids.size();
  return ids;
}

Status EncodeLines(const text::Tokenizer& tokenizer, const TokenizeFlags& flags,
                   std::string_view input, Totals* totals) {
  std::string out;
  for (size_t number = 1; !input.empty(); ++number) {
    const size_t end = input.find('\n');
    const Result<std::string> text = ResolveEscapes(input.substr(0, end));
    if (!text.ok()) {
      ROCFORGE_RETURN_IF_ERROR(WriteStdout(out));
      return text.status().WithContext(Format("line {}", number));
    }
    ROCFORGE_ASSIGN_OR_RETURN(const auto ids, Encode(tokenizer, flags, *text, totals));
    out += IdList(ids);
    if (out.size() >= kWriteBytes) {
      ROCFORGE_RETURN_IF_ERROR(WriteStdout(out));
      out.clear();
    }
    input.remove_prefix(end == std::string_view::npos ? input.size() : end + 1);
  }
  return WriteStdout(out);
}

void PrintTotals(const TokenizeFlags& flags, const Totals& totals, double load_seconds) {
  const double seconds = std::chrono::duration<double>(totals.encoding).count();
  std::string line;
  if (flags.lines) line = Format("{} text{}, ", totals.texts, totals.texts == 1 ? "" : "s");
  line += Format("{} token{} from {} byte{} in {}", totals.tokens, totals.tokens == 1 ? "" : "s",
                 totals.bytes, totals.bytes == 1 ? "" : "s", FormatSeconds(seconds));
  // A rate says nothing about a few words.
  if (totals.bytes >= 10'000) {
    line += Format(" ({:.1f} MB/s)", static_cast<double>(totals.bytes) / seconds / 1e6);
  }
  std::fprintf(stderr, "%s; vocabulary loaded in %.0f ms\n", line.c_str(), load_seconds * 1e3);
}

Status RunTokenize(const TokenizeFlags& flags) {
  ROCFORGE_ASSIGN_OR_RETURN(const std::string path, ResolveModel(flags.model));
  const auto start = Clock::now();
  std::unique_ptr<text::Tokenizer> tokenizer;
  {
    ROCFORGE_ASSIGN_OR_RETURN(const gguf::File file, gguf::File::Open(path));
    ROCFORGE_ASSIGN_OR_RETURN(tokenizer, text::Tokenizer::FromGguf(file));
  }
  const double load_seconds = std::chrono::duration<double>(Clock::now() - start).count();
  ROCFORGE_ASSIGN_OR_RETURN(const std::string input, ReadInput(flags));
  Totals totals;
  if (flags.lines) {
    ROCFORGE_RETURN_IF_ERROR(EncodeLines(*tokenizer, flags, input, &totals));
  } else {
    ROCFORGE_ASSIGN_OR_RETURN(const auto ids, Encode(*tokenizer, flags, input, &totals));
    ROCFORGE_RETURN_IF_ERROR(WriteStdout(flags.ids    ? IdList(ids)
                                         : flags.json ? TokensJson(*tokenizer, ids)
                                                      : Table(*tokenizer, ids)));
  }
  PrintTotals(flags, totals, load_seconds);
  return {};
}

}  // namespace

void RegisterTokenize(Command app, std::function<Status()>* run) {
  auto flags = std::make_shared<TokenizeFlags>();
  Command command = app.AddSubcommand("tokenize", "Show the tokens that a text becomes");
  command
      .AddOption("-m,--model,--gguf", flags->model,
                 "GGUF file or name of a pulled model (default: $ROCFORGE_MODEL)")
      .TypeName("MODEL");
  flags->text_option =
      command.AddOption("TEXT,-p,--prompt", flags->text, "The text (default: standard input)");
  flags->file_option =
      command.AddOption("-f,--file", flags->file, "Read the text from FILE, to the last byte")
          .TypeName("FILE")
          .Excludes(flags->text_option);
  Option ids = command.AddFlag("--ids", flags->ids, "Print only the ids, as [1, 2, 3]");
  Option json = command.AddFlag("--json", flags->json, "Print one JSON object");
  Option lines = command.AddFlag(
      "--lines", flags->lines,
      "Each line of the file or of standard input is a text of its own, with C-style escapes (\\n, "
      "\\t, \\\\, \\xHH, ...); print the ids of each as one JSON array a line");
  json.Excludes(ids).Excludes(lines);
  lines.Excludes(flags->text_option);
  command.AddFlag("--no-special", flags->no_special,
                  "Do not recognise control tokens, such as <|im_end|>, in the text");
  command.AddFlag("--no-bos", flags->no_bos,
                  "Do not add the BOS and EOS tokens that the model asks for");
  command.OnParsed([flags, run] { *run = [flags] { return RunTokenize(*flags); }; });
}

}  // namespace rocforge::apps
