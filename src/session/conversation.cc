#include "session/conversation.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/format.h"

namespace rocforge::session {
namespace {

// The least part of the context that an answer gets before old turns are left out.
constexpr size_t kAnswerShare = 8;

Result<ChatMessage> ReadMessage(const nlohmann::json& json) {
  const auto text = [&](const char* key) -> const std::string* {
    if (!json.is_object()) return nullptr;
    const auto found = json.find(key);
    return found == json.end() ? nullptr : found->get_ptr<const std::string*>();
  };
  const std::string* role = text("role");
  const std::string* content = text("content");
  if (role == nullptr || content == nullptr) {
    return InvalidArgument("each message needs the texts \"role\" and \"content\"");
  }
  if (*role != "system" && *role != "user" && *role != "assistant") {
    return InvalidArgument(
        Format("role \"{}\" is not system, user or assistant", EscapeForTerminal(*role, 40)));
  }
  return ChatMessage{*role, *content};
}

}  // namespace

Result<std::unique_ptr<Conversation>> Conversation::Create(TextModel* model) {
  ROCFORGE_RETURN_IF_ERROR(model->chat_status());
  ROCFORGE_ASSIGN_OR_RETURN(std::unique_ptr<Session> session, Session::Create(model));
  return std::unique_ptr<Conversation>(new Conversation(model, std::move(session)));
}

std::string_view Conversation::system() const {
  if (messages_.empty() || messages_.front().role != "system") return {};
  return messages_.front().content;
}

void Conversation::SetSystem(std::string text) {
  const bool has = !messages_.empty() && messages_.front().role == "system";
  if (text.empty()) {
    if (has) messages_.erase(messages_.begin());
  } else if (has) {
    messages_.front().content = std::move(text);
  } else {
    messages_.insert(messages_.begin(), {"system", std::move(text)});
  }
}

bool Conversation::Undo() {
  if (!DropAnswer()) return false;
  messages_.pop_back();
  return true;
}

bool Conversation::DropAnswer() {
  const auto last_user = std::find_if(messages_.rbegin(), messages_.rend(),
                                      [](const ChatMessage& m) { return m.role == "user"; });
  if (last_user == messages_.rend()) return false;
  messages_.erase(last_user.base(), messages_.end());
  return true;
}

void Conversation::Clear() {
  if (system().empty()) {
    messages_.clear();
  } else {
    messages_.resize(1);
  }
}

Result<std::vector<int32_t>> Conversation::Encode(size_t first, size_t count) const {
  text::chat::ChatTemplateInput input;
  for (size_t i = 0; i < messages_.size(); ++i) {
    if (i >= first && i < first + count) continue;
    input.messages.push_back({{"role", messages_[i].role}, {"content", messages_[i].content}});
  }
  return model_->EncodeChat(std::move(input));
}

Result<std::vector<int32_t>> Conversation::EncodeToFit(bool may_leave_out) {
  const auto n_ctx = static_cast<size_t>(model_->engine().options().n_ctx);
  const size_t first = system().empty() ? 0 : 1;
  left_out_ = 0;
  while (true) {
    ROCFORGE_ASSIGN_OR_RETURN(std::vector<int32_t> ids,
                              Encode(first, static_cast<size_t>(left_out_)));
    if (!may_leave_out || ids.size() + n_ctx / kAnswerShare <= n_ctx) return ids;
    // A turn: up to the next message of the user. The last one stays in any case.
    size_t next = first + static_cast<size_t>(left_out_) + 1;
    while (next < messages_.size() && messages_[next].role != "user") ++next;
    if (next >= messages_.size()) return ids;
    left_out_ = static_cast<int64_t>(next - first);
  }
}

Result<GenerateOutcome> Conversation::Reply(GenerateRequest request,
                                            const GenerateCallbacks& callbacks) {
  if (messages_.empty() || messages_.back().role != "user") {
    return FailedPrecondition("there is no question to answer");
  }
  ROCFORGE_ASSIGN_OR_RETURN(request.prompt, EncodeToFit(request.context_shift));
  request.own_text = true;
  std::string answer;
  GenerateCallbacks with_answer = callbacks;
  with_answer.on_text = [&](std::string_view text) {
    answer += text;
    if (callbacks.on_text) callbacks.on_text(text);
  };
  ROCFORGE_ASSIGN_OR_RETURN(GenerateOutcome outcome, session_->Generate(request, with_answer));
  messages_.push_back({"assistant", std::move(answer)});
  return outcome;
}

std::string Conversation::Save() const {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const ChatMessage& m : messages_) {
    list.push_back({{"role", m.role}, {"content", m.content}});
  }
  const nlohmann::ordered_json json = {{"messages", std::move(list)}};
  // What a user pastes may be no UTF-8; JSON must be.
  return json.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

Status Conversation::Load(std::string_view json) {
  const nlohmann::json parsed = nlohmann::json::parse(json, nullptr, /*allow_exceptions=*/false);
  if (parsed.is_discarded()) return InvalidArgument("this is no JSON");
  const auto list = parsed.is_object() ? parsed.find("messages") : parsed.end();
  if (!parsed.is_object() || list == parsed.end() || !list->is_array()) {
    return InvalidArgument("the object has no array \"messages\"");
  }
  std::vector<ChatMessage> messages;
  for (const nlohmann::json& item : *list) {
    ROCFORGE_ASSIGN_OR_RETURN(ChatMessage message, ReadMessage(item));
    messages.push_back(std::move(message));
  }
  messages_ = std::move(messages);
  return {};
}

}  // namespace rocforge::session
