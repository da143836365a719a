#include "sample/logprobs.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"
#include "sample/math.h"

namespace rocforge::sample {
namespace {

// Whole blocks are exponentiated into a small buffer: no memory for a vocabulary is needed.
constexpr size_t kBlock = 512;

bool Better(const TokenLogProb& a, const TokenLogProb& b) {
  return a.logprob > b.logprob || (a.logprob == b.logprob && a.id < b.id);
}

}  // namespace

double LogSumExp(std::span<const float> logits) {
  const float max = MaxOf(logits);
  float weights[kBlock];
  double sum = 0;
  bool nan = false;
  for (size_t begin = 0; begin < logits.size(); begin += kBlock) {
    const std::span<const float> block =
        logits.subspan(begin, std::min(kBlock, logits.size() - begin));
    for (const float x : block) nan |= x != x;
    ExpShifted(block, max, weights);
    sum += SumOf({weights, block.size()});
  }
  if (nan) return std::numeric_limits<double>::quiet_NaN();
  if (std::isinf(max)) return max;
  return max + std::log(sum);
}

void LogSoftmax(std::span<const float> logits, std::span<float> out) {
  ROCFORGE_CHECK(logits.size() == out.size());
  const double total = LogSumExp(logits);
  for (size_t i = 0; i < logits.size(); ++i) out[i] = static_cast<float>(logits[i] - total);
}

void TopLogProbs(std::span<const float> logits, int64_t k, std::vector<TokenLogProb>* out) {
  out->clear();
  const size_t count =
      static_cast<size_t>(std::clamp<int64_t>(k, 0, static_cast<int64_t>(logits.size())));
  if (count == 0) return;
  // A heap of the best so far, its worst in front. The raw logits rank; rounding to a logarithm
  // could make two equal.
  for (size_t i = 0; i < count; ++i) out->push_back({static_cast<int32_t>(i), logits[i]});
  std::make_heap(out->begin(), out->end(), Better);
  for (size_t i = count; i < logits.size(); ++i) {
    if (!(logits[i] > out->front().logprob)) continue;
    std::pop_heap(out->begin(), out->end(), Better);
    out->back() = {static_cast<int32_t>(i), logits[i]};
    std::push_heap(out->begin(), out->end(), Better);
  }
  std::sort(out->begin(), out->end(), Better);
  const double total = LogSumExp(logits);
  for (TokenLogProb& entry : *out) entry.logprob = static_cast<float>(entry.logprob - total);
}

}  // namespace rocforge::sample
