// From a conversation to the prompt text of a model: the variables that chat templates expect, and
// where a GGUF file keeps its template.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "gguf/reader.h"
#include "rocforge/status.h"
#include "text/chat/template.h"

namespace rocforge::text::chat {

// What a chat template is given. The fields have the shapes of the OpenAI chat API; templates read
// messages and tools as they are.
struct ChatTemplateInput {
  nlohmann::ordered_json messages = nlohmann::ordered_json::array();
  nlohmann::ordered_json tools;  // an array, or null for none
  bool add_generation_prompt = true;
  std::string bos_token;
  std::string eos_token;
  // Further variables of the template (enable_thinking, reasoning_effort, ...); they win over the
  // ones above.
  nlohmann::ordered_json extra = nlohmann::ordered_json::object();
};

// Reads the fields of ChatTemplateInput from a JSON object; fields that are absent keep their
// defaults, `messages` is required. kInvalidArgument names the field that is wrong. Fields of other
// names are ignored and, unless they are those of reference data (name, expected, error, ...),
// added to *unknown_fields if that is not null.
Result<ChatTemplateInput> ParseChatTemplateInput(
    const nlohmann::ordered_json& json, std::vector<std::string>* unknown_fields = nullptr);

// Renders as transformers' apply_chat_template(tokenize=False) does: messages, tools (None if
// null), documents=None, add_generation_prompt, bos_token, eos_token, then `extra`. The result
// holds the special tokens as text; tokenise it with special tokens recognised and no BOS added.
// Errors are Template::Render's.
Result<std::string> RenderChat(const Template& chat_template, const ChatTemplateInput& input,
                               const RenderOptions& options = {});

// A model's template as text, and the token texts that it is rendered with.
struct ModelChatTemplate {
  std::string name;    // "" for the unnamed one
  std::string source;  // Jinja
  std::string bos_token;
  std::string eos_token;
};

// The names of the templates in the file, the unnamed one as "".
std::vector<std::string> ChatTemplateNames(const gguf::File& file);

// The template that transformers would take when none is named: "tool_use" if there are tools and
// the file has a template of that name, else the unnamed one.
std::string DefaultChatTemplateName(const gguf::File& file, const ChatTemplateInput& input);

// The template `name` (key tokenizer.chat_template.NAME), or for "" the unnamed one. kNotFound if
// the file has no such template, and says which it has. Absent BOS and EOS tokens are "".
Result<ModelChatTemplate> LoadChatTemplate(const gguf::File& file, std::string_view name = "");

}  // namespace rocforge::text::chat
