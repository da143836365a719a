// A loaded model with everything that turns text into its tokens and back.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.h"
#include "rocforge/status.h"
#include "text/chat/chat_template.h"
#include "text/tokenizer/tokenizer.h"

namespace rocforge::session {

struct TextModelOptions {
  engine::EngineOptions engine;
  // Jinja source to use instead of the file's own chat template; empty: the file's.
  std::string chat_template;
};

// Owns the engine, which one thread at a time may use; the rest is immutable and thread-safe.
class TextModel {
 public:
  // Errors of Engine::Load and of Tokenizer::FromGguf, and those of `chat_template` if it cannot be
  // parsed. A template of the file that cannot be parsed is no error before it is used.
  static Result<std::unique_ptr<TextModel>> Load(const TextModelOptions& options);

  engine::Engine& engine() { return *engine_; }
  const engine::Engine& engine() const { return *engine_; }
  const text::Tokenizer& tokenizer() const { return *tokenizer_; }
  double load_seconds() const { return load_seconds_; }

  // Whether conversations can be rendered: Ok; kNotFound if the file has no template; the parser's
  // error if it is broken.
  Status chat_status() const { return chat_status_; }

  // Text as it stands, as the beginning of what the model is to continue: BOS where the file asks
  // for one, control tokens written out in the text become their ids, no EOS at the end.
  Result<std::vector<int32_t>> EncodeRaw(std::string_view text) const;

  // A conversation through the chat template. The BOS and EOS texts of `input` are set here. BOS is
  // put in front if the file asks for one and the template did not write it. Errors: chat_status(),
  // and those of text::chat::RenderChat.
  Result<std::vector<int32_t>> EncodeChat(text::chat::ChatTemplateInput input) const;

  // The rendered text of EncodeChat.
  Result<std::string> RenderChat(text::chat::ChatTemplateInput input) const;

 private:
  TextModel() = default;
  Status LoadChatTemplate(const std::string& override_source);

  std::unique_ptr<engine::Engine> engine_;
  std::unique_ptr<text::Tokenizer> tokenizer_;
  std::optional<text::chat::Template> chat_;
  Status chat_status_;
  std::string bos_text_;
  std::string eos_text_;
  double load_seconds_ = 0;
};

}  // namespace rocforge::session
