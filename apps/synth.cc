// `rocforge synth`: a model of a well-known shape with random weights.
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include "apps/command.h"
#include "apps/synth_model.h"
#include "base/format.h"

namespace rocforge::apps {
namespace {

struct SynthFlags {
  SynthRequest request;
  bool force = false;
};

Status Synth(const SynthFlags& flags) {
  ROCFORGE_RETURN_IF_ERROR(CheckSynthPreset(flags.request.preset));
  const std::string shown = EscapeForTerminal(flags.request.output);
  std::error_code error;
  if (!flags.force && std::filesystem::exists(flags.request.output, error))
    return FailedPrecondition(Format("{} exists; --force replaces it", shown));
  const auto start = std::chrono::steady_clock::now();
  ROCFORGE_ASSIGN_OR_RETURN(const SynthSummary written, WriteSynthModel(flags.request));
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  std::fprintf(stderr, "%s: %s, random %s weights in the shape of %s, %s\n", shown.c_str(),
               FormatBytes(written.bytes).c_str(), written.type.c_str(), written.about.c_str(),
               FormatSeconds(took.count()).c_str());
  return {};
}

}  // namespace

void RegisterSynth(Command app, std::function<Status()>* run) {
  auto flags = std::make_shared<SynthFlags>();
  Command command = app.AddSubcommand(
      "synth", "Write a model with random weights, to measure the speed of its shape");
  command.AddOption("OUT", flags->request.output, "GGUF file to write").Required();
  command.AddOption("--preset", flags->request.preset, SynthPresetHelp())
      .TypeName("NAME[:TYPE]")
      .Required();
  command.AddOption("--seed", flags->request.seed, "Seed of the weights").TypeName("S");
  command.AddOption("-t,--threads", flags->request.threads, "Threads (default: one per core)")
      .Range(0, 1024)
      .TypeName("N");
  command.AddFlag("--force,--overwrite", flags->force, "Replace OUT if it exists");
  command.OnParsed([flags, run] { *run = [flags] { return Synth(*flags); }; });
}

}  // namespace rocforge::apps
