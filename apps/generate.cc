// `rocforge generate`: one prompt, one answer.
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "apps/command.h"
#include "apps/engine_options.h"
#include "apps/long_context.h"
#include "apps/output.h"
#include "apps/run_stats.h"
#include "apps/sampling_options.h"
#include "apps/terminal/interrupt.h"
#include "apps/terminal/progress.h"
#include "apps/terminal/terminal.h"
#include "base/format.h"
#include "base/log.h"
#include "session/session.h"

namespace rocforge::apps {
namespace {

using session::GenerateCallbacks;
using session::GenerateOutcome;
using session::GenerateRequest;
using session::TextModel;

// Rows of logits of one step when every position is reported: enough for the matrix kernels,
// without a gigabyte of logits for large vocabularies.
constexpr int32_t kLogProbRows = 64;

constexpr const char* kChatTemplate = "chat template";

struct GenerateFlags {
  EngineFlags engine;
  SamplingFlags sampling;
  std::string prompt;
  std::string file;
  std::string prompt_ids;
  std::string force_ids;
  std::string system;
  std::string chat_template;
  bool raw = false;
  int64_t max_tokens = session::kNoTokenLimit;
  std::vector<std::string> stop;
  bool ignore_eos = false;
  bool special = false;
  bool context_shift = false;
  int32_t keep = 0;
  int64_t logprobs = 0;
  bool json = false;
  bool stream = false;  // the default; the flag is there to be spelt out
  bool no_stream = false;
  bool no_stats = false;
  // Which of them the user gave.
  Option prompt_option;
  Option file_option;
  Option prompt_ids_option;
  Option force_ids_option;
  Option max_tokens_option;
};

// What to continue, before tokens: text, or ids.
struct Prompt {
  std::string text;
  std::vector<int32_t> ids;
  bool is_ids = false;
};

Result<std::vector<int32_t>> ParseIds(const char* flag, std::string_view text) {
  std::vector<int32_t> ids;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (true) {
    while (at != end && *at == ' ') ++at;
    int32_t id = 0;
    const auto [next, error] = std::from_chars(at, end, id);
    at = next;
    while (error == std::errc() && at != end && *at == ' ') ++at;
    if (error != std::errc() || (at != end && *at != ',')) {
      return InvalidArgument(
          Format("{} '{}': expected token ids separated by commas, such as 1,2,3", flag,
                 EscapeForTerminal(text, 40)));
    }
    ids.push_back(id);
    if (at == end) return ids;
    ++at;
  }
}

Result<Prompt> ReadPrompt(const GenerateFlags& flags) {
  Prompt prompt;
  if (flags.prompt_ids_option.Count() > 0) {
    prompt.is_ids = true;
    ROCFORGE_ASSIGN_OR_RETURN(prompt.ids, ParseIds("--prompt-ids", flags.prompt_ids));
    return prompt;
  }
  if (flags.prompt_option.Count() > 0) {
    prompt.text = flags.prompt;
  } else {
    if (flags.file_option.Count() == 0 && isatty(STDIN_FILENO) != 0) {
      return InvalidArgument("there is no prompt: give -p TEXT or -f FILE, or pipe text in");
    }
    const bool from_stdin = flags.file_option.Count() == 0 || flags.file == "-";
    ROCFORGE_ASSIGN_OR_RETURN(prompt.text, ReadTextFile(from_stdin ? "/dev/stdin" : flags.file));
    // The newline that editors and echo put at the end is not part of the question.
    if (prompt.text.ends_with('\n')) prompt.text.pop_back();
  }
  if (prompt.text.empty()) {
    return InvalidArgument("the prompt is empty: give -p TEXT or -f FILE, or pipe text in");
  }
  return prompt;
}

Status CheckFlags(const GenerateFlags& flags) {
  if (flags.logprobs > 0 && !flags.json) return InvalidArgument("--logprobs needs --json");
  if (flags.logprobs > 0 && flags.context_shift) {
    return InvalidArgument("--logprobs and --context-shift exclude each other");
  }
  const bool no_template = flags.raw || flags.prompt_ids_option.Count() > 0;
  if (no_template && !flags.system.empty()) {
    return InvalidArgument("--system needs the chat template: leave out --raw and --prompt-ids");
  }
  return {};
}

// Tokens of the prompt; *kind says how they came about.
Result<std::vector<int32_t>> EncodePrompt(const GenerateFlags& flags, const Prompt& prompt,
                                          const TextModel& model, std::string* kind) {
  *kind = prompt.is_ids ? "token ids" : "raw prompt";
  if (prompt.is_ids) return prompt.ids;
  if (flags.raw) return model.EncodeRaw(prompt.text);
  const Status chat = model.chat_status();
  if (chat.code() == StatusCode::kNotFound) {
    if (!flags.system.empty()) {
      return FailedPrecondition(
          "the model has no chat template, which --system needs (--chat-template gives one)");
    }
    *kind = "raw prompt (the model has no chat template)";
    return model.EncodeRaw(prompt.text);
  }
  if (!chat.ok()) return Status(chat.code(), chat.message() + " (--raw goes without it)");
  *kind = kChatTemplate;
  text::chat::ChatTemplateInput input;
  if (!flags.system.empty()) {
    input.messages.push_back({{"role", "system"}, {"content", flags.system}});
  }
  input.messages.push_back({{"role", "user"}, {"content", prompt.text}});
  return model.EncodeChat(std::move(input));
}

Result<GenerateRequest> MakeRequest(const GenerateFlags& flags) {
  GenerateRequest request;
  ROCFORGE_ASSIGN_OR_RETURN(request.sampling, ToSamplerParams(flags.sampling));
  request.max_tokens = flags.max_tokens;
  request.stop = flags.stop;
  request.ignore_eos = flags.ignore_eos;
  request.show_special = flags.special;
  request.logprobs = flags.logprobs;
  request.context_shift = flags.context_shift;
  request.n_keep = flags.keep;
  if (flags.force_ids_option.Count() > 0) {
    ROCFORGE_ASSIGN_OR_RETURN(request.forced, ParseIds("--force-ids", flags.force_ids));
    if (flags.max_tokens_option.Count() == 0) {
      request.max_tokens = static_cast<int64_t>(request.forced.size());
    }
  }
  return request;
}

// What one run produced, for --json.
struct Collected {
  std::vector<int32_t> ids;
  std::string text;
  struct Position {
    int64_t position;
    size_t count;
  };
  std::vector<Position> positions;
  std::vector<sample::TokenLogProb> entries;  // of all positions, in order
  bool line_open = false;                     // what was printed ends without a newline
};

// One object on one line. Written by hand: a log-probability for every token of a vocabulary at
// every position is too much for a tree of JSON values.
Status PrintJson(const RunReport& report, const std::vector<int32_t>& prompt, const Collected& c,
                 const TextModel& model) {
  using Json = nlohmann::ordered_json;
  const auto quote = [](const std::string& text) {
    return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
  };
  std::string out = Format("{{\"prompt_ids\":{},\"ids\":{},\"text\":{},\"finish_reason\":\"{}\"",
                           Json(prompt).dump(), Json(c.ids).dump(), quote(c.text),
                           session::FinishReasonName(report.outcome.reason));
  out += ",\"logprobs\":[";
  const sample::TokenLogProb* entry = c.entries.data();
  for (size_t i = 0; i < c.positions.size(); ++i) {
    out += Format("{}{{\"pos\":{},\"top\":[", i == 0 ? "" : ",", c.positions[i].position);
    for (size_t j = 0; j < c.positions[i].count; ++j, ++entry) {
      // JSON has no -infinity.
      out += std::isfinite(entry->logprob)
                 ? Format("{}[{},{}]", j == 0 ? "" : ",", entry->id, entry->logprob)
                 : Format("{}[{},null]", j == 0 ? "" : ",", entry->id);
    }
    out += "]}";
    ROCFORGE_RETURN_IF_ERROR(WriteStdout(out));
    out.clear();
  }
  out += "],\"stats\":" +
         StatsJson(report, model).dump(-1, ' ', false, Json::error_handler_t::replace) + "}\n";
  return WriteStdout(out);
}

// Runs the request; text goes to stdout as it comes, unless it is collected.
Result<GenerateOutcome> RunRequest(const GenerateFlags& flags, const GenerateRequest& request,
                                   TextModel& model, Collected* collected) {
  ROCFORGE_ASSIGN_OR_RETURN(std::unique_ptr<session::Session> session,
                            session::Session::Create(&model));
  const bool stream = !flags.no_stream && !flags.json;
  TextOutput output;
  GenerateCallbacks callbacks;
  callbacks.cancelled = [&] { return Interrupted() || !output.status().ok(); };
  ProgressBar bar("reading the prompt");
  callbacks.on_prompt = [&](int64_t done, int64_t total) {
    bar.Update(static_cast<double>(done) / static_cast<double>(total),
               Format("{} of {} tokens", done, total));
  };
  callbacks.on_token = [&](int32_t id) {
    bar.Finish();
    collected->ids.push_back(id);
  };
  callbacks.on_text = [&](std::string_view text) {
    if (stream) {
      output.Write(text);
    } else {
      collected->text += text;
    }
  };
  if (flags.logprobs > 0) {
    callbacks.on_logprobs = [&](int64_t position, std::span<const sample::TokenLogProb> top) {
      collected->positions.push_back({position, top.size()});
      collected->entries.insert(collected->entries.end(), top.begin(), top.end());
    };
  }
  Result<GenerateOutcome> outcome = session->Generate(request, callbacks);
  bar.Finish();
  if (!flags.json && !stream) output.Write(collected->text);
  // What was shown stays readable, whatever comes next.
  output.EndLine();
  collected->line_open = output.line_open();
  ROCFORGE_RETURN_IF_ERROR(output.status());
  return outcome;
}

Status Generate(const GenerateFlags& flags) {
  ROCFORGE_RETURN_IF_ERROR(CheckFlags(flags));
  ROCFORGE_ASSIGN_OR_RETURN(const Prompt prompt, ReadPrompt(flags));
  ROCFORGE_ASSIGN_OR_RETURN(GenerateRequest request, MakeRequest(flags));
  ROCFORGE_ASSIGN_OR_RETURN(engine::EngineOptions options, ToEngineOptions(flags.engine));
  options.max_outputs = flags.logprobs > 0 ? std::min(kLogProbRows, options.max_batch_tokens) : 1;
  ROCFORGE_ASSIGN_OR_RETURN(const std::unique_ptr<TextModel> model,
                            LoadTextModel(options, flags.chat_template));
  Log(LogLevel::kInfo, "{} on {}, context {}", DescribeModel(model->engine().info()),
      model->engine().device_description(), model->engine().options().n_ctx);
  WarnOfLongContext(*model);
  RunReport report;
  ROCFORGE_ASSIGN_OR_RETURN(request.prompt,
                            EncodePrompt(flags, prompt, *model, &report.prompt_kind));
  request.own_text = report.prompt_kind == kChatTemplate;
  Collected collected;
  const InterruptScope interrupt;
  ROCFORGE_ASSIGN_OR_RETURN(report.outcome, RunRequest(flags, request, *model, &collected));
  report.load_seconds = model->load_seconds();
  report.bandwidth = MeasureBandwidthUse(*model, report.outcome.stats);
  const bool drawn =
      request.sampling.temperature > 0 && collected.ids.size() > request.forced.size();
  if (drawn) report.seed = request.sampling.seed;
  if (flags.json) ROCFORGE_RETURN_IF_ERROR(PrintJson(report, request.prompt, collected, *model));
  if (!flags.no_stats) PrintStats(report, collected.line_open);
  if (report.outcome.reason == session::FinishReason::kCancelled) return Cancelled("");
  return {};
}

void AddPromptFlags(Command command, GenerateFlags* f) {
  const std::string group = "Prompt";
  f->prompt_option = command.AddOption("-p,--prompt", f->prompt, "what to answer or to continue")
                         .TypeName("TEXT")
                         .Group(group);
  f->file_option = command.AddOption("-f,--file", f->file, "read it from a file ('-': stdin)")
                       .TypeName("FILE")
                       .Group(group);
  f->prompt_ids_option =
      command.AddOption("--prompt-ids", f->prompt_ids, "give it as token ids, fed exactly so")
          .TypeName("1,2,3")
          .Group(group);
  f->file_option.Excludes(f->prompt_option);
  f->prompt_ids_option.Excludes(f->prompt_option).Excludes(f->file_option);
  command.AddFlag("--raw", f->raw, "continue the text as it is, without the chat template")
      .Group(group);
  command.AddOption("--system", f->system, "system message of the chat template")
      .TypeName("TEXT")
      .Group(group);
  command.AddOption("--chat-template", f->chat_template, "Jinja file to use instead of the model's")
      .TypeName("FILE")
      .Group(group);
}

void AddLengthFlags(Command command, GenerateFlags* f) {
  const std::string group = "Where the text ends";
  f->max_tokens_option =
      command
          .AddOption("-n,--max-tokens", f->max_tokens,
                     "at most N tokens (default -1: until the model ends or the context is full)")
          .TypeName("N")
          .AtLeast(-1)
          .Group(group);
  command.AddOption("--stop", f->stop, "end before this text (repeatable)")
      .TypeName("TEXT")
      .Repeatable()
      .Group(group);
  command.AddFlag("--ignore-eos", f->ignore_eos, "go on after end-of-text tokens").Group(group);
  command
      .AddFlag("--context-shift", f->context_shift,
               "when the context is full, drop the older half and go on")
      .Group(group);
  command
      .AddOption("--keep", f->keep,
                 "tokens at the start that --context-shift keeps (-1: the whole prompt)")
      .TypeName("N")
      .AtLeast(-1)
      .Group(group);
}

void AddOutputFlags(Command command, GenerateFlags* f) {
  const std::string group = "Output";
  Option stream =
      command.AddFlag("--stream", f->stream, "print the text as it comes (default)").Group(group);
  command.AddFlag("--no-stream", f->no_stream, "print it at the end").Group(group).Excludes(stream);
  command.AddFlag("--special", f->special, "show control tokens in the text").Group(group);
  command.AddFlag("--json", f->json, "print one JSON object instead of the text").Group(group);
  command
      .AddOption("--logprobs", f->logprobs,
                 "with --json: the K best tokens after each position of prompt and text")
      .TypeName("K")
      .AtLeast(0)
      .Group(group);
  f->force_ids_option = command
                            .AddOption("--force-ids", f->force_ids,
                                       "feed these tokens instead of the first sampled ones")
                            .TypeName("1,2,3")
                            .Group(group);
  command.AddFlag("--no-stats", f->no_stats, "no statistics on stderr").Group(group);
}

}  // namespace

void RegisterGenerate(Command app, std::function<Status()>* run) {
  Command command =
      app.AddSubcommand("generate", "Answer one prompt, or continue a text with --raw");
  auto flags = std::make_shared<GenerateFlags>();
  AddEngineFlags(command, &flags->engine);
  AddContextFlag(command, &flags->engine);
  AddPromptFlags(command, flags.get());
  AddLengthFlags(command, flags.get());
  AddOutputFlags(command, flags.get());
  AddSamplingFlags(command, &flags->sampling);
  command.OnParsed([flags, run] { *run = [flags] { return Generate(*flags); }; });
}

}  // namespace rocforge::apps
