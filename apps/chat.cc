// `rocforge chat`: a conversation at the terminal, or line by line through a pipe.
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "apps/chat_command.h"
#include "apps/command.h"
#include "apps/engine_options.h"
#include "apps/long_context.h"
#include "apps/output.h"
#include "apps/run_stats.h"
#include "apps/sampling_options.h"
#include "apps/terminal/interrupt.h"
#include "apps/terminal/line_editor.h"
#include "apps/terminal/progress.h"
#include "apps/terminal/terminal.h"
#include "base/format.h"
#include "session/conversation.h"

namespace rocforge::apps {
namespace {

using session::Conversation;
using session::GenerateCallbacks;
using session::GenerateOutcome;
using session::TextModel;

struct ChatFlags {
  EngineFlags engine;
  SamplingFlags sampling;
  std::string system;
  std::string chat_template;
  int64_t max_tokens = session::kNoTokenLimit;
  std::vector<std::string> stop;
  bool context_shift = false;
  int32_t keep = 0;
  bool no_stats = false;
};

// For people, in the dim colour of remarks where the terminal has one.
void Remark(const std::string& text) {
  if (IsTerminal(stderr)) {
    std::fprintf(stderr, "\x1b[2m%s\x1b[0m\n", text.c_str());
  } else {
    std::fprintf(stderr, "%s\n", text.c_str());
  }
}

class ChatLoop {
 public:
  ChatLoop(const ChatFlags& flags, TextModel* model, std::unique_ptr<Conversation> conversation,
           ChatSettings settings)
      : flags_(flags),
        model_(model),
        conversation_(std::move(conversation)),
        settings_(std::move(settings)) {}

  Status Run() {
    if (editor_.interactive()) Greet();
    while (true) {
      std::string line;
      const LineEditor::Event event = editor_.Read(">>> ", "... ", &line);
      if (event == LineEditor::Event::kEnd) return Interrupted() ? Cancelled("") : Status();
      if (event == LineEditor::Event::kInterrupt) {
        if (!editor_.interactive()) return Cancelled("");
        Remark("(Ctrl-D or /quit leaves)");
        continue;
      }
      if (line.find_first_not_of(" \t\n") == std::string::npos) continue;
      editor_.AddHistory(line);
      bool leave = false;
      ROCFORGE_RETURN_IF_ERROR(Handle(line, &leave));
      if (leave) return {};
    }
  }

 private:
  void Greet() {
    const engine::Engine& engine = model_->engine();
    std::fputs(JoinParts({DescribeModel(engine.info()), engine.device_description(),
                          Format("context {}", engine.options().n_ctx)},
                         TerminalColumns())
                   .c_str(),
               stderr);
    Remark("/help lists the commands; Ctrl-C stops an answer; Ctrl-D leaves");
  }

  // One line of the user. Someone at a terminal may try again after an error; a pipe may not.
  Status Handle(const std::string& line, bool* leave) {
    Status status;
    if (line.starts_with('/')) {
      Result<ChatAction> action = RunChatCommand(line, *conversation_, settings_, last_);
      status = action.status();
      if (action.ok()) {
        if (!action->remark.empty()) Remark(action->remark);
        *leave = action->leave;
        if (action->reply) status = Reply();
      }
    } else {
      conversation_->AddUser(Unquoted(line));
      status = Reply();
      if (!status.ok() && status.code() != StatusCode::kCancelled) conversation_->Undo();
    }
    if (status.ok() || !editor_.interactive()) return status;
    if (status.code() != StatusCode::kCancelled) {
      std::fprintf(stderr, "error: %s\n", status.message().c_str());
    }
    return {};
  }

  Status Reply() {
    interrupt_.Clear();
    TextOutput output;
    GenerateCallbacks callbacks;
    callbacks.cancelled = [&] { return Interrupted() || !output.status().ok(); };
    ProgressBar bar("reading");
    callbacks.on_prompt = [&](int64_t done, int64_t total) {
      bar.Update(static_cast<double>(done) / static_cast<double>(total),
                 Format("{} of {} tokens", done, total));
    };
    callbacks.on_token = [&](int32_t) { bar.Finish(); };
    callbacks.on_text = [&](std::string_view text) { output.Write(text); };
    session::GenerateRequest request;
    request.sampling = settings_.sampling;
    // Another answer to the same question should be another one, and still follow from the seed.
    request.sampling.seed += n_replies_++;
    request.max_tokens = settings_.max_tokens;
    request.stop = flags_.stop;
    request.context_shift = flags_.context_shift;
    request.n_keep = flags_.keep;
    Result<GenerateOutcome> outcome = conversation_->Reply(std::move(request), callbacks);
    bar.Finish();
    output.Write("\n");
    ROCFORGE_RETURN_IF_ERROR(output.status());
    ROCFORGE_RETURN_IF_ERROR(outcome.status());
    RunReport report;
    report.outcome = std::move(*outcome);
    report.bandwidth = MeasureBandwidthUse(*model_, report.outcome.stats);
    if (conversation_->left_out() > 0) {
      Remark(Format("({} old messages were left out: the context is full)",
                    conversation_->left_out()));
    }
    if (!flags_.no_stats) ShowStats(report);
    const bool cancelled = report.outcome.reason == session::FinishReason::kCancelled;
    last_ = std::move(report);
    return cancelled ? Cancelled("") : Status();
  }

  void ShowStats(const RunReport& report) {
    const int columns = IsTerminal(stderr) ? TerminalColumns() : 0;
    std::vector<std::string> parts = StatsParts(report);
    parts.erase(parts.begin());  // the prompt's; /stats has it
    std::string text = JoinParts(parts, columns);
    text.pop_back();
    Remark(text);
  }

  const ChatFlags& flags_;
  TextModel* model_;
  std::unique_ptr<Conversation> conversation_;
  ChatSettings settings_;
  LineEditor editor_;
  InterruptScope interrupt_;
  std::optional<RunReport> last_;
  uint64_t n_replies_ = 0;
};

Status Chat(const ChatFlags& flags) {
  ChatSettings settings;
  ROCFORGE_ASSIGN_OR_RETURN(settings.sampling, ToSamplerParams(flags.sampling));
  settings.max_tokens = flags.max_tokens;
  ROCFORGE_ASSIGN_OR_RETURN(engine::EngineOptions options, ToEngineOptions(flags.engine));
  options.max_outputs = 1;
  ROCFORGE_ASSIGN_OR_RETURN(const std::unique_ptr<TextModel> model,
                            LoadTextModel(options, flags.chat_template));
  if (const Status chat = model->chat_status(); !chat.ok()) {
    return Status(chat.code(), chat.message() +
                                   "; give one with --chat-template FILE, or continue "
                                   "text with: rocforge generate --raw");
  }
  WarnOfLongContext(*model);
  ROCFORGE_ASSIGN_OR_RETURN(std::unique_ptr<Conversation> conversation,
                            Conversation::Create(model.get()));
  conversation->SetSystem(flags.system);
  ChatLoop loop(flags, model.get(), std::move(conversation), std::move(settings));
  return loop.Run();
}

}  // namespace

void RegisterChat(Command app, std::function<Status()>* run) {
  Command command = app.AddSubcommand("chat", "Talk with a model");
  auto flags = std::make_shared<ChatFlags>();
  AddEngineFlags(command, &flags->engine);
  AddContextFlag(command, &flags->engine);
  command.AddOption("--system", flags->system, "system message").TypeName("TEXT");
  command
      .AddOption("--chat-template", flags->chat_template,
                 "Jinja file to use instead of the model's")
      .TypeName("FILE");
  command
      .AddOption("-n,--max-tokens", flags->max_tokens,
                 "at most N tokens an answer (default -1: until the model ends it)")
      .TypeName("N")
      .AtLeast(-1);
  command.AddOption("--stop", flags->stop, "end an answer before this text (repeatable)")
      .TypeName("TEXT")
      .Repeatable();
  command.AddFlag("--context-shift", flags->context_shift,
                  "when the context is full, leave out what is oldest and go on");
  command
      .AddOption("--keep", flags->keep,
                 "tokens at the start that --context-shift keeps within an answer")
      .TypeName("N")
      .AtLeast(-1);
  command.AddFlag("--no-stats", flags->no_stats, "no statistics after each answer");
  AddSamplingFlags(command, &flags->sampling);
  command.OnParsed([flags, run] { *run = [flags] { return Chat(*flags); }; });
}

}  // namespace rocforge::apps
