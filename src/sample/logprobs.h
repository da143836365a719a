// Log-probabilities of raw logits: what users see as "logprobs", and what perplexity sums.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace rocforge::sample {

struct TokenLogProb {
  int32_t id = 0;
  float logprob = 0;  // natural logarithm
};

// ln(sum exp(logits)), accumulated in double. -infinity counts as probability 0; the result is NaN
// if a logit is NaN, and -infinity if there are none or all are -infinity.
double LogSumExp(std::span<const float> logits);

// out[i] = logits[i] - LogSumExp(logits). out may be logits itself; the sizes must be equal.
void LogSoftmax(std::span<const float> logits, std::span<float> out);

// The k best of the vocabulary (all of it if k is larger), best first, ties by the lower id.
// Replaces the contents of *out; allocates only if its capacity is below min(k, n).
void TopLogProbs(std::span<const float> logits, int64_t k, std::vector<TokenLogProb>* out);

}  // namespace rocforge::sample
