#include "apps/bench/bench_model.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "apps/pull/model_path.h"
#include "apps/synth_model.h"
#include "base/format.h"

namespace rocforge::apps {
namespace {

std::string MemoryFolder() {
  constexpr const char* kShared = "/dev/shm";
  if (access(kShared, W_OK) == 0) return kShared;
  std::error_code error;
  const std::filesystem::path folder = std::filesystem::temp_directory_path(error);
  return error ? "." : folder.string();
}

}  // namespace

TemporaryModel::~TemporaryModel() {
  if (!path_.empty()) std::remove(path_.c_str());
}

void AddSyntheticFlag(Command command, std::string* preset) {
  command
      .AddOption("--synthetic", *preset,
                 "random weights in memory instead of a file. " + SynthPresetHelp())
      .TypeName("NAME[:TYPE]");
}

Result<BenchModel> FindBenchModel(const std::string& model, const std::string& preset, bool write) {
  BenchModel found;
  if (!model.empty() && !preset.empty())
    return InvalidArgument("give --model or --synthetic, not both");
  if (!preset.empty()) {
    ROCFORGE_RETURN_IF_ERROR(CheckSynthPreset(preset));
    found.synthetic = preset;
    if (!write) return found;
    SynthRequest request;
    request.preset = preset;
    request.output = Format("{}/rocforge-bench-{}.gguf", MemoryFolder(), getpid());
    found.temporary.emplace(request.output);
    ROCFORGE_RETURN_IF_ERROR(WriteSynthModel(request).status());
    found.path = request.output;
    return found;
  }
  std::string name = model;
  for (const char* variable : {"ROCFORGE_TEST_MODEL", "ROCFORGE_MODEL", "ROCMFORGE_MODEL"}) {
    const char* value = std::getenv(variable);
    if (name.empty() && value != nullptr) name = value;
  }
  if (name.empty()) return found;
  ROCFORGE_ASSIGN_OR_RETURN(found.path, ResolveModel(name));
  return found;
}

void SaySkipped(const char* command) {
  std::fprintf(stderr,
               "skipped: bench %s needs a model: -m FILE or NAME, or ROCFORGE_TEST_MODEL, or "
               "--synthetic llama-1b:q4_k_m (random weights)\n",
               command);
}

}  // namespace rocforge::apps
