// A subcommand of the CLI. Each lives in a file of its own (apps/inspect.cc) and is listed once in
// apps/commands.cc.
#pragma once

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <functional>
#include <string>
#include <vector>

#include "rocforge/status.h"

namespace rocforge::apps {

inline constexpr int kExitOk = 0;
inline constexpr int kExitFailure = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitInterrupted = 130;  // 128 + SIGINT, as shells report it

// Adds its subcommand to `app`. When the user names it, `*run` is set to the function that does the
// work; its Status becomes the exit code: kInvalidArgument from the command line 2, any other
// failure 1, printed as "error: ...". kCancelled (Ctrl-C) gives 130; its message, if any, is
// printed.
using Register = void (*)(CLI::App& app, std::function<Status()>* run);

// In the order of the help text.
const std::vector<Register>& Commands();

void RegisterBench(CLI::App& app, std::function<Status()>* run);
void RegisterChat(CLI::App& app, std::function<Status()>* run);
void RegisterDevices(CLI::App& app, std::function<Status()>* run);
void RegisterGenerate(CLI::App& app, std::function<Status()>* run);
void RegisterInspect(CLI::App& app, std::function<Status()>* run);
void RegisterModels(CLI::App& app, std::function<Status()>* run);
void RegisterPerplexity(CLI::App& app, std::function<Status()>* run);
void RegisterPlan(CLI::App& app, std::function<Status()>* run);
// `profile commands` and `profile import`; after RegisterProfile, whose subcommands they become.
void RegisterProfileRocm(CLI::App& app, std::function<Status()>* run);
void RegisterPull(CLI::App& app, std::function<Status()>* run);
void RegisterQuantize(CLI::App& app, std::function<Status()>* run);
void RegisterSynth(CLI::App& app, std::function<Status()>* run);
void RegisterTemplate(CLI::App& app, std::function<Status()>* run);
void RegisterTokenize(CLI::App& app, std::function<Status()>* run);

}  // namespace rocforge::apps
