#include "apps/engine_options.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <limits>
#include <utility>

#include "apps/pull/model_path.h"
#include "apps/terminal/progress.h"
#include "base/format.h"
#include "kernels/gpu/tune/tuning_file.h"

namespace rocforge::apps {
namespace {

std::string FromEnvironment(std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const char* value = std::getenv(name);
    if (value != nullptr && *value != '\0') return value;
  }
  return {};
}

}  // namespace

void AddModelFlag(Command command, std::string* model) {
  command
      .AddOption("-m,--model,--gguf", *model,
                 "GGUF file, or the name of a pulled model (default: $ROCFORGE_MODEL)")
      .TypeName("MODEL");
}

void AddPassFlag(Command command, std::vector<std::string>* disabled) {
  command
      .AddOption("--disable-pass", *disabled,
                 "leave a graph pass out (repeatable; 'all' for every one)")
      .TypeName("NAME")
      .Repeatable();
}

void AddEngineFlags(Command command, EngineFlags* flags) {
  AddModelFlag(command, &flags->model);
  command.AddOption("--device", flags->device, "auto, cpu, gpu or gpu:N").TypeName("DEVICE");
  command
      .AddOption("-t,--threads", flags->n_threads, "CPU threads (default: one per physical core)")
      .TypeName("N")
      .Range(1, 1024);
  command
      .AddOption("-b,--batch", flags->batch,
                 "most tokens of one step: fewer need less memory, more read prompts faster")
      .TypeName("N")
      .Range(1, 65536);
  command.AddOption("--kv-type", flags->kv_type, "type of the KV cache")
      .TypeName("f16|f32|q8_0")
      .OneOf({"f16", "f32", "q8_0"}, true);
  command
      .AddOption("--isa", flags->isa,
                 "force a CPU instruction set: reference, generic, avx2, avx512, neon")
      .TypeName("NAME");
  command
      .AddOption("--executor", flags->executor,
                 "on a GPU: one captured graph a step, or op by op (default: graph where it works)")
      .TypeName("auto|graph|eager")
      .OneOf({"auto", "graph", "eager"});
  command
      .AddOption("--self-check", flags->self_check,
                 "on a GPU: compare ops with the CPU after loading (auto: some, on: all)")
      .TypeName("auto|on|off")
      .OneOf({"auto", "on", "off"});
  command
      .AddOption("--tuning", flags->tuning,
                 "a file of `rocforge tune export`, or off (default: what `rocforge tune` found)")
      .TypeName("FILE|off");
  AddPassFlag(command, &flags->disabled_passes);
}

void AddContextFlag(Command command, EngineFlags* flags) {
  command
      .AddOption("-c,--ctx", flags->n_ctx,
                 "tokens of context (default: the model's own, at most 4096)")
      .TypeName("N")
      .AtLeast(1);
}

Result<std::string> TuningPath(const std::string& flag) {
  if (flag == "off") return std::string();
  if (flag.empty()) {
    // No cache folder, nothing tuned.
    const Result<std::string> cache = CacheFolder();
    return cache.ok() ? cache.value() + "/tuning.json" : std::string();
  }
  // A file that was asked for must be right.
  std::error_code error;
  if (!std::filesystem::exists(flag, error))
    return NotFound(Format("{}: no such file", EscapeForTerminal(flag)));
  ROCFORGE_RETURN_IF_ERROR(gpu::ReadTuningFile(flag).status());
  return flag;
}

Result<engine::EngineOptions> ToEngineOptions(const EngineFlags& flags) {
  engine::EngineOptions options;
  ROCFORGE_ASSIGN_OR_RETURN(options.model_path, ResolveModel(flags.model));
  options.device = flags.device;
  if (options.device.empty()) {
    options.device = FromEnvironment({"ROCFORGE_DEVICE", "ROCMFORGE_DEVICE"});
  }
  if (options.device.empty()) options.device = "auto";
  options.n_ctx = flags.n_ctx;
  options.n_threads = flags.n_threads;
  ROCFORGE_ASSIGN_OR_RETURN(options.kv_type, ParseDType(flags.kv_type));
  options.isa = flags.isa;
  options.executor = flags.executor;
  ROCFORGE_ASSIGN_OR_RETURN(options.self_check, engine::ParseSelfCheck(flags.self_check));
  if (flags.batch > 0) options.max_batch_tokens = flags.batch;
  options.passes.disabled = flags.disabled_passes;
  ROCFORGE_ASSIGN_OR_RETURN(options.tuning_path, TuningPath(flags.tuning));
  return options;
}

Result<std::unique_ptr<session::TextModel>> LoadTextModel(const engine::EngineOptions& options,
                                                          const std::string& chat_template_file) {
  session::TextModelOptions text_options;
  text_options.engine = options;
  if (!chat_template_file.empty()) {
    ROCFORGE_ASSIGN_OR_RETURN(text_options.chat_template, ReadTextFile(chat_template_file));
    if (text_options.chat_template.empty()) {
      return InvalidArgument(
          Format("the chat template {} is empty", EscapeForTerminal(chat_template_file)));
    }
  }
  const std::string name = std::filesystem::path(options.model_path).filename().string();
  ProgressBar bar("loading " + EscapeForTerminal(name, 40));
  text_options.engine.on_load_progress = [&](double fraction) { bar.Update(fraction); };
  return session::TextModel::Load(text_options);
}

Result<std::string> ReadTextFile(const std::string& path) {
  const std::string shown = EscapeForTerminal(path);
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    return InvalidArgument(Format("{} is a folder, not a file", shown));
  }
  std::FILE* file = std::fopen(path.c_str(), "rb");
  if (file == nullptr) {
    const std::string reason = std::strerror(errno);
    return errno == ENOENT ? NotFound(Format("{}: {}", shown, reason))
                           : Unavailable(Format("{}: {}", shown, reason));
  }
  std::string text;
  char buffer[1 << 16];
  while (const size_t n = std::fread(buffer, 1, sizeof(buffer), file)) text.append(buffer, n);
  const bool failed = std::ferror(file) != 0;
  const int read_errno = errno;
  std::fclose(file);
  if (failed) return Unavailable(Format("{}: {}", shown, std::strerror(read_errno)));
  return text;
}

std::string DescribeModel(const model::ModelInfo& info) {
  const std::string name =
      info.name.empty() ? "model without a name" : EscapeForTerminal(info.name, 60);
  return Format("{} ({}, {}, {})", name, info.architecture, info.main_type,
                FormatBytes(static_cast<uint64_t>(info.weight_bytes)));
}

}  // namespace rocforge::apps
