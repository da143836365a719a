// The samplers once more, as their definitions read: double precision, full sorts, no tricks.
#pragma once

#include <cstdint>
#include <random>
#include <span>
#include <vector>

#include "sample/sampler.h"

namespace rocforge::sample::testing {

struct RefToken {
  int32_t id = 0;
  double logit = 0;
  double prob = 0;
  double margin =
      1e9;  // distance of its ranking key to the last cut: small means "could go either way"
};

class Reference {
 public:
  explicit Reference(std::span<const float> logits);

  void Penalties(std::span<const int32_t> window, double repetition, double presence,
                 double frequency);
  void Dry(std::span<const int32_t> history, const SamplerParams& params,
           std::span<const int32_t> breakers);
  void TopNSigma(double n);
  void TopK(int k);
  void Typical(double p);
  void TopP(double p);
  void MinP(double p);
  void Xtc(double threshold);
  void Temperature(double t);

  // By ascending id, with probabilities.
  std::vector<RefToken> Tokens() const;
  // Tokens that a cut removed although they were within 1e-5 of it.
  const std::vector<int32_t>& NearlyKept() const { return nearly_kept_; }

 private:
  void Softmax();
  void SortByLogit();
  // Keeps tokens_[0, kept); key(i) is what they are sorted by.
  template <typename Key>
  void Cut(size_t kept, Key key);

  std::vector<RefToken> tokens_;
  std::vector<int32_t> nearly_kept_;
};

// Normal, around 0.
std::vector<float> RandomLogits(std::mt19937_64* gen, size_t n, float sigma);

}  // namespace rocforge::sample::testing
