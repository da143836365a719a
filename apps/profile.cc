// `rocforge profile`: where the time of a model goes on this machine, and what limits it.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <utility>

#include "apps/command.h"
#include "apps/devices_measure.h"
#include "apps/engine_options.h"
#include "apps/output.h"
#include "apps/profile/html.h"
#include "apps/profile/import.h"
#include "apps/profile/measure.h"
#include "apps/profile/summary.h"
#include "apps/profile/trace.h"
#include "apps/pull/model_path.h"
#include "apps/terminal/interrupt.h"
#include "apps/terminal/progress.h"
#include "base/format.h"

namespace rocforge::apps {
namespace {

struct ProfileFlags {
  EngineFlags engine;
  ProfileOptions options;
  std::string timing = "stamps";
  std::string trace;
  std::string html;
  std::vector<std::string> imported;
  bool json = false;
  bool all = false;
};

Status WriteFile(const std::string& path, const std::string& text) {
  std::FILE* file = std::fopen(path.c_str(), "wb");
  bool ok = file != nullptr && std::fwrite(text.data(), 1, text.size(), file) == text.size();
  if (file != nullptr) ok = std::fclose(file) == 0 && ok;
  if (ok) return {};
  return Unavailable(Format("cannot write {}", EscapeForTerminal(path)));
}

// A file that cannot be written is better known before minutes of measuring.
Status CheckWritable(const std::string& path) {
  if (path.empty()) return {};
  std::FILE* file = std::fopen(path.c_str(), "ab");
  if (file == nullptr) return InvalidArgument(Format("cannot write {}", EscapeForTerminal(path)));
  std::fclose(file);
  return {};
}

// Loads while memory is watched.
Result<std::unique_ptr<session::TextModel>> Load(engine::EngineOptions options, Profile* profile) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point start = Clock::now();
  const auto note = [&] {
    const double at = std::chrono::duration<double>(Clock::now() - start).count();
    profile->memory.push_back({at, ResidentBytes(), 0});
  };
  note();
  ProgressBar bar("loading");
  session::TextModelOptions text_options;
  text_options.engine = std::move(options);
  text_options.engine.on_load_progress = [&](double fraction) {
    bar.Update(fraction);
    note();
  };
  Result<std::unique_ptr<session::TextModel>> model = session::TextModel::Load(text_options);
  note();
  return model;
}

Status CheckRoom(const ProfileOptions& options, const engine::Engine& engine) {
  const int32_t n_ctx = engine.options().n_ctx;
  if (options.n_prompt + options.n_generate <= n_ctx) return {};
  return InvalidArgument(Format("{} tokens of prompt and {} of text do not fit the context of {}",
                                options.n_prompt, options.n_generate, n_ctx));
}

Status WriteReport(const ProfileFlags& flags, const Profile& profile) {
  const Summary summary = Summarise(profile);
  if (!flags.trace.empty()) ROCFORGE_RETURN_IF_ERROR(WriteFile(flags.trace, ToTrace(profile)));
  if (!flags.html.empty())
    ROCFORGE_RETURN_IF_ERROR(WriteFile(flags.html, ToHtml(profile, summary)));
  if (!flags.json) return WriteStdout(ToText(profile, summary, flags.all));
  return WriteStdout(
      ToJson(profile, summary).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) +
      "\n");
}

Status RunCommand(const ProfileFlags& flags) {
  ROCFORGE_RETURN_IF_ERROR(CheckWritable(flags.trace));
  ROCFORGE_RETURN_IF_ERROR(CheckWritable(flags.html));
  ROCFORGE_ASSIGN_OR_RETURN(engine::EngineOptions options, ToEngineOptions(flags.engine));
  if (options.n_ctx == 0)
    options.n_ctx = std::max(512, flags.options.n_prompt + flags.options.n_generate);
  Profile profile;
  ROCFORGE_ASSIGN_OR_RETURN(const std::unique_ptr<session::TextModel> model,
                            Load(std::move(options), &profile));
  const engine::Engine& engine = model->engine();
  ROCFORGE_RETURN_IF_ERROR(CheckRoom(flags.options, engine));
  const InterruptScope interrupts;
  ROCFORGE_ASSIGN_OR_RETURN(const std::string folder, CacheFolder());
  ROCFORGE_ASSIGN_OR_RETURN(
      profile.ceilings, CeilingsOf(engine.options().device, engine.options().n_threads, folder));
  Status status;
  {
    ProgressBar bar("profiling");
    status =
        RunProfile(*model, flags.options, [&](double fraction) { bar.Update(fraction); }, &profile);
  }
  if (!status.ok() && status.code() != StatusCode::kCancelled) return status;
  ROCFORGE_RETURN_IF_ERROR(WriteReport(flags, profile));
  return status;  // after Ctrl-C the exit code says so
}

}  // namespace

void RegisterProfile(Command app, std::function<Status()>* run) {
  Command command = app.Subcommand(
      "profile", "Show where the time of a model goes, op by op, and what limits it");
  auto flags = std::make_shared<ProfileFlags>();
  AddEngineFlags(command, &flags->engine);
  AddContextFlag(command, &flags->engine);
  command.AddOption("-p,--prompt", flags->options.n_prompt, "tokens of the prompt")
      .TypeName("N")
      .ShowDefault()
      .Range(1, 1 << 20);
  command.AddOption("-n,--max-tokens", flags->options.n_generate, "tokens of the text")
      .TypeName("N")
      .ShowDefault()
      .Range(1, 1 << 20);
  command
      .AddOption("--timing", flags->timing,
                 "on a GPU: stamps of the device's clock, in the captured graph too, or driver "
                 "events around each op")
      .TypeName("stamps|events")
      .ShowDefault()
      .OneOf({"stamps", "events"});
  command.AddOption("--trace", flags->trace, "write a trace for Perfetto or chrome://tracing")
      .TypeName("FILE");
  command.AddOption("--html", flags->html, "write a page with plots").TypeName("FILE");
  command
      .AddOption(
          "--import", flags->imported,
          "run nothing: show what AMD's profilers wrote (CSV, JSON, rocpd), several files as "
          "one; % memory is of --device")
      .TypeName("FILE")
      .Expected(1, 16)
      .Excludes(command.Find("--model"))
      .Excludes(command.Find("--trace"))
      .Excludes(command.Find("--html"));
  command.AddFlag("--all", flags->all, "all rows, not only the first dozen of each phase");
  command.AddFlag("--json", flags->json, "print one JSON object");
  command.OnParsed([run, command, flags] {
    if (command.HasParsedSubcommand()) return;  // `profile commands`
    *run = [flags] {
      if (!flags->imported.empty()) {
        return ImportProfiles({flags->imported, flags->engine.device, flags->all, flags->json});
      }
      flags->options.events = flags->timing == "events";
      return RunCommand(*flags);
    };
  });
}

}  // namespace rocforge::apps
