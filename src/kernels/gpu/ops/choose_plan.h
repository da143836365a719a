// Finds the bins of a row in which the places of its cuts must lie. Part of choose_tokens.
#pragma once

#include "kernels/gpu/ops/choose_row.h"

namespace rocforge::port {
namespace {

struct BinsShared {
  BlockReduceShared reduce;
  uint32_t count[kChooseBins];
  uint32_t high[kChooseBins];
  uint32_t low[kChooseBins];
  // Of the bins before.
  float counts[kChooseBins + 1];
  float weights[kChooseBins + 1];
  float moments[kChooseBins + 1];  // weights times bins; for typical
  uint32_t is_last;
};

// The cuts so far. Each is a place in the order of bins, known to lie in some of them.
struct Bounds {
  // The best tokens that are dropped lie before head_end, and all tokens before head_begin are.
  uint32_t head_begin, head_end;
  uint32_t first, last;  // where the worst token that is kept lies; kChooseBins: nothing is cut
  uint32_t listed_head, listed_last;  // what the steps need the tokens of

  RF_MEMBER void CutFrom(uint32_t from, uint32_t to) {
    first = from < first ? from : first;
    last = to < last ? to : last;
  }
  // The weight of what is kept so far is asked for, or something else of it.
  RF_MEMBER void NeedEnds() {
    if (last < kChooseBins && last > listed_last) listed_last = last;
  }
  RF_MEMBER float Most(const float* before) const {
    return before[last < kChooseBins ? last + 1 : last] - before[head_begin];
  }
  RF_MEMBER float Least(const float* before) const {
    return head_end < first ? before[first] - before[head_end] : 0.0f;
  }
};

// The bin in which the sum of `before` and the bins' own values comes to `target`: the number of
// bins whose sums stay below it.
RF_DEVICE uint32_t BinReaching(const float* before, float target, BlockReduceShared& reduce) {
  const float below = BlockSum(before[ThreadId() + 1] < target ? 1.0f : 0.0f, reduce);
  const auto bin = static_cast<uint32_t>(below);
  return bin < kChooseBins ? bin : kChooseBins - 1;
}

// Sums may be off by this share of all before them.
constexpr float kRoom = 1e-5f;

RF_DEVICE void PlanTopP(const Chain& chain, Bounds& b, BinsShared& s) {
  b.NeedEnds();
  const float least = s.weights[b.head_begin] + chain.draw().top_p * b.Least(s.weights);
  const float most = s.weights[b.head_end] + chain.draw().top_p * b.Most(s.weights);
  b.CutFrom(BinReaching(s.weights, least * (1.0f - kRoom), s.reduce),
            BinReaching(s.weights, most * (1.0f + kRoom), s.reduce));
}

// Tokens within a distance of the mean of BitsBelow are kept. Only the tail has been cut before.
// `mean`: of all tokens, in bins. A thread tries a distance.
RF_DEVICE void PlanTypical(const Chain& chain, float mean, Bounds& b, BinsShared& s) {
  b.NeedEnds();
  float low = mean - 0.05f;
  float high = mean + 0.05f;
  uint32_t end = kChooseBins;
  if (b.last < kChooseBins) {
    // Between what it is with the least of the tail and with the most, give or take half a bin.
    end = b.last + 1;
    low = b.first != 0 ? s.moments[b.first] / s.weights[b.first] - 0.6f : 0.0f;
    high = s.moments[end] / s.weights[end] + 0.6f;
  }
  const auto distance = static_cast<float>(ThreadId());
  const auto bin_at = [&](float place, uint32_t most) {
    const auto bin = static_cast<uint32_t>(place > 0.0f ? place : 0.0f);
    return bin < most ? bin : most;
  };
  const auto weight_of = [&](uint32_t from, uint32_t to) {
    return from < to ? s.weights[to] - s.weights[from] : 0.0f;
  };
  const float outer =
      weight_of(bin_at(low - distance, kChooseBins), bin_at(high + distance + 1.0f, end));
  const uint32_t inner_begin = high > distance ? bin_at(high - distance + 1.0f, kChooseBins) : 0;
  // Tokens of the last bin may be at any distance.
  const uint32_t inner_end = b.first < kChooseBins - 1 ? b.first : kChooseBins - 1;
  const float inner = weight_of(inner_begin, bin_at(low + distance, inner_end));
  const float p = chain.draw().typical_p;
  const float room = kRoom * s.weights[kChooseBins];
  const float too_near = BlockSum(outer < p * b.Least(s.weights) - room ? 1.0f : 0.0f, s.reduce);
  const float far = BlockSum(inner < p * b.Most(s.weights) + room ? 1.0f : 0.0f, s.reduce);
  const float near = too_near > 0.0f ? too_near - 1.0f : 0.0f;
  b.CutFrom(bin_at(low + near, kChooseBins - 1), bin_at(high + far, kChooseBins - 1));
  b.NeedEnds();  // both ends decide how far it is, whatever later steps cut
  b.head_begin = bin_at(low - far, kChooseBins);
  b.head_end = high >= near ? bin_at(high - near, kChooseBins - 1) + 1 : 0;
  // The best token that is kept is among the listed ones.
  const uint32_t next = BinReaching(s.counts, s.counts[b.head_end] + 0.5f, s.reduce) + 1;
  b.head_end = next > b.head_end ? next : b.head_end;
  b.listed_head = b.head_end;
}

RF_DEVICE void PlanXtc(const Range& range, const Chain& chain, Bounds& b, const BinsShared& s) {
  b.NeedEnds();
  float least = b.Least(s.weights);
  if (b.head_end == 0 && least < 1.0f) least = 1.0f;  // the best token
  const float limit = LogitOf(range, chain, chain.draw().xtc_threshold * least * (1.0f - 1e-4f));
  const uint32_t end = BinOf(range, limit) + 1;
  b.listed_head = end > b.listed_head ? end : b.listed_head;
}

RF_DEVICE void PlanMinP(const Range& range, const Chain& chain, float temperature, Bounds& b) {
  const uint32_t bin = BinOf(range, range.largest + chain.draw().min_p_log * temperature);
  // The best token that is kept lies so many bins lower at most.
  const uint32_t to = b.head_end == 0 ? bin : bin + b.head_end + 1;
  b.CutFrom(bin, to < kChooseBins ? to : kChooseBins - 1);
}

RF_DEVICE void PlanTopK(const Chain& chain, Bounds& b, BinsShared& s) {
  const auto k = static_cast<float>(chain.top_k);
  if (!(k < s.counts[kChooseBins])) return;
  const uint32_t from = BinReaching(s.counts, s.counts[b.head_begin] + k, s.reduce);
  const uint32_t to =
      b.head_end == 0 ? from : BinReaching(s.counts, s.counts[b.head_end] + k, s.reduce);
  b.CutFrom(from, to);
}

// The least logit within so many standard deviations of the best one.
RF_DEVICE float SigmaLimit(const gpu::ChooseArgs& args, const Chain& chain, const Range& range) {
  const uint64_t row = BlockIdY();
  const float variance = SumOfParts(args, row, &gpu::ChooseSums::squares) /
                         SumOfParts(args, row, &gpu::ChooseSums::count);
  if (!(variance < kInfinity)) return -kInfinity;
  const float sigma = variance > 0.0f ? variance * FastRsqrt(variance) : 0.0f;
  return range.largest - chain.draw().top_n_sigma * sigma;
}

RF_DEVICE void PlanMirostat(const Range& range, const Chain& chain, Bounds& b,
                            const BinsShared& s) {
  const float least = chain.draw().mirostat_least * s.weights[kChooseBins];
  const uint32_t bin = least > 1.0f ? 0 : BinOf(range, LogitOf(range, chain, least));
  b.CutFrom(bin, bin);
}

// What the last block knows of all tokens: the limit of top-n-sigma, and for typical the mean of
// BitsBelow, in bins.
struct Whole {
  float limit, mean;
};

RF_DEVICE Bounds BoundsOf(const Range& range, const Chain& chain, const Whole& whole,
                          BinsShared& s) {
  Bounds b = {0, 0, kChooseBins, kChooseBins, 0, 0};
  float temperature = 1.0f;
  for (uint32_t rest = chain.steps; rest != 0; rest >>= 4) {
    const uint32_t step = rest & 15u;
    if (step == gpu::kStepTopK) PlanTopK(chain, b, s);
    if (step == gpu::kStepTopP) PlanTopP(chain, b, s);
    if (step == gpu::kStepMinP) PlanMinP(range, chain, temperature, b);
    if (step == gpu::kStepTemperature) temperature = chain.draw().temperature;
    if (step == gpu::kStepTopNSigma) {
      const uint32_t bin = BinOf(range, whole.limit);
      b.CutFrom(bin, bin);
    }
    if (step == gpu::kStepTypical) PlanTypical(chain, whole.mean, b, s);
    if (step == gpu::kStepXtc) PlanXtc(range, chain, b, s);
    if (step == gpu::kStepMirostat) PlanMirostat(range, chain, b, s);
  }
  return b;
}

// What the row's last block does with the bins of all parts.
RF_DEVICE void PlanCuts(const gpu::ChooseArgs& args, const Chain& chain, const Range& range,
                        BinsShared& s) {
  const uint64_t row = BlockIdY();
  const gpu::ChooseBin* bins = args.bins + row * GridDim() * kChooseBins;
  uint32_t own_count = 0;
  float own_weight = 0.0f;
#pragma unroll 8
  for (uint32_t p = 0; p < GridDim(); ++p) {
    const gpu::ChooseBin bin = bins[p * kChooseBins + ThreadId()];
    own_count += bin.count;
    own_weight += bin.weight;
  }
  s.high[ThreadId()] = BitCast<uint32_t>(own_weight);  // not kept in a register: there are few
  s.counts[ThreadId() + 1] = static_cast<float>(BlockScan(own_count, s.reduce));
  s.weights[ThreadId() + 1] = BlockScan(own_weight, s.reduce);
  if (Has(chain, Bit(gpu::kStepTypical))) {
    const float middle = static_cast<float>(ThreadId()) + 0.5f;
    s.moments[ThreadId() + 1] = BlockScan(own_weight * middle, s.reduce);
  }
  if (ThreadId() == 0) s.counts[0] = s.weights[0] = s.moments[0] = 0.0f;
  Whole whole = {-kInfinity, 0.0f};
  if (Has(chain, Bit(gpu::kStepTopNSigma))) whole.limit = SigmaLimit(args, chain, range);
  BlockBarrier();
  if (Has(chain, Bit(gpu::kStepTypical))) {
    const float bits = SumOfParts(args, row, &gpu::ChooseSums::moment) / s.weights[kChooseBins];
    whole.mean = bits * range.per_bin / chain.cut_scale;
  }
  Bounds b = BoundsOf(range, chain, whole, s);
  b.last = b.last > b.listed_last ? b.last : b.listed_last;
  if (args.draws == nullptr) {
    // All that is kept is listed; without a cut that is everything.
    b.first = 0;
    b.last = b.last < kChooseBins ? b.last : kChooseBins - 1;
  }
  uint32_t head = b.listed_head;
  if (b.last < kChooseBins && head > b.last) head = b.last + 1;
  const uint32_t front = head < b.first ? head : b.first;  // listed before first
  float weight_before = s.weights[b.first];
  if (head != 0) {
    const bool between = ThreadId() >= head && ThreadId() < b.first;
    weight_before = BlockSum(between ? BitCast<float>(s.high[ThreadId()]) : 0.0f, s.reduce);
  }
  if (ThreadId() != 0) return;
  const float tail = b.last < kChooseBins ? s.counts[b.last + 1] - s.counts[b.first] : 0.0f;
  args.plans[row] = {head,
                     b.first,
                     b.last,
                     static_cast<uint32_t>(s.counts[front] + tail),
                     s.counts[b.first] - s.counts[front],
                     weight_before,
                     s.counts[kChooseBins],
                     s.weights[kChooseBins],
                     whole.limit};
}

}  // namespace
}  // namespace rocforge::port
