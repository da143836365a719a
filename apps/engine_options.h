// The flags that every command which runs a model has, and loading with a progress bar.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "apps/command.h"
#include "engine/engine.h"
#include "rocforge/status.h"
#include "session/text_model.h"

namespace rocforge::apps {

struct EngineFlags {
  std::string model;
  std::string device;
  int32_t n_ctx = 0;
  int32_t n_threads = 0;
  int32_t batch = 0;  // 0: the command's own
  std::string kv_type = "f16";
  std::string isa;
  std::string executor = "auto";
  std::string self_check = "auto";
  std::string tuning;  // a file, "off", or "" for the cache's
  std::vector<std::string> disabled_passes;
};

// -m, --model, --gguf.
void AddModelFlag(Command command, std::string* model);
// --disable-pass.
void AddPassFlag(Command command, std::vector<std::string>* disabled);
// The model, --device, --threads, --batch, --kv-type, --isa, --executor, --self-check, --tuning,
// --disable-pass.
void AddEngineFlags(Command command, EngineFlags* flags);
// --ctx, for commands where it is the size of the context.
void AddContextFlag(Command command, EngineFlags* flags);

// The file of --tuning: "" for off or where there is no cache folder; the cache's where the flag is
// empty (it need not exist). A named file must exist and be right.
Result<std::string> TuningPath(const std::string& flag);

// Resolves the model's name and fills the engine's options. The device is that of the flag, else of
// $ROCFORGE_DEVICE or $ROCMFORGE_DEVICE, else "auto".
Result<engine::EngineOptions> ToEngineOptions(const EngineFlags& flags);

// Engine and tokenizer, with a progress bar. `chat_template_file`: a Jinja file to use instead of
// the model's own template, or "".
Result<std::unique_ptr<session::TextModel>> LoadTextModel(const engine::EngineOptions& options,
                                                          const std::string& chat_template_file);

// A whole file; kNotFound or kUnavailable with the system's reason.
Result<std::string> ReadTextFile(const std::string& path);

// "SmolLM2 135M Instruct (llama, Q4_1, 93.5 MiB)", safe to show.
std::string DescribeModel(const model::ModelInfo& info);

}  // namespace rocforge::apps
