// A toy model on disk and a session over it, for the tests of this folder.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "session/session.h"
#include "tests/testing.h"
#include "tests/toy_model.h"

namespace rocforge::session {

// As the toy vocabulary numbers them.
inline constexpr int32_t kBos = 1;
inline constexpr int32_t kEos = 2;
inline int32_t ByteToken(unsigned char byte) { return 3 + byte; }
inline int32_t LetterToken(char c) { return 3 + 256 + 1 + (c - 'a'); }
inline std::vector<int32_t> Letters(std::string_view text) {
  std::vector<int32_t> ids;
  for (const char c : text) ids.push_back(LetterToken(c));
  return ids;
}

// Owns the file, the model and one session.
class ToySession {
 public:
  explicit ToySession(int32_t n_ctx = 64, int32_t n_threads = 1, std::string chat_template = {}) {
    testing::ToyModelOptions toy;
    toy.chat_template = std::move(chat_template);
    const std::string path = dir_.File("toy.gguf");
    EXPECT_OK(testing::WriteToyModel(path, toy));
    TextModelOptions options;
    options.engine.model_path = path;
    options.engine.device = "cpu";
    options.engine.n_ctx = n_ctx;
    options.engine.n_threads = n_threads;
    options.engine.kv_type = DType::kF32;
    options.engine.max_sequences = 3;
    options.engine.max_batch_tokens = 16;
    Result<std::unique_ptr<TextModel>> loaded = TextModel::Load(options);
    EXPECT_OK(loaded);
    if (!loaded.ok()) return;
    model_ = std::move(*loaded);
    session_ = NewSession();
  }

  explicit operator bool() const { return session_ != nullptr; }
  TextModel& model() { return *model_; }
  Session& session() { return *session_; }
  std::unique_ptr<Session> NewSession() {
    Result<std::unique_ptr<Session>> made = Session::Create(model_.get());
    EXPECT_OK(made);
    return made.ok() ? std::move(*made) : nullptr;
  }

 private:
  testing::TempDir dir_;
  std::unique_ptr<TextModel> model_;
  std::unique_ptr<Session> session_;
};

struct Produced {
  Status status;
  GenerateOutcome outcome;
  std::vector<int32_t> ids;
  std::string text;
  std::vector<std::vector<sample::TokenLogProb>> logprobs;  // by position
};

inline Produced Generate(Session& session, const GenerateRequest& request,
                         GenerateCallbacks callbacks = {}) {
  Produced p;
  const auto on_token = callbacks.on_token;
  callbacks.on_token = [&](int32_t id) {
    p.ids.push_back(id);
    if (on_token) on_token(id);
  };
  callbacks.on_text = [&](std::string_view text) {
    EXPECT_FALSE(text.empty());
    p.text += text;
  };
  callbacks.on_logprobs = [&](int64_t position, std::span<const sample::TokenLogProb> top) {
    EXPECT_EQ(position, static_cast<int64_t>(p.logprobs.size()));
    p.logprobs.emplace_back(top.begin(), top.end());
  };
  Result<GenerateOutcome> outcome = session.Generate(request, callbacks);
  p.status = outcome.status();
  if (outcome.ok()) p.outcome = std::move(*outcome);
  return p;
}

inline GenerateRequest Greedy(std::vector<int32_t> prompt, int64_t max_tokens) {
  GenerateRequest request;
  request.prompt = std::move(prompt);
  request.max_tokens = max_tokens;
  request.sampling.temperature = 0;
  request.ignore_eos = true;
  return request;
}

inline constexpr float kNever = -std::numeric_limits<float>::infinity();
inline constexpr float kAlways = 1e6f;

}  // namespace rocforge::session
