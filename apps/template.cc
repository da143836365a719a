// rocforge template: what a chat template makes of a conversation.

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "apps/command.h"
#include "apps/engine_options.h"
#include "apps/output.h"
#include "apps/pull/model_path.h"
#include "base/format.h"
#include "gguf/reader.h"
#include "text/chat/chat_template.h"

namespace rocforge::apps {
namespace {

using Json = nlohmann::ordered_json;

struct TemplateFlags {
  std::string model;
  std::string template_file;
  std::string name;
  Option name_option;
  std::string input;
  std::string now;
};

// What is wrong with a file is a failure (exit code 1), not a wrong command line.
Status InFile(const Status& status, const std::string& where) {
  const StatusCode code =
      status.code() == StatusCode::kInvalidArgument ? StatusCode::kDataLoss : status.code();
  return {code, Format("{}: {}", EscapeForTerminal(where), EscapeForTerminal(status.message()))};
}

Result<Json> ReadInput(const std::string& path) {
  ROCFORGE_ASSIGN_OR_RETURN(const std::string text,
                            ReadTextFile(path == "-" ? "/dev/stdin" : path));
  try {
    return Json::parse(text);
  } catch (const Json::exception& error) {
    // "[json.exception.parse_error.101] parse error at line 1, column 2: ..."
    const std::string_view message = error.what();
    const size_t prefix_end = message.find("] ");
    return DataLoss(std::string(
        prefix_end == std::string_view::npos ? message : message.substr(prefix_end + 2)));
  }
}

// The template and, where the input does not say them, the tokens of the model.
Result<std::string> LoadSource(const TemplateFlags& flags, const Json& json,
                               text::chat::ChatTemplateInput* input, std::string* where) {
  if (!flags.template_file.empty()) {
    *where = flags.template_file;
    return ReadTextFile(flags.template_file);
  }
  ROCFORGE_ASSIGN_OR_RETURN(const std::string path, ResolveModel(flags.model));
  ROCFORGE_ASSIGN_OR_RETURN(const gguf::File file, gguf::File::Open(path));
  *where = path;
  const std::string name = flags.name_option.Count() > 0
                               ? flags.name
                               : text::chat::DefaultChatTemplateName(file, *input);
  Result<text::chat::ModelChatTemplate> model = text::chat::LoadChatTemplate(file, name);
  if (!model.ok()) {
    return Status(model.status().code(), Format("{}: {}; --template FILE takes one from a file",
                                                EscapeForTerminal(path), model.status().message()));
  }
  if (!json.contains("bos_token")) input->bos_token = model->bos_token;
  if (!json.contains("eos_token")) input->eos_token = model->eos_token;
  return model->source;
}

Status RunTemplate(const TemplateFlags& flags) {
  text::chat::RenderOptions options;
  if (!flags.now.empty()) {
    Result<text::chat::DateTime> now = text::chat::ParseDateTime(flags.now);
    if (!now.ok()) return now.status().WithContext("--now");
    options.now = *now;
  }
  const std::string input_name = flags.input == "-" ? "standard input" : flags.input;
  const Result<Json> json = ReadInput(flags.input);
  if (!json.ok()) {
    const bool unread = json.status().code() != StatusCode::kDataLoss;
    return unread ? json.status() : InFile(json.status(), input_name);
  }
  std::vector<std::string> unknown_fields;
  Result<text::chat::ChatTemplateInput> input =
      text::chat::ParseChatTemplateInput(*json, &unknown_fields);
  if (!input.ok()) return InFile(input.status(), input_name);
  for (const std::string& field : unknown_fields) {
    std::fprintf(stderr, "note: the field '%s' is ignored; variables of a template go into extra\n",
                 EscapeForTerminal(field, 60).c_str());
  }

  std::string where;
  ROCFORGE_ASSIGN_OR_RETURN(const std::string source, LoadSource(flags, *json, &*input, &where));
  const Result<text::chat::Template> parsed = text::chat::Template::Parse(source);
  if (!parsed.ok()) return InFile(parsed.status(), where);
  const Result<std::string> text = text::chat::RenderChat(*parsed, *input, options);
  if (!text.ok()) {
    const bool refused = text.status().code() == StatusCode::kInvalidArgument;
    return InFile(text.status(), refused ? where + ": the template refuses this input" : where);
  }
  TextOutput output;
  output.Write(*text);
  output.EndLine();
  return output.status();
}

}  // namespace

void RegisterTemplate(Command app, std::function<Status()>* run) {
  Command command =
      app.AddSubcommand("template", "Show the prompt that a chat template makes of a conversation");
  auto flags = std::make_shared<TemplateFlags>();
  AddModelFlag(command, &flags->model);
  Option file =
      command.AddOption("--template", flags->template_file, "Jinja file instead of a model's")
          .TypeName("FILE");
  file.Excludes(command.Find("--model"));
  flags->name_option =
      command
          .AddOption("--name", flags->name,
                     "the model's template of this name (tokenizer.chat_template.NAME)")
          .TypeName("NAME")
          .Excludes(file);
  command
      .AddOption("--input", flags->input,
                 "JSON file with messages and, as needed, tools, add_generation_prompt, "
                 "bos_token, eos_token, extra; - reads standard input")
      .TypeName("FILE")
      .Required();
  command
      .AddOption("--now", flags->now,
                 "what strftime_now sees, as \"YYYY-mm-dd HH:MM:SS\" (default: the clock)")
      .TypeName("TIME");
  command.OnParsed([flags, run] { *run = [flags] { return RunTemplate(*flags); }; });
}

}  // namespace rocforge::apps
