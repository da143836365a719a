// A subcommand of the CLI. Each lives in a file of its own (apps/inspect.cc) and is listed once in
// apps/commands.cc.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "apps/options.h"
#include "rocforge/status.h"

namespace rocforge::apps {

inline constexpr int kExitOk = 0;
inline constexpr int kExitFailure = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitMismatch = 3;       // a baseline of other hardware (exit_code.h)
inline constexpr int kExitInterrupted = 130;  // 128 + SIGINT, as shells report it

// Adds its subcommand to `app`. When the user names it, `*run` is set to the function that does the
// work; its Status becomes the exit code: kInvalidArgument from the command line 2, any other
// failure 1, printed as "error: ...". kCancelled (Ctrl-C) gives 130; its message, if any, is
// printed.
using Register = void (*)(Command app, std::function<Status()>* run);

// In the order of the help text.
const std::vector<Register>& Commands();

void RegisterBench(Command app, std::function<Status()>* run);
void RegisterChat(Command app, std::function<Status()>* run);
void RegisterDevices(Command app, std::function<Status()>* run);
void RegisterGenerate(Command app, std::function<Status()>* run);
void RegisterInspect(Command app, std::function<Status()>* run);
void RegisterModels(Command app, std::function<Status()>* run);
void RegisterPerplexity(Command app, std::function<Status()>* run);
void RegisterPlan(Command app, std::function<Status()>* run);
void RegisterProfile(Command app, std::function<Status()>* run);
// `profile commands`; after RegisterProfile, whose subcommand it becomes.
void RegisterProfileRocm(Command app, std::function<Status()>* run);
void RegisterPull(Command app, std::function<Status()>* run);
void RegisterQuantize(Command app, std::function<Status()>* run);
void RegisterSynth(Command app, std::function<Status()>* run);
void RegisterTemplate(Command app, std::function<Status()>* run);
void RegisterTokenize(Command app, std::function<Status()>* run);
void RegisterTune(Command app, std::function<Status()>* run);

}  // namespace rocforge::apps
