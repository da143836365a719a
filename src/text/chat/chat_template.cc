#include "text/chat/chat_template.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/format.h"

namespace rocforge::text::chat {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kTemplateKey = "tokenizer.chat_template";

Status WrongType(std::string_view field, std::string_view expected, const Json& value) {
  return InvalidArgument(Format("'{}' must be {}, not {}", field, expected, value.type_name()));
}

// *known: whether ChatTemplateInput has a field of that name.
Status ReadField(std::string_view field, const Json& value, ChatTemplateInput* out, bool* known) {
  *known = true;
  if (field == "messages") {
    if (!value.is_array()) return WrongType(field, "an array of messages", value);
    out->messages = value;
  } else if (field == "tools") {
    if (!value.is_array() && !value.is_null()) {
      return WrongType(field, "an array of tools or null", value);
    }
    out->tools = value;
  } else if (field == "extra") {
    if (!value.is_object()) return WrongType(field, "an object of template variables", value);
    out->extra = value;
  } else if (field == "add_generation_prompt") {
    if (!value.is_boolean()) return WrongType(field, "true or false", value);
    out->add_generation_prompt = value.get<bool>();
  } else if (field == "bos_token" || field == "eos_token") {
    if (!value.is_string() && !value.is_null()) return WrongType(field, "a string", value);
    std::string& token = field == "bos_token" ? out->bos_token : out->eos_token;
    token = value.is_string() ? value.get_ref<const std::string&>() : std::string();
  } else {
    *known = false;
  }
  return {};
}

// The text of the token whose id is under `key`; "" if the model has none.
Result<std::string> TokenText(const gguf::File& file, std::string_view key) {
  if (file.Find(key) == nullptr) return std::string();
  ROCFORGE_ASSIGN_OR_RETURN(const int64_t id, file.GetInt(key));
  ROCFORGE_ASSIGN_OR_RETURN(const std::span<const std::string> tokens,
                            file.GetStringArray("tokenizer.ggml.tokens"));
  // Converters write -1 or its unsigned twin for "none".
  if (id < 0 || id == UINT32_MAX) return std::string();
  if (static_cast<uint64_t>(id) >= tokens.size()) {
    return DataLoss(Format("{} is {}, but the vocabulary has {} tokens", key, id, tokens.size()));
  }
  return tokens[static_cast<size_t>(id)];
}

}  // namespace

Result<ChatTemplateInput> ParseChatTemplateInput(const Json& json,
                                                 std::vector<std::string>* unknown_fields) {
  constexpr std::string_view kReferenceFields[] = {"name", "expected", "error", "error_message",
                                                   "template"};
  if (!json.is_object()) {
    return InvalidArgument(
        Format("the input must be a JSON object with the field 'messages', not {}",
               json.is_array() ? "an array" : json.type_name()));
  }
  if (!json.contains("messages")) return InvalidArgument("the field 'messages' is missing");
  ChatTemplateInput out;
  for (const auto& [field, value] : json.items()) {
    bool known = false;
    ROCFORGE_RETURN_IF_ERROR(ReadField(field, value, &out, &known));
    if (known || unknown_fields == nullptr) continue;
    const auto* end = std::end(kReferenceFields);
    if (std::find(std::begin(kReferenceFields), end, field) == end) {
      unknown_fields->push_back(field);
    }
  }
  return out;
}

Result<std::string> RenderChat(const Template& chat_template, const ChatTemplateInput& input,
                               const RenderOptions& options) {
  Json variables = Json::object();
  variables["messages"] = input.messages;
  variables["tools"] = input.tools;
  variables["documents"] = nullptr;
  variables["add_generation_prompt"] = input.add_generation_prompt;
  variables["bos_token"] = input.bos_token;
  variables["eos_token"] = input.eos_token;
  if (!input.extra.is_null() && !input.extra.is_object()) {
    return InvalidArgument("the extra variables of a chat template must be a JSON object");
  }
  for (const auto& [name, value] : input.extra.items()) variables[name] = value;
  return chat_template.Render(variables, options);
}

std::vector<std::string> ChatTemplateNames(const gguf::File& file) {
  std::vector<std::string> names;
  for (const gguf::KeyValue& entry : file.metadata()) {
    const std::string_view key = entry.key;
    if (!key.starts_with(kTemplateKey) || !std::holds_alternative<std::string>(entry.value.data)) {
      continue;
    }
    const std::string_view rest = key.substr(kTemplateKey.size());
    if (rest.empty()) names.emplace_back();
    if (rest.size() > 1 && rest[0] == '.') names.emplace_back(rest.substr(1));
  }
  return names;
}

std::string DefaultChatTemplateName(const gguf::File& file, const ChatTemplateInput& input) {
  const bool has_tools = input.tools.is_array() && !input.tools.empty();
  const std::vector<std::string> names = ChatTemplateNames(file);
  const bool has_variant = std::find(names.begin(), names.end(), "tool_use") != names.end();
  return has_tools && has_variant ? "tool_use" : "";
}

Result<ModelChatTemplate> LoadChatTemplate(const gguf::File& file, std::string_view name) {
  const std::vector<std::string> names = ChatTemplateNames(file);
  if (std::find(names.begin(), names.end(), name) == names.end()) {
    if (names.empty()) return NotFound("the model has no chat template");
    std::string known;
    for (const std::string& n : names) {
      if (!known.empty()) known += ", ";
      known += n.empty() ? "the unnamed one" : Format("'{}'", EscapeForTerminal(n, 60));
    }
    return NotFound(name.empty()
                        ? Format("the model has no unnamed chat template (it has {})", known)
                        : Format("the model has no chat template '{}' (it has {})",
                                 EscapeForTerminal(name, 60), known));
  }
  ModelChatTemplate out;
  out.name = name;
  const std::string key =
      name.empty() ? std::string(kTemplateKey) : Format("{}.{}", kTemplateKey, name);
  ROCFORGE_ASSIGN_OR_RETURN(out.source, file.GetString(key));
  ROCFORGE_ASSIGN_OR_RETURN(out.bos_token, TokenText(file, "tokenizer.ggml.bos_token_id"));
  ROCFORGE_ASSIGN_OR_RETURN(out.eos_token, TokenText(file, "tokenizer.ggml.eos_token_id"));
  return out;
}

}  // namespace rocforge::text::chat
