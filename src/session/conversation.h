// A chat: messages in, answers out, over one Session. Edits of the history need no care: each
// answer starts from the longest part of the rendered conversation that the cache still holds.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "rocforge/status.h"
#include "session/session.h"

namespace rocforge::session {

struct ChatMessage {
  std::string role;  // "system", "user" or "assistant"
  std::string content;

  bool operator==(const ChatMessage&) const = default;
};

// One thread at a time.
class Conversation {
 public:
  // The model must be able to chat (TextModel::chat_status) and outlive the conversation.
  static Result<std::unique_ptr<Conversation>> Create(TextModel* model);

  // The first message if it is a system message, else "".
  std::string_view system() const;
  // Sets or, for "", removes the system message; the rest of the history stays.
  void SetSystem(std::string text);
  void AddUser(std::string text) { messages_.push_back({"user", std::move(text)}); }
  // Removes the last user message and what follows it. False if there is none.
  bool Undo();
  // Removes the answer to the last user message, so that Reply gives another one. False if the
  // conversation has no user message.
  bool DropAnswer();
  // Forgets all messages but the system message.
  void Clear();

  // Answers the last message, which must be the user's (kFailedPrecondition), and appends the
  // answer, also one that was interrupted, as far as it came. `request` gives everything but the
  // prompt. With request.context_shift, the oldest turns are left out of the prompt when the whole
  // conversation leaves less than an eighth of the context for the answer (left_out() says how
  // many messages); without it that is kResourceExhausted. After an error the history is as before.
  Result<GenerateOutcome> Reply(GenerateRequest request, const GenerateCallbacks& callbacks);

  const std::vector<ChatMessage>& messages() const { return messages_; }
  int64_t left_out() const { return left_out_; }  // of the last Reply
  const Session& session() const { return *session_; }

  // The history as JSON text ({"messages": [{"role", "content"}, ...]}), and back.
  // kInvalidArgument says what is wrong with the text; the history is then as before.
  std::string Save() const;
  Status Load(std::string_view json);

 private:
  Conversation(TextModel* model, std::unique_ptr<Session> session)
      : model_(model), session_(std::move(session)) {}
  // The conversation without the messages [first, first + count), as tokens.
  Result<std::vector<int32_t>> Encode(size_t first, size_t count) const;
  Result<std::vector<int32_t>> EncodeToFit(bool may_leave_out);

  TextModel* model_;
  std::unique_ptr<Session> session_;
  std::vector<ChatMessage> messages_;
  int64_t left_out_ = 0;
};

}  // namespace rocforge::session
