#include "session/text_model.h"

#include <chrono>
#include <utility>

namespace rocforge::session {

Result<std::unique_ptr<TextModel>> TextModel::Load(const TextModelOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  std::unique_ptr<TextModel> model(new TextModel());
  ROCFORGE_ASSIGN_OR_RETURN(model->engine_, engine::Engine::Load(options.engine));
  const gguf::File& file = model->engine_->file();
  ROCFORGE_ASSIGN_OR_RETURN(model->tokenizer_, text::Tokenizer::FromGguf(file));
  ROCFORGE_RETURN_IF_ERROR(model->LoadChatTemplate(options.chat_template));
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  model->load_seconds_ = elapsed.count();
  return model;
}

Status TextModel::LoadChatTemplate(const std::string& override_source) {
  const text::SpecialTokens& special = tokenizer_->special_tokens();
  bos_text_ = std::string(tokenizer_->text(special.bos));
  eos_text_ = std::string(tokenizer_->text(special.eos));
  if (!override_source.empty()) {
    Result<text::chat::Template> parsed = text::chat::Template::Parse(override_source);
    if (!parsed.ok()) return parsed.status().WithContext("chat template");
    chat_ = std::move(parsed).value();
    return {};
  }
  Result<text::chat::ModelChatTemplate> found = text::chat::LoadChatTemplate(engine_->file());
  if (!found.ok()) {
    chat_status_ = found.status();
    return {};
  }
  bos_text_ = found->bos_token;
  eos_text_ = found->eos_token;
  Result<text::chat::Template> parsed = text::chat::Template::Parse(found->source);
  if (parsed.ok()) {
    chat_ = std::move(parsed).value();
  } else {
    chat_status_ = parsed.status().WithContext("the model's chat template cannot be used");
  }
  return {};
}

Result<std::vector<int32_t>> TextModel::EncodeRaw(std::string_view text) const {
  ROCFORGE_ASSIGN_OR_RETURN(std::vector<int32_t> ids, tokenizer_->Encode(text, {}));
  // A text to be continued has no end yet.
  if (tokenizer_->add_eos() && !ids.empty() && ids.back() == tokenizer_->eos()) ids.pop_back();
  return ids;
}

Result<std::string> TextModel::RenderChat(text::chat::ChatTemplateInput input) const {
  ROCFORGE_RETURN_IF_ERROR(chat_status_);
  input.bos_token = bos_text_;
  input.eos_token = eos_text_;
  Result<std::string> text = text::chat::RenderChat(*chat_, input);
  if (!text.ok()) return text.status().WithContext("chat template");
  return text;
}

Result<std::vector<int32_t>> TextModel::EncodeChat(text::chat::ChatTemplateInput input) const {
  ROCFORGE_ASSIGN_OR_RETURN(const std::string text, RenderChat(std::move(input)));
  const text::EncodeOptions as_written = {.add_special = false, .parse_special = true};
  ROCFORGE_ASSIGN_OR_RETURN(std::vector<int32_t> ids, tokenizer_->Encode(text, as_written));
  const int32_t bos = tokenizer_->bos();
  if (tokenizer_->add_bos() && bos != text::kNoToken && (ids.empty() || ids.front() != bos)) {
    ids.insert(ids.begin(), bos);
  }
  return ids;
}

}  // namespace rocforge::session
