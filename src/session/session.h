// One sequence of tokens and its continuation: the sampling loop with everything a user may ask of
// it. What the command line and the server share. Prints nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rocforge/status.h"
#include "sample/logprobs.h"
#include "sample/sampler.h"
#include "session/text_model.h"

namespace rocforge::session {

enum class FinishReason : uint8_t {
  kStop,       // an end-of-generation token, or a stop string
  kLength,     // max_tokens
  kContext,    // prompt and text fill the context
  kCancelled,  // the callback said so
};

// "stop", "length", "context", "cancelled".
const char* FinishReasonName(FinishReason reason);

inline constexpr int64_t kNoTokenLimit = -1;

struct GenerateRequest {
  // All tokens that the text goes on from, those of earlier turns too: what the cache already holds
  // of them is not computed again.
  std::vector<int32_t> prompt;
  int64_t max_tokens = kNoTokenLimit;  // 0: only the prompt is computed
  sample::SamplerParams sampling;

  std::vector<std::string> stop;  // the text ends before the first of them
  bool ignore_eos = false;        // end-of-generation tokens are tokens like others
  bool show_special = false;      // control tokens appear in the text
  // The text is one of its own (an answer), not the continuation of the prompt's words: a space
  // that the vocabulary puts in front of a text is dropped. Always so where the prompt ends with a
  // control token.
  bool own_text = false;
  std::vector<int32_t> forced;  // fed instead of the first sampled tokens

  // Best tokens to report at each position; 0: none. Beyond the vocabulary means all of it. They
  // are of the model's own distribution, before bias, penalties and temperature. The whole prompt
  // is then computed, and the last token is fed too, so that every position has its distribution.
  // Not with context_shift.
  int64_t logprobs = 0;

  // At the end of the context: false: stop (kContext). true: keep the first n_keep tokens (-1: the
  // whole prompt; BOS in any case), drop the older half of the others, compute what is left anew at
  // its new positions, and go on. What follows is exactly what the shortened text would give.
  bool context_shift = false;
  int32_t n_keep = 0;
};

// Called from Generate, in the calling thread. Any may be empty.
struct GenerateCallbacks {
  std::function<bool()> cancelled;  // asked before each token, and between chunks of the prompt
  // Tokens of the prompt that are computed, of those that must be; before each chunk.
  std::function<void(int64_t done, int64_t total)> on_prompt;
  std::function<void(int32_t id)> on_token;            // each generated token, the end token too
  std::function<void(std::string_view text)> on_text;  // complete characters, never empty
  // `position` counts from 0 at the first token of the prompt: the distribution after that token,
  // best first.
  std::function<void(int64_t position, std::span<const sample::TokenLogProb> top)> on_logprobs;
};

struct GenerateStats {
  int64_t prompt_tokens = 0;
  int64_t reused_tokens = 0;     // of the prompt, that the cache held
  int64_t generated_tokens = 0;  // the end token included
  int64_t decode_steps = 0;      // steps of one token each
  int64_t context_shifts = 0;
  double prompt_seconds = 0;           // computing the tokens not reused
  double first_token_seconds = 0;      // from the call to the first token; 0 if there is none
  double decode_seconds = 0;           // of the decode steps and their sampling
  double decode_bytes = 0;             // compulsory memory traffic of the decode steps
  exec::StepCounters decode_counters;  // what the decode steps asked of the GPU's driver, together

  // 0 where nothing was measured.
  double prompt_tokens_per_second() const;
  double decode_tokens_per_second() const;
  double decode_bytes_per_second() const;
};

struct GenerateOutcome {
  FinishReason reason = FinishReason::kLength;
  std::string stop_string;  // the one that was found, if any
  GenerateStats stats;
};

// Holds one sequence of the engine and the tokens in it. One thread at a time; several Sessions of
// one TextModel may exist (EngineOptions::max_sequences) but not generate at once.
class Session {
 public:
  // kResourceExhausted if the engine has no sequence left. The model must outlive the session.
  static Result<std::unique_ptr<Session>> Create(TextModel* model);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Continues request.prompt. Errors: kInvalidArgument (names what is wrong) for an empty prompt,
  // an id outside the vocabulary, bad sampling parameters and combinations that cannot be;
  // kResourceExhausted for a prompt that does not fit the context; what the engine and the sampler
  // report. Text handed to on_text before an error stays valid. After warm-up (the prompt and the
  // first token) nothing allocates memory for each token, callbacks apart.
  Result<GenerateOutcome> Generate(const GenerateRequest& request,
                                   const GenerateCallbacks& callbacks);

  // The tokens whose keys and values the cache holds.
  std::span<const int32_t> cached_tokens() const { return tokens_; }
  // Forgets them all.
  Status Clear();

 private:
  struct Run;  // the state of one Generate
  Session(TextModel* model, engine::SequenceId sequence);

  Status CheckRequest(const GenerateRequest& request) const;
  Result<sample::Sampler> MakeSampler(const GenerateRequest& request) const;
  Status FeedPrompt(Run& run);
  Status FeedAllLogits(Run& run, std::span<const int32_t> ids,
                       const std::function<bool()>& cancelled);
  Status Decode(Run& run);
  Result<int32_t> NextToken(Run& run) const;
  // Whether the text ends with this token, and why: run.outcome.
  bool EndsWith(Run& run, int32_t id) const;
  Status FeedToken(Run& run, int32_t id);
  Status ShiftContext(Run& run);
  void ReportLogProbs(Run& run, int64_t position, int32_t row) const;
  // Leaves the first n tokens in the cache, or none where the engine cannot go back so far.
  Status KeepPrefix(size_t n);
  size_t n_ctx() const;

  TextModel* model_;
  engine::SequenceId sequence_;
  std::vector<int32_t> tokens_;  // in the cache; capacity: the context
};

}  // namespace rocforge::session
