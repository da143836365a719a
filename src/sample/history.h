// What a sampler remembers of the tokens before: counts for the penalties, the sequence for DRY.
// Internal to sample/.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tensor/logit_edit.h"

namespace rocforge::sample {

// How often each token occurs among the last `window` ones. Nothing allocates after construction.
class TokenWindow {
 public:
  // window: 0 remembers nothing and takes no memory, < 0 never forgets.
  TokenWindow(int64_t n_vocab, int64_t window);

  void Accept(int32_t token);
  void Clear();

  // The distinct tokens of the window, in no particular order.
  std::span<const int32_t> distinct() const { return {distinct_.data(), n_distinct_}; }
  int32_t count(int32_t token) const { return counts_[static_cast<size_t>(token)]; }

 private:
  void Add(int32_t token);
  void Remove(int32_t token);

  bool on_;
  std::vector<int32_t> ring_;  // empty if it never forgets
  size_t next_ = 0;
  size_t filled_ = 0;
  std::vector<int32_t> counts_;  // [n_vocab]
  std::vector<int32_t> place_;   // [n_vocab]: index in distinct_, meaningful where the count is > 0
  std::vector<int32_t> distinct_;  // [n_vocab]
  size_t n_distinct_ = 0;
};

// DRY ("don't repeat yourself", p-e-w 2024, text-generation-webui pull request 5677): if the last m
// tokens have occurred before, the token that followed them then loses multiplier * base^(m -
// allowed_length) where m >= allowed_length. m is the longest such match; a match does not reach
// over a breaker, and a breaker is never penalised.
class DryHistory {
 public:
  struct Params {
    float multiplier = 0;
    float base = 1;
    int32_t allowed_length = 1;
  };

  // Looks back on the last `window` tokens; 0 turns it off and takes no memory. `breakers` are ids
  // in [0, n_vocab).
  DryHistory(int64_t n_vocab, int64_t window, const Params& params,
             std::span<const int32_t> breakers);

  void Accept(int32_t token);
  void Clear();
  // Appends an edit for each token that would continue a repetition; the penalty times `scale`. No
  // allocation if `edits` has room for most_edits().
  void AppendEdits(double scale, std::vector<LogitEdit>* edits);
  size_t most_edits() const { return ring_.size(); }

 private:
  struct Match {
    int32_t token;
    int32_t length;
  };

  bool IsBreaker(int32_t token) const { return breaker_[static_cast<size_t>(token)] != 0; }
  // Fills matches_ with the tokens that would continue a repetition.
  void FindMatches();

  Params params_;
  std::vector<int32_t> ring_;
  size_t next_ = 0;
  size_t filled_ = 0;
  std::vector<uint8_t> breaker_;   // [n_vocab]
  std::vector<int32_t> backward_;  // scratch: the history, newest first
  std::vector<int32_t> match_;     // scratch: the Z function of backward_
  std::vector<Match> matches_;     // scratch
};

}  // namespace rocforge::sample
