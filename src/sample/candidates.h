// The set of tokens that may still be drawn, and the samplers that shrink or reshape it. Internal
// to sample/: Sampler runs these in the user's order.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "rocforge/status.h"
#include "sample/random.h"
#include "tensor/logit_edit.h"

namespace rocforge::sample {

// Always ordered by ascending id, so that a draw does not depend on how near-equal logits sort.
// Samplers that truncate find the worst token to keep by selection, never by a full sort: the work
// is linear in the vocabulary. Nothing allocates after construction.
class Candidates {
 public:
  explicit Candidates(int64_t n_vocab);

  // All tokens with these logits[n_vocab]. kDataLoss if one is NaN or +infinity.
  Status Load(std::span<const float> logits);
  // Only these tokens, ascending, with their logits. The same errors.
  Status LoadSome(std::span<const int32_t> ids, std::span<const float> logits);

  size_t size() const { return size_; }
  size_t capacity() const { return logits_.size(); }  // n_vocab
  // Edits of tokens that are no candidates are passed over.
  void Apply(std::span<const LogitEdit> edits);

  // Each does what its SamplerKind says; the parameters are valid and not "off". All keep at least
  // one candidate if there was one, and drop those of -infinity.
  void TopNSigma(float n_sigma);
  void TopK(int32_t k);
  void Typical(float p);
  void TopP(float p);
  void MinP(float p);
  void Xtc(float threshold);
  void Temperature(float temperature);
  // Keeps the tokens with a surprise of at most `bits` (mirostat's mu).
  void LimitSurprise(float bits);

  // Leaves the best token alone (ties: the lowest id). kFailedPrecondition as Draw.
  Result<int32_t> TakeBest();

  // Draws by the probabilities; *probability (if not null) is that of the drawn token.
  // kFailedPrecondition if there is none with a probability above 0.
  Result<int32_t> Draw(Random* random, double* probability);

  // Valid after Draw or TakeBest.
  std::span<const int32_t> ids() const { return {ids_.data(), size_}; }
  std::span<const float> logits() const { return {logits_.data(), size_}; }
  std::span<const float> probs() const { return {weights_.data(), size_}; }

 private:
  // A candidate (by its index here) in a ranking: higher keys first, then lower indices.
  struct Ranked {
    float key;
    int32_t index;
    bool Before(const Ranked& o) const { return key > o.key || (key == o.key && index < o.index); }
  };

  // The logit of token `id`, or null if it is no longer a candidate.
  float* Find(int32_t id);
  int32_t IdAt(size_t i) const { return dense_ ? static_cast<int32_t>(i) : ids_[i]; }
  void NeedWeights();
  // Moves candidate `from` to place `to` <= from.
  void Move(size_t from, size_t to);
  void Shrink(size_t size);
  template <typename Predicate>
  void Keep(Predicate keep);
  void KeepBest();
  // Keeps exactly the candidates in kept[]; reorders kept.
  void KeepRanked(std::span<Ranked> kept);
  std::span<Ranked> BestByHeap(size_t k);
  // The shortest prefix of the ranking `items` whose weights sum to at least `mass` (all of it if
  // they do not). Reorders items so that this prefix, unsorted, is their beginning.
  std::span<Ranked> SelectByMass(std::span<Ranked> items, double mass) const;

  size_t size_ = 0;
  bool dense_ = true;          // every token is a candidate, ids_ is not filled
  bool have_weights_ = false;  // weights_ and max_ fit logits_
  float max_ = 0;              // the logit whose weight is 1
  double sum_ = 0;             // of weights_
  std::vector<int32_t> ids_;
  std::vector<float> logits_;
  std::vector<float> weights_;   // exp(logit - max_), at the end divided by their sum
  std::vector<Ranked> ranked_;   // scratch
  std::vector<uint8_t> marked_;  // scratch
};

}  // namespace rocforge::sample
