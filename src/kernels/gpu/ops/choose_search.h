// Finds the places of a row's cuts among the tokens near them. Part of choose_tokens.
#pragma once

#include "kernels/gpu/ops/choose_row.h"

namespace rocforge::port {
namespace {

struct DrawShared {
  BlockReduceShared reduce;
  float part_weight[gpu::kMostChooseParts];
  float reached[kWaves];
  gpu::TopToken list[kChooseList];
  uint32_t is_last;
};

// A place in an order of tokens: before it are those with a larger key, and those with its key and
// a lower token.
struct Place {
  uint32_t key, token;
};
constexpr Place kEnd = {0, kAnyToken};

RF_DEVICE bool IsBefore(uint32_t key, uint32_t token, const Place& place) {
  return key > place.key || (key == place.key && token < place.token);
}

// What the cuts so far keep: the tokens that are before `end` by their logits, before `near_end` by
// their distance to `mean`, the mean of BitsBelow (typical), and not before `begin` (XTC, the last
// cut).
struct Kept {
  Place begin = {kAnyToken, 0};
  Place end = kEnd;
  Place near_end = kEnd;
  float mean = 0.0f;
};

// A row as choose_tokens sees it.
struct Row {
  const float* logits;
  const gpu::TopToken* list;  // in shared memory, so that the compiler knows; see listed()
  Range range;
  Chain chain;
  uint32_t n_vocab;
  uint32_t head_end, first, last, n_listed;  // as in ChoosePlan

  // Tokens in the bins of the cuts, by ascending token: the list, or where that is too short all
  // tokens.
  RF_MEMBER bool listed() const { return n_listed <= kChooseList; }
  RF_MEMBER uint32_t n_candidates() const {
    return n_listed == 0 ? 0 : listed() ? n_listed : n_vocab;
  }
  RF_MEMBER bool IsCutBin(uint32_t bin) const {
    return bin < head_end || (bin >= first && bin <= last);
  }
  RF_MEMBER bool IsKeptBin(uint32_t bin) const { return bin >= head_end && bin < first; }
  RF_MEMBER bool InCutBin(float x) const { return x != -kInfinity && IsCutBin(BinOf(range, x)); }
  // False where i is no candidate.
  RF_MEMBER bool Candidate(uint32_t i, float& x, uint32_t& token) const {
    if (listed()) {
      const gpu::TopToken t = list[i];
      x = t.logit;
      token = static_cast<uint32_t>(t.token);
      return true;
    }
    x = logits[i];
    token = i;
    return InCutBin(x);
  }
  // For the order of distances to the mean.
  RF_MEMBER uint32_t NearnessOf(const Kept& kept, float x) const {
    return ~BitCast<uint32_t>(__builtin_fabsf(BitsBelow(range, chain, x) - kept.mean));
  }
  // After all cuts.
  RF_MEMBER bool Keeps(const Kept& kept, float x, uint32_t token) const {
    const uint32_t key = OrderedBits(x);
    if (!IsBefore(key, token, kept.end) || IsBefore(key, token, kept.begin)) return false;
    return kept.near_end.key == 0 || IsBefore(NearnessOf(kept, x), token, kept.near_end);
  }
};

// visit(x, token) for the candidates begin, begin + step, ... before end.
template <typename Visit>
RF_DEVICE void EachCandidate(const Row& row, uint32_t begin, uint32_t end, uint32_t step,
                             Visit visit) {
  for (uint32_t i = begin; i < end; i += step) {
    float x;
    uint32_t token;
    if (row.Candidate(i, x, token)) visit(x, token);
  }
}

// visit(x, token) for a lane's share of all candidates that are kept before XTC. Each wave goes
// through all of them. kTypical: that is among the cuts; a search without it is quicker.
template <bool kTypical, typename Visit>
RF_DEVICE void EachKept(const Row& row, const Kept& kept, Visit visit) {
  EachCandidate(row, LaneId(), row.n_candidates(), kWaveSize, [&](float x, uint32_t token) {
    if (!IsBefore(OrderedBits(x), token, kept.end)) return;
    if (kTypical && !IsBefore(row.NearnessOf(kept, x), token, kept.near_end)) return;
    visit(x, token);
  });
}

// What orders the tokens of a cut and what it adds up.
struct Order {
  bool by_distance;  // with kTypical
  bool weigh;        // else counted
};

template <bool kTypical>
RF_DEVICE uint32_t KeyOf(const Row& row, const Kept& kept, const Order& order, float x) {
  return kTypical && order.by_distance ? row.NearnessOf(kept, x) : OrderedBits(x);
}

// Number or weight of the kept candidates before a place.
template <bool kTypical>
RF_DEVICE float Amount(const Row& row, const Kept& kept, const Order& order, const Place& place) {
  float sum = 0.0f;
  EachKept<kTypical>(row, kept, [&](float x, uint32_t token) {
    if (!IsBefore(KeyOf<kTypical>(row, kept, order, x), token, place)) return;
    sum += order.weigh ? Weight(row.range, row.chain.cut_scale, x) : 1.0f;
  });
  return WaveSum(sum);
}

// `from` with the largest value in its low `bits` bits, which are 0, for which whether `measure`
// comes to `target` is `reach`. For 0 it is, and for all values up to the one that is found. Each
// wave tries another value of some bits at once.
template <typename Measure>
RF_DEVICE uint32_t LargestReaching(uint32_t from, uint32_t bits, float target, bool reach,
                                   DrawShared& s, Measure measure) {
  constexpr uint32_t kBits = kWaves == 16 ? 4 : 3;
  static_assert(kWaves == 1u << kBits);
  uint32_t found = from;
  while (bits > 0) {
    const uint32_t step = bits < kBits ? bits : kBits;
    bits -= step;
    const float amount = measure(found | ((WaveId() & ((1u << step) - 1)) << bits));
    if (LaneId() == 0) s.reached[WaveId()] = amount;
    SharedBarrier();
    uint32_t best = 0;  // the value itself has been found to hold
    for (uint32_t v = 1; v < 1u << step; ++v) best = (s.reached[v] >= target) == reach ? v : best;
    SharedBarrier();
    found |= best << bits;
  }
  return found;
}

// The first place of the order where `base` and the kept candidates before it come to `target`;
// kEnd where they never do.
template <bool kTypical>
RF_DEVICE Place PlaceOf(const Row& row, const Kept& kept, const Order& order, float base,
                        float target, DrawShared& s) {
  if (base + Amount<kTypical>(row, kept, order, kEnd) <= target) return kEnd;
  uint32_t largest = 0;
  uint32_t inverse_least = 0;
  EachKept<kTypical>(row, kept, [&](float x, uint32_t) {
    const uint32_t key = KeyOf<kTypical>(row, kept, order, x);
    largest = key > largest ? key : largest;
    inverse_least = ~key > inverse_least ? ~key : inverse_least;
  });
  largest = WaveMaxOfWords(largest);
  const uint32_t least = ~WaveMaxOfWords(inverse_least);
  // The largest key with which the target is reached: the bits that all keys share, then the rest.
  const uint32_t differing = largest ^ least;
  const uint32_t bits = differing == 0 ? 0 : 32 - static_cast<uint32_t>(__builtin_clz(differing));
  const uint32_t shared_bits = bits == 32 ? 0 : least >> bits << bits;
  const uint32_t key = LargestReaching(shared_bits, bits, target, true, s, [&](uint32_t tried) {
    return base + Amount<kTypical>(row, kept, order, {tried, kAnyToken});
  });
  // Among equal keys the lower tokens: the most of them that do not reach it, and one more.
  const float all = Amount<kTypical>(row, kept, {order.by_distance, false}, {key, kAnyToken});
  if (all - Amount<kTypical>(row, kept, {order.by_distance, false}, {key, 0}) <= 1.0f)
    return {key, kAnyToken};
  const uint32_t token_bits = 32 - static_cast<uint32_t>(__builtin_clz(row.n_vocab));
  return {key, 1 + LargestReaching(0, token_bits, target, false, s, [&](uint32_t token) {
                 return base + Amount<kTypical>(row, kept, order, {key, token});
               })};
}

// The logit below which a step drops, given what is kept before it: min-p, top-n-sigma, mirostat.
template <bool kTypical>
RF_DEVICE float LimitOf(const Row& row, const gpu::ChoosePlan& plan, const Kept& kept,
                        uint32_t step, float temperature) {
  if (step == gpu::kStepTopNSigma) return plan.limit;
  if (step == gpu::kStepMirostat)
    return LogitOf(row.range, row.chain, row.chain.draw().mirostat_least * plan.weight);
  float best = row.range.largest;
  if (kTypical) {
    float own = -kInfinity;
    EachKept<kTypical>(row, kept, [&](float x, uint32_t) { own = x > own ? x : own; });
    best = WaveMax(own);
  }
  return best + row.chain.draw().min_p_log * temperature;
}

// The mean of BitsBelow of what is kept; `cut`: that is not everything.
template <bool kTypical>
RF_DEVICE float MeanOf(const gpu::ChooseArgs& args, const Row& row, const Kept& kept, bool cut,
                       float mass) {
  float moment = 0.0f;
  if (cut) {
    EachKept<kTypical>(row, kept, [&](float x, uint32_t) {
      moment += Moment(row.range, row.chain, x, Weight(row.range, row.chain.cut_scale, x));
    });
    moment = WaveSum(moment) + SumOfParts(args, BlockIdY(), &gpu::ChooseSums::moment_above);
  } else {
    moment = SumOfParts(args, BlockIdY(), &gpu::ChooseSums::moment);
  }
  return moment / mass;
}

// Where XTC lets the kept tokens begin: at the last of those that weigh at least `limit`.
template <bool kTypical>
RF_DEVICE Place XtcBegin(const Row& row, const Kept& kept, float limit) {
  float above = 0.0f;
  uint32_t inverse_least = 0;
  EachKept<kTypical>(row, kept, [&](float x, uint32_t) {
    if (!(Weight(row.range, row.chain.cut_scale, x) >= limit)) return;
    above += 1.0f;
    const uint32_t inverse = ~OrderedBits(x);
    inverse_least = inverse > inverse_least ? inverse : inverse_least;
  });
  if (WaveSum(above) < 2.0f) return kept.begin;
  const uint32_t least = ~WaveMaxOfWords(inverse_least);
  uint32_t last = 0;
  EachKept<kTypical>(row, kept, [&](float x, uint32_t token) {
    if (OrderedBits(x) == least && token > last) last = token;
  });
  return {least, WaveMaxOfWords(last)};
}

// Where `acts`. Both lie on the way of one order, so that the nearer one is before the other.
// Numbers, because a struct that is chosen between goes through memory.
RF_DEVICE void MoveEnd(const Place& place, bool acts, Place& end) {
  const bool move = acts && IsBefore(place.key, place.token, end);
  end.key = move ? place.key : end.key;
  end.token = move ? place.token : end.token;
}

template <bool kTypical>
RF_DEVICE Kept FindKept(const gpu::ChooseArgs& args, const Row& row, DrawShared& s) {
  Kept kept;
  bool cut = false;
  float temperature = 1.0f;
  const gpu::ChoosePlan& plan = args.plans[BlockIdY()];  // where there is a cut
  for (uint32_t rest = row.chain.steps; rest != 0; rest >>= 4) {
    const uint32_t step = rest & 15u;
    if (step == gpu::kStepTemperature) temperature = row.chain.draw().temperature;
    if ((Bit(step) & kCutting) == 0) continue;
    const bool alone =
        step == gpu::kStepMirostat && row.chain.draw().mirostat_least * plan.weight > 1.0f;
    if ((Bit(step) & kLimiting) != 0 && !alone) {
      MoveEnd({OrderedBits(LimitOf<kTypical>(row, plan, kept, step, temperature)), kAnyToken}, true,
              kept.end);
      cut = true;
      continue;
    }
    const bool weigh = (Bit(step) & kWeighing) != 0 && !alone;
    const Order order = {kTypical && step == gpu::kStepTypical, weigh};
    const float base = weigh ? plan.weight_before : plan.count_before;
    float target = alone ? 1.0f : static_cast<float>(row.chain.top_k);
    if (!weigh && target >= plan.count) continue;
    if (weigh) {
      const float mass =
          cut ? base + Amount<kTypical>(row, kept, {false, true}, kEnd) : plan.weight;
      if (step == gpu::kStepXtc) {
        kept.begin = XtcBegin<kTypical>(row, kept, row.chain.draw().xtc_threshold * mass);
        continue;
      }
      if (order.by_distance) kept.mean = MeanOf<kTypical>(args, row, kept, cut, mass);
      target = (order.by_distance ? row.chain.draw().typical_p : row.chain.draw().top_p) * mass;
      if (!(target > 1e-20f)) target = 1e-20f;  // one token stays
    }
    const Place place = PlaceOf<kTypical>(row, kept, order, base, target, s);
    MoveEnd(place, order.by_distance, kept.near_end);
    MoveEnd(place, !order.by_distance, kept.end);
    cut = true;
  }
  return kept;
}

}  // namespace
}  // namespace rocforge::port
