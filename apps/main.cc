#include <cstdio>
#include <cstdlib>
#include <memory>

#include "apps/command.h"
#include "apps/exit_code.h"
#include "apps/help.h"
#include "base/format.h"
#include "base/log.h"

namespace {

// ROCFORGE_LOG_LEVEL, or ROCMFORGE_LOG_LEVEL, sets the level before the command line is read.
rocforge::Status ApplyLogLevelFromEnvironment() {
  for (const char* name : {"ROCFORGE_LOG_LEVEL", "ROCMFORGE_LOG_LEVEL"}) {
    const char* value = std::getenv(name);
    if (value == nullptr || *value == '\0') continue;
    ROCFORGE_ASSIGN_OR_RETURN(const rocforge::LogLevel level, rocforge::ParseLogLevel(value));
    rocforge::SetLogLevel(level);
    return {};
  }
  return {};
}

// One line for whatever is wrong with the command line, and where to read more.
std::string ParseFailure(const CLI::App* app, const CLI::Error& error) {
  const CLI::App* command = app;
  for (const CLI::App* parsed : app->get_subcommands()) command = parsed;
  std::string what = error.what();
  std::string help = "'rocforge --help' lists the commands";
  if (command != app) {
    help = "'rocforge " + command->get_name() + " --help' lists the options";
  } else if (const std::vector<std::string> rest = app->remaining(); !rest.empty()) {
    what = (rest[0].starts_with('-') ? "unknown option '" : "unknown command '") +
           rocforge::EscapeForTerminal(rest[0], 60) + "'";
  } else if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr) {
    what = "no command given";
  }
  return "error: " + what + "; " + help + "\n";
}

int Report(const rocforge::Status& status) {
  if (status.ok()) return rocforge::apps::kExitOk;
  if (status.code() == rocforge::StatusCode::kCancelled) {
    if (!status.message().empty()) std::fprintf(stderr, "%s\n", status.message().c_str());
    return rocforge::apps::kExitInterrupted;
  }
  std::fprintf(stderr, "error: %s\n", status.message().c_str());
  return rocforge::apps::ExitCodeOr(status.code() == rocforge::StatusCode::kInvalidArgument
                                        ? rocforge::apps::kExitUsage
                                        : rocforge::apps::kExitFailure);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Rocforge: runs GGUF language models on AMD and NVIDIA GPUs and on the CPU, and shows why a "
      "number is what it is.",
      "rocforge");
  app.set_version_flag("--version", std::string("rocforge ") + ROCFORGE_VERSION);
  app.require_subcommand(1);
  app.failure_message(ParseFailure);
  app.formatter(std::make_shared<rocforge::apps::HelpFormatter>());
  std::function<rocforge::Status()> run;
  for (rocforge::apps::Register add : rocforge::apps::Commands()) add(app, &run);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? rocforge::apps::kExitOk : rocforge::apps::kExitUsage;
  }
  if (const rocforge::Status status = ApplyLogLevelFromEnvironment(); !status.ok())
    return Report(status);
  return Report(run());
}
