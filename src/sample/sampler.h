// Logits -> token. A Sampler holds everything that the choice depends on (parameters, generator,
// token history, mirostat's state) for one sequence; docs/SAMPLING.md describes each sampler.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rocforge/status.h"
#include "sample/candidates.h"
#include "sample/history.h"
#include "sample/random.h"
#include "tensor/logit_edit.h"

namespace rocforge::sample {

// The members of the chain. Each runs at most once, in the order that SamplerParams::order gives.
enum class SamplerKind : uint8_t {
  kPenalties,    // repetition, presence and frequency
  kDry,          // "don't repeat yourself": repeated sequences
  kTopNSigma,    // logits within n standard deviations of the best
  kTopK,         // the k best
  kTypical,      // locally typical
  kTopP,         // nucleus
  kMinP,         // probability at least min_p times the best one's
  kXtc,          // exclude top choices
  kTemperature,  // divides the logits
};

// "penalties", "dry", "top_n_sigma", "top_k", "typical", "top_p", "min_p", "xtc", "temperature".
const char* SamplerKindName(SamplerKind kind);

// penalties, dry, top_n_sigma, top_k, typical, top_p, min_p, xtc, temperature: llama.cpp's order.
std::vector<SamplerKind> DefaultOrder();

// Names separated by commas (spaces and letter case do not matter, '-' is read as '_'). A kind left
// out does not run. kInvalidArgument for an unknown or repeated name; the empty text is the empty
// order.
Result<std::vector<SamplerKind>> ParseOrder(std::string_view text);

// The defaults are llama.cpp's. A sampler whose parameter has its "off" value costs nothing.
struct SamplerParams {
  uint64_t seed = 0;  // callers without a seed from the user pass RandomSeed()

  float temperature = 0.8f;   // 0: greedy, see Sampler::Sample. 1: unchanged
  int32_t top_k = 40;         // <= 0: off
  float top_p = 0.95f;        // [0, 1]; 1: off. Always keeps at least one token
  float min_p = 0.05f;        // [0, 1]; 0: off
  float typical_p = 1.0f;     // [0, 1]; 1: off. Always keeps at least one token
  float top_n_sigma = -1.0f;  // <= 0: off

  float xtc_probability = 0.0f;  // [0, 1]; 0: off
  float xtc_threshold = 0.1f;    // [0, 1]; above 0.5: off

  // Over the last penalty_last_n accepted tokens (prompt and generated): 0 off, -1 all of them.
  int32_t penalty_last_n = 64;
  float repetition_penalty = 1.0f;  // > 0; 1: off. Divides positive, multiplies negative logits
  float presence_penalty = 0.0f;    // 0: off. Subtracted once from every token seen
  float frequency_penalty = 0.0f;   // 0: off. Subtracted once per occurrence

  float dry_multiplier = 0.0f;     // >= 0; 0: off
  float dry_base = 1.75f;          // >= 1
  int32_t dry_allowed_length = 2;  // >= 1: the longest repeated sequence that costs nothing
  int32_t dry_last_n = -1;         // 0 off, -1 the whole history
  // Texts at which a repetition ends. The caller, who knows the vocabulary, turns them into ids
  // with TokensContaining.
  std::vector<std::string> dry_sequence_breakers = {"\n", ":", "\"", "*"};

  // Mirostat 2 instead of the truncating samplers: 0 off, 2 on.
  int32_t mirostat = 0;
  float mirostat_tau = 5.0f;  // > 0: the surprise aimed at, in bits
  float mirostat_eta = 0.1f;  // > 0: the learning rate

  // (token, added to its logit), before everything else. -infinity bans the token; a token named
  // twice gets the sum.
  std::vector<std::pair<int32_t, float>> logit_bias;

  std::vector<SamplerKind> order = DefaultOrder();
};

// kInvalidArgument, naming the parameter, its value and what is allowed.
Status Validate(const SamplerParams& params, int64_t n_vocab);

// Whether the best token is taken and cuts do not act.
bool IsGreedy(const SamplerParams& params);
// Whether the kind is in the order and changes anything. XTC may draw that it does not.
bool Acts(SamplerKind kind, const SamplerParams& params);
// Where in the order the first one acts that is neither penalties nor DRY; its size if none does.
size_t FirstCut(const SamplerParams& params);

// Penalties or DRY, where they act before any cut.
struct EditStep {
  SamplerKind kind;
  // Logits are that much larger there than where the sampler acts, for a temperature before it.
  double scale = 1;
};
std::vector<EditStep> EditStepsOf(const SamplerParams& params);

// Whether there are such, or biases: what Sampler::NextEdits gives.
bool EditsLogits(const SamplerParams& params);

// How many of the tokens with the largest logits, after those edits, decide everything: top_k where
// it comes next in the chain. 0: all tokens are needed.
int32_t TokensNeeded(const SamplerParams& params);

// What of a chain acts on logits after those edits, in order: cuts and temperature, which whoever
// holds the logits can make, and draw with Sampler::NextDraw. Mirostat, if it is on, comes last.
struct DeviceChain {
  std::vector<SamplerKind> kinds;
  std::string obstacle;  // what is in the way of that; kinds is then of no use. Empty: nothing
};
DeviceChain DeviceChainOf(const SamplerParams& params);

// What a draw that is made elsewhere takes from the sampler.
struct DrawNumbers {
  double unit = 0;         // where in the remaining mass; [0, 1)
  bool xtc = false;        // XTC acts this time
  double mirostat_mu = 0;  // tokens of a larger surprise, in bits, are cut
};

// Ids in [0, n_vocab) whose text contains one of `texts`. text_of(id) is called once for each.
std::vector<int32_t> TokensContaining(std::span<const std::string> texts, int64_t n_vocab,
                                      const std::function<std::string(int32_t)>& text_of);

// The tokens among which the last Sample drew, by ascending id, with their logits after all
// samplers and their probabilities (sum 1). Greedy leaves one candidate with probability 1.
struct CandidateView {
  std::span<const int32_t> ids;
  std::span<const float> logits;
  std::span<const float> probs;
};

// One sequence's sampler. Not thread-safe; a copy goes on independently from the same state.
class Sampler {
 public:
  // n_vocab: length of the logits. max_history: tokens of prompt and text that penalty_last_n = -1
  // and dry_last_n = -1 can look back on (the context length); memory for it is taken only when
  // they are used. dry_breakers: see TokensContaining. kInvalidArgument as Validate, or for a
  // breaker that is no token.
  static Result<Sampler> Create(const SamplerParams& params, int64_t n_vocab, int64_t max_history,
                                std::span<const int32_t> dry_breakers = {});

  // Adds a token of the prompt or of the text to the history. Every sampled token must be accepted
  // by the caller, Sample does not do it. An id outside [0, n_vocab) is a bug of the caller. No
  // allocation.
  void Accept(int32_t token);

  // Draws the next token from logits[n_vocab]. The order of work: logit bias; then the chain in the
  // given order; then, if set, mirostat; then the draw. With temperature 0 only bias, penalties and
  // DRY act, and the best token is taken (ties: the lowest id); so too below 1e-6.
  // One number of the generator is used for the draw (none if greedy) and one before it by XTC if
  // it is on. No allocation unless it fails: kDataLoss if a logit is NaN or +infinity (the model or
  // its computation is broken), kFailedPrecondition if every token has -infinity.
  Result<int32_t> Sample(std::span<const float> logits);
  // The same, bit for bit, from the TokensNeeded(params()) tokens (or more) with the largest logits
  // after NextEdits alone, by ascending id; among equal logits the lower ids. The edits are not
  // made again.
  Result<int32_t> SampleAmong(std::span<const int32_t> ids, std::span<const float> logits);

  // For a token that is chosen elsewhere, after all tokens so far have been accepted:
  // what bias, penalties and DRY that act before the first cut do to the logits. Valid until the
  // next call of NextEdits or Sample. No allocation.
  EditLists NextEdits();
  // The numbers that Sample would use, if the token is drawn.
  DrawNumbers NextDraw();
  // And after the draw, its surprise in bits among the tokens that were left: for mirostat.
  void Observe(double surprise);

  // Valid until the next call of Sample.
  CandidateView candidates() const {
    return {candidates_.ids(), candidates_.logits(), candidates_.probs()};
  }

  // Forgets the history and starts generator and mirostat anew, as after Create.
  void Reset();

  const SamplerParams& params() const { return params_; }

 private:
  Sampler(const SamplerParams& params, int64_t n_vocab, int64_t max_history,
          std::span<const int32_t> dry_breakers);
  // Runs the samplers of the order from this one on, and draws.
  Result<int32_t> Choose(size_t first);
  void AppendEdits(SamplerKind kind, double scale);
  void RunKind(SamplerKind kind);

  SamplerParams params_;
  Random random_;
  float mu_ = 0;  // mirostat: the surprise above which tokens are cut, in bits
  TokenWindow window_;
  DryHistory dry_;
  std::vector<EditStep> edit_steps_;
  bool has_xtc_;
  std::vector<LogitEdit> bias_;   // each token once
  std::vector<LogitEdit> edits_;  // of one token
  Candidates candidates_;
};

}  // namespace rocforge::sample
