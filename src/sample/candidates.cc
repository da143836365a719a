#include "sample/candidates.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"
#include "base/format.h"
#include "sample/math.h"

namespace rocforge::sample {
namespace {

constexpr float kMaxFloat = std::numeric_limits<float>::max();

// Up to this k a heap of the best so far beats selection: after a few thousand tokens hardly any
// token enters it, and the scan is a vectorised comparison of blocks.
constexpr size_t kHeapLimit = 512;
constexpr size_t kScanBlock = 64;
constexpr size_t kSumBlock = 1024;
constexpr size_t kSortLimit = 16;

Status NoCandidate() {
  return FailedPrecondition(
      "no token can be sampled: all have a logit of -infinity; relax the logit bias");
}

}  // namespace

Candidates::Candidates(int64_t n_vocab)
    : ids_(static_cast<size_t>(n_vocab)),
      logits_(static_cast<size_t>(n_vocab)),
      weights_(static_cast<size_t>(n_vocab)),
      ranked_(static_cast<size_t>(n_vocab)),
      marked_(static_cast<size_t>(n_vocab)) {}

Status Candidates::Load(std::span<const float> logits) {
  ROCFORGE_CHECK(logits.size() == logits_.size());
  size_ = logits.size();
  dense_ = true;
  have_weights_ = false;
  uint32_t bad = 0;
  for (size_t i = 0; i < size_; ++i) {
    logits_[i] = logits[i];
    bad |= static_cast<uint32_t>(!(logits[i] <= kMaxFloat));
  }
  if (bad == 0) return {};
  for (size_t i = 0; i < size_; ++i) {
    if (logits[i] <= kMaxFloat) continue;
    return DataLoss(
        Format("the model computed a logit of {} for token {}: the model file is damaged, or its "
               "values overflow",
               std::isnan(logits[i]) ? "NaN" : "+infinity", i));
  }
  return {};
}

Status Candidates::LoadSome(std::span<const int32_t> ids, std::span<const float> logits) {
  ROCFORGE_CHECK(ids.size() == logits.size() && ids.size() <= logits_.size());
  size_ = ids.size();
  dense_ = false;
  have_weights_ = false;
  for (size_t i = 0; i < size_; ++i) {
    ids_[i] = ids[i];
    logits_[i] = logits[i];
    if (!(logits[i] <= kMaxFloat))
      return DataLoss("the model computed a logit that is no number: the model file is damaged");
  }
  return {};
}

float* Candidates::Find(int32_t id) {
  if (dense_) return &logits_[static_cast<size_t>(id)];
  const auto end = ids_.begin() + static_cast<std::ptrdiff_t>(size_);
  const auto at = std::lower_bound(ids_.begin(), end, id);
  return at != end && *at == id ? &logits_[static_cast<size_t>(at - ids_.begin())] : nullptr;
}

void Candidates::Apply(std::span<const LogitEdit> edits) {
  have_weights_ = false;
  for (const LogitEdit& edit : edits) {
    float* logit = Find(edit.token);
    if (logit != nullptr) *logit = Edited(*logit, edit);
  }
}

void Candidates::NeedWeights() {
  if (have_weights_) return;
  max_ = MaxOf({logits_.data(), size_});
  if (max_ == kMinusInf) {
    std::fill_n(weights_.begin(), size_, 0.0f);
  } else {
    ExpShifted({logits_.data(), size_}, max_, weights_.data());
  }
  sum_ = SumOf({weights_.data(), size_});
  have_weights_ = true;
}

void Candidates::Move(size_t from, size_t to) {
  ids_[to] = IdAt(from);
  logits_[to] = logits_[from];
  weights_[to] = weights_[from];
}

void Candidates::Shrink(size_t size) {
  size_ = size;
  dense_ = false;
  if (have_weights_) sum_ = SumOf({weights_.data(), size_});
}

template <typename Predicate>
void Candidates::Keep(Predicate keep) {
  size_t kept = 0;
  for (size_t i = 0; i < size_; ++i) {
    if (!keep(i) || logits_[i] == kMinusInf) continue;
    Move(i, kept++);
  }
  Shrink(kept);
}

void Candidates::KeepRanked(std::span<Ranked> kept) {
  if (kept.size() > size_ / 16) {  // too many to sort: mark them and pass over all
    std::fill_n(marked_.begin(), size_, uint8_t{0});
    for (const Ranked& item : kept) marked_[static_cast<size_t>(item.index)] = 1;
    Keep([&](size_t i) { return marked_[i] != 0; });
    return;
  }
  std::sort(kept.begin(), kept.end(),
            [](const Ranked& a, const Ranked& b) { return a.index < b.index; });
  size_t to = 0;
  for (const Ranked& item : kept) {
    const size_t from = static_cast<size_t>(item.index);
    if (logits_[from] != kMinusInf) Move(from, to++);
  }
  Shrink(to);
}

std::span<Candidates::Ranked> Candidates::BestByHeap(size_t k) {
  const auto before = [](const Ranked& a, const Ranked& b) { return a.Before(b); };
  const std::span<Ranked> heap(ranked_.data(), k);  // its front is the worst of the best
  for (size_t i = 0; i < k; ++i) heap[i] = {logits_[i], static_cast<int32_t>(i)};
  std::make_heap(heap.begin(), heap.end(), before);
  for (size_t begin = k; begin < size_; begin += kScanBlock) {
    const size_t end = std::min(begin + kScanBlock, size_);
    if (!(MaxOf({logits_.data() + begin, end - begin}) > heap.front().key)) continue;
    for (size_t i = begin; i < end; ++i) {
      // An equal logit has the higher index, so it does not displace the front.
      if (!(logits_[i] > heap.front().key)) continue;
      std::pop_heap(heap.begin(), heap.end(), before);
      heap.back() = {logits_[i], static_cast<int32_t>(i)};
      std::push_heap(heap.begin(), heap.end(), before);
    }
  }
  return heap;
}

void Candidates::TopK(int32_t k) {
  const size_t count = static_cast<size_t>(k);
  if (count >= size_) return;
  if (count <= kHeapLimit) {
    KeepRanked(BestByHeap(count));
    return;
  }
  for (size_t i = 0; i < size_; ++i) ranked_[i] = {logits_[i], static_cast<int32_t>(i)};
  const auto begin = ranked_.begin();
  std::nth_element(begin, begin + k, begin + static_cast<std::ptrdiff_t>(size_),
                   [](const Ranked& a, const Ranked& b) { return a.Before(b); });
  KeepRanked({ranked_.data(), count});
}

// Quickselect by weight instead of by count: partition, sum the better part, and go on in the part
// that holds the boundary. Linear on average.
std::span<Candidates::Ranked> Candidates::SelectByMass(std::span<Ranked> items, double mass) const {
  const auto before = [](const Ranked& a, const Ranked& b) { return a.Before(b); };
  const auto at = [&](size_t i) { return items.begin() + static_cast<std::ptrdiff_t>(i); };
  size_t lo = 0;
  size_t hi = items.size();
  double found = 0;  // weight of items[0, lo), all kept
  while (hi - lo > kSortLimit) {
    Ranked trio[3] = {items[lo], items[lo + (hi - lo) / 2], items[hi - 1]};
    std::sort(std::begin(trio), std::end(trio), before);
    double better = 0;  // weight of the pivot and all before it: never empty, never everything
    const auto mid = std::partition(at(lo), at(hi), [&](const Ranked& item) {
      if (trio[1].Before(item)) return false;
      better += weights_[static_cast<size_t>(item.index)];
      return true;
    });
    const size_t cut = static_cast<size_t>(mid - items.begin());
    if (found + better >= mass) {
      hi = cut;
    } else {
      found += better;
      lo = cut;
    }
  }
  std::sort(at(lo), at(hi), before);
  for (size_t i = lo; i < hi; ++i) {
    found += weights_[static_cast<size_t>(items[i].index)];
    if (found >= mass) return items.first(i + 1);
  }
  return items.first(hi);
}

void Candidates::TopP(float p) {
  if (size_ <= 1) return;
  NeedWeights();
  const double mass = static_cast<double>(p) * sum_;
  // Tokens below e^-9 of the best rarely matter: select among the others if their mass suffices.
  size_t n = 0;
  double found = 0;
  const float cut = max_ - 9.0f;
  for (size_t i = 0; i < size_; ++i) {
    if (logits_[i] < cut) continue;
    ranked_[n++] = {logits_[i], static_cast<int32_t>(i)};
    found += weights_[i];
  }
  if (found < mass) {
    for (n = 0; n < size_; ++n) ranked_[n] = {logits_[n], static_cast<int32_t>(n)};
  }
  KeepRanked(SelectByMass({ranked_.data(), n}, mass));
}

void Candidates::Typical(float p) {
  if (size_ <= 1) return;
  NeedWeights();
  if (!(sum_ > 0)) return;
  // With s = ln(sum), ln p_i = (logit_i - max) - s and the entropy is s - sum p_i (logit_i - max).
  const double s = std::log(sum_);
  double weighted = 0;
  for (size_t i = 0; i < size_; ++i) {
    if (weights_[i] > 0) weighted += static_cast<double>(weights_[i]) * (logits_[i] - max_);
  }
  const double entropy = s - weighted / sum_;
  size_t n = 0;
  for (size_t i = 0; i < size_; ++i) {
    if (logits_[i] == kMinusInf) continue;
    const double surprise = s - (static_cast<double>(logits_[i]) - max_);
    ranked_[n++] = {-static_cast<float>(std::abs(surprise - entropy)), static_cast<int32_t>(i)};
  }
  KeepRanked(SelectByMass({ranked_.data(), n}, static_cast<double>(p) * sum_));
}

void Candidates::MinP(float p) {
  const float limit = MaxOf({logits_.data(), size_}) + std::log(p);
  Keep([&](size_t i) { return logits_[i] >= limit; });
}

void Candidates::TopNSigma(float n_sigma) {
  // Two passes, the second around the mean: logits far from zero lose no digits.
  double sum = 0;
  size_t n = 0;
  for (size_t i = 0; i < size_; ++i) {
    if (logits_[i] == kMinusInf) continue;
    sum += logits_[i];
    ++n;
  }
  if (n == 0) return;
  const double mean = sum / static_cast<double>(n);
  double squares = 0;
  for (size_t i = 0; i < size_; ++i) {
    if (logits_[i] == kMinusInf) continue;
    const double d = logits_[i] - mean;
    squares += d * d;
  }
  const double sigma = std::sqrt(squares / static_cast<double>(n));
  const double limit = MaxOf({logits_.data(), size_}) - n_sigma * sigma;
  Keep([&](size_t i) { return logits_[i] >= limit; });
}

void Candidates::Xtc(float threshold) {
  NeedWeights();
  const double limit = static_cast<double>(threshold) * sum_;
  size_t above = 0;
  size_t least = 0;
  for (size_t i = 0; i < size_; ++i) {
    if (!(weights_[i] >= limit) || logits_[i] == kMinusInf) continue;
    if (above == 0 || logits_[i] <= logits_[least]) least = i;
    ++above;
  }
  if (above < 2) return;
  Keep([&](size_t i) { return weights_[i] < limit || i == least; });
}

void Candidates::Temperature(float temperature) {
  have_weights_ = false;
  for (size_t i = 0; i < size_; ++i) logits_[i] = std::min(logits_[i] / temperature, kMaxFloat);
}

void Candidates::LimitSurprise(float bits) {
  NeedWeights();
  const double limit = std::exp2(-static_cast<double>(bits)) * sum_;
  if (limit > 1.0) {  // even the best token, whose weight is 1, surprises more
    KeepBest();
  } else {
    Keep([&](size_t i) { return weights_[i] >= limit; });
  }
}

void Candidates::KeepBest() {
  const float best = MaxOf({logits_.data(), size_});
  if (best == kMinusInf) return Shrink(0);
  Move(static_cast<size_t>(std::find(logits_.begin(), logits_.end(), best) - logits_.begin()), 0);
  weights_[0] = 1.0f;
  max_ = best;
  have_weights_ = true;
  Shrink(1);
}

Result<int32_t> Candidates::TakeBest() {
  KeepBest();
  if (size_ == 0) return NoCandidate();
  return ids_[0];
}

Result<int32_t> Candidates::Draw(Random* random, double* probability) {
  NeedWeights();
  // Whole blocks first: their sums do not wait for one another.
  double total = 0;
  const std::span<const float> weights(weights_.data(), size_);
  for (size_t i = 0; i < size_; i += kSumBlock) {
    total += SumOf(weights.subspan(i, std::min(kSumBlock, size_ - i)));
  }
  if (!(total > 0)) return NoCandidate();
  const double target = random->NextUnit() * total;
  size_t block = 0;
  double before = 0;
  for (; block + kSumBlock < size_; block += kSumBlock) {
    const double sum = SumOf(weights.subspan(block, kSumBlock));
    if (before + sum > target) break;
    before += sum;
  }
  size_t drawn = size_;  // rounding may carry the target past the last: then the last possible one
  for (size_t i = block; i < size_; ++i) {
    if (!(weights[i] > 0)) continue;
    drawn = i;
    before += weights[i];
    if (before > target) break;
  }
  if (drawn == size_) {
    for (drawn = size_ - 1; !(weights[drawn] > 0);) --drawn;
  }
  if (probability != nullptr) *probability = weights[drawn] / total;
  const float scale = static_cast<float>(1.0 / total);
  for (size_t i = 0; i < size_; ++i) weights_[i] *= scale;
  if (dense_) {
    for (size_t i = 0; i < size_; ++i) ids_[i] = static_cast<int32_t>(i);
    dense_ = false;
  }
  have_weights_ = false;  // they are probabilities now
  return ids_[drawn];
}

}  // namespace rocforge::sample
