// Reference results of whole models (the "golden" folder of the reference data; its README defines
// the format) and the comparison of an engine with them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/engine.h"

namespace rocforge::golden {

// A distribution after feeding the tokens [0, abs_pos].
struct Position {
  int32_t abs_pos = 0;
  std::vector<std::pair<int32_t, double>> top;  // token, natural-log probability
  std::vector<double> logprobs;                 // of all tokens; empty where the data has none
};

struct Prompt {
  std::string name;
  std::vector<int32_t> ids;
  std::vector<int32_t> greedy;          // fed after the prompt, whatever our argmax is
  std::vector<double> prompt_logprobs;  // [i]: of ids[i + 1] after ids[0..i]
  std::vector<double> greedy_logprobs;  // [k]: of greedy[k] after ids and greedy[0..k)
  std::vector<double> greedy_margin;    // first minus second candidate there
  std::vector<Position> positions;

  // What is fed: ids, then all of greedy but the last.
  std::vector<int32_t> Tokens() const;
};

struct Model {
  std::string name;  // "tiny-llama-q4_k"
  std::string path;
  int32_t n_vocab = 0;
  bool quantised = false;
  std::vector<Prompt> prompts;
};

// Reads NAME.json and NAME.logits.f32; fails the current test and returns an empty model if that
// cannot be done.
Model LoadModel(const std::string& name);

// Every model that the reference data has a golden file for, sorted. Empty without the data.
std::vector<std::string> ModelsInFolder();

// How the tokens of a prompt are cut into steps.
enum class Feed {
  kDecode,   // the prompt as one batch, then one token at a time
  kPrefill,  // everything in one step
  kChunks,   // steps of 7 tokens
  kRagged,   // all prompts as sequences of the same steps, with different chunks
};
const char* FeedName(Feed feed);

// Log-probabilities after every token that was fed: [prompt][token][n_vocab].
using Rows = std::vector<std::vector<std::vector<double>>>;
Result<Rows> FeedAll(engine::Engine& engine, const Model& model, Feed feed);

struct Deviation {
  double max = 0;        // of |our log-probability - reference|, over everything compared
  double sum = 0;        // of the same
  std::string where;     // "story, position 17, token 42"
  int64_t compared = 0;  // numbers
  int64_t argmax_checked = 0;
  std::vector<std::string> argmax_wrong;  // where the reference's margin exceeds 2 * tolerance

  double mean() const { return compared == 0 ? 0 : sum / static_cast<double>(compared); }
};
Deviation Compare(const Model& model, const Rows& rows, double tolerance);

// One sequence's rows against the values of synthetic_expected.cc under that name. Fails the
// current test if there are none.
Deviation CompareExpected(const std::string& name, const std::vector<std::vector<double>>& rows);

// Engine options of these tests: F32 KV cache, one thread (tests run beside each other, and waiting
// for a thread that has no core is slow), room for three sequences.
engine::EngineOptions Options(const Model& model);

}  // namespace rocforge::golden
