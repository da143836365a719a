// rocforge inspect FILE: metadata and tensors of a GGUF file.
#include "apps/inspect.h"

#include <cstdio>
#include <memory>

#include "apps/command.h"
#include "apps/output.h"
#include "apps/pull/model_path.h"
#include "apps/terminal/terminal.h"
#include "base/format.h"

namespace rocforge::apps {
namespace {

struct Arguments {
  std::string model;
  std::string key;
  bool json = false;
  bool no_metadata = false;
  bool no_tensors = false;
  bool full = false;
  int64_t max_items = -1;
};

Status PrintKey(const gguf::File& file, const std::string& key) {
  const gguf::Value* value = file.Find(key);
  if (value == nullptr) {
    return NotFound(
        Format("{}: the metadata has no key '{}'; 'rocforge inspect {} --no-tensors' "
               "lists them",
               file.paths()[0], EscapeForTerminal(key), file.paths()[0]));
  }
  const std::string text = InspectValue(*value);
  // Raw into a file or pipe (a chat template); a terminal gets lines, but no escape sequences.
  if (!IsTerminal(stdout)) return WriteStdout(text);
  std::string shown;
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    shown += EscapeForTerminal(std::string_view(text).substr(at, end - at)) + "\n";
    at = end + 1;
  }
  return WriteStdout(shown);
}

Status RunInspect(const Arguments& arguments) {
  ROCFORGE_ASSIGN_OR_RETURN(const std::string path, ResolveModel(arguments.model));
  ROCFORGE_ASSIGN_OR_RETURN(const gguf::File file, gguf::File::Open(path));
  if (!arguments.key.empty()) return PrintKey(file, arguments.key);
  InspectOptions options;
  options.metadata = !arguments.no_metadata;
  options.tensors = !arguments.no_tensors;
  if (arguments.full || arguments.json) options.max_items = SIZE_MAX;
  if (arguments.full) options.max_text_bytes = SIZE_MAX;
  if (arguments.max_items >= 0) options.max_items = static_cast<size_t>(arguments.max_items);
  if (!arguments.full && IsTerminal(stdout)) options.columns = TerminalColumns();
  return WriteStdout(arguments.json ? InspectJson(file, options) : InspectText(file, options));
}

}  // namespace

void RegisterInspect(Command app, std::function<Status()>* run) {
  auto arguments = std::make_shared<Arguments>();
  Command command = app.AddSubcommand("inspect", "Show the metadata and tensors of a GGUF file");
  command.AddOption("FILE,-m,--model,--gguf", arguments->model,
                    "GGUF file (any part of a split one), or the name of a pulled model");
  command.AddFlag("--json", arguments->json,
                  "One JSON object with all values (arrays in full unless --max-items)");
  command.AddFlag("--no-metadata", arguments->no_metadata, "Leave the metadata out");
  command.AddFlag("--no-tensors", arguments->no_tensors, "Leave the tensors out");
  command.AddFlag("--full", arguments->full, "Do not abbreviate arrays and strings");
  command.AddOption("--max-items", arguments->max_items, "Show at most N elements of an array")
      .AtLeast(0)
      .TypeName("N");
  command
      .AddOption("--key", arguments->key,
                 "Print the value of this key and nothing else, e.g. tokenizer.chat_template")
      .TypeName("KEY");
  command.OnParsed([arguments, run] { *run = [arguments] { return RunInspect(*arguments); }; });
}

}  // namespace rocforge::apps
