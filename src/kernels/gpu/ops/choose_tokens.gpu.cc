// Draws a token of each row of logits after top-k, top-p, min-p and temperature in any order, or
// finds the 64 best tokens of each row.
//   Every cut keeps the first tokens of one order: by descending logit, among equals by ascending
// token. So a chain of cuts is one place in that order. Three launches of parts by rows find it:
//   choose_range   the largest and the least logit of each part;
//   choose_bins    counts and weights of 512 bins between them, of each part; the block that is
//                  last of its row adds them up and finds the bins in which the cuts must lie;
//   choose_tokens  writes out the tokens of those bins (a few hundred) and sums the weights of what
//                  is surely kept; the row's last block searches the place among those tokens bit
//                  by bit, then finds the drawn token: first its part, then its place there.
//   Traffic: n_vocab floats a row three times, the second and third time from the caches; 4 KiB of
// bins a part. Sums of weights have the same order always: bins add integers.
#include "kernels/gpu/ops/choose_row.h"

namespace rocforge::port {
namespace {

struct RangeShared {
  float largest[kMaxWavesPerBlock];
  float inverse_least[kMaxWavesPerBlock];
};

struct BinsShared {
  BlockReduceShared reduce;
  uint32_t count[kChooseBins];
  uint32_t high[kChooseBins];
  uint32_t low[kChooseBins];
  float counts[kChooseBins + 1];  // of the bins before
  float weights[kChooseBins + 1];
  uint32_t is_last;
};

RF_DEVICE void FillBins(const gpu::ChooseArgs& args, const Chain& chain, const Range& range,
                        BinsShared& s) {
  const uint64_t row = BlockIdY();
  const uint32_t bin_of_thread = ThreadId();
  s.count[bin_of_thread] = 0;
  s.high[bin_of_thread] = 0;
  s.low[bin_of_thread] = 0;
  SharedBarrier();
  const bool weigh = HasStep(chain, gpu::kStepTopP);
  const float* logits = args.logits + row * args.n_vocab;
  const Part part = PartOf(args.n_vocab, BlockId());
  for (uint32_t i = part.begin + ThreadId(); i < part.end; i += kChooseThreads) {
    const float x = logits[i];
    if (x == -kInfinity) continue;
    const uint32_t bin = BinOf(range, x);
    SharedAdd(&s.count[bin], 1);
    if (!weigh) continue;
    const float w = Weight(range, chain.cut_scale, x) * kWeightUnit;
    const auto high = static_cast<uint32_t>(w);
    const auto low = static_cast<uint32_t>((w - static_cast<float>(high)) * kWeightUnit);
    if (high != 0) SharedAdd(&s.high[bin], high);
    if (low != 0) SharedAdd(&s.low[bin], low);
  }
  SharedBarrier();
  const float weight = static_cast<float>(s.high[bin_of_thread]) / kWeightUnit +
                       static_cast<float>(s.low[bin_of_thread]) / (kWeightUnit * kWeightUnit);
  args.bins[(row * GridDim() + BlockId()) * kChooseBins + bin_of_thread] = {s.count[bin_of_thread],
                                                                            weight};
}

// The bin in which the sum of `before` and the bins' own values comes to `target`: the number of
// bins whose sums stay below it.
RF_DEVICE uint32_t BinReaching(const float* before, float target, BlockReduceShared& reduce) {
  const float below = BlockSum(before[ThreadId() + 1] < target ? 1.0f : 0.0f, reduce);
  const auto bin = static_cast<uint32_t>(below);
  return bin < kChooseBins ? bin : kChooseBins - 1;
}

// Finds the bins in which the place of the cuts must lie.
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
  s.counts[ThreadId() + 1] = static_cast<float>(BlockScan(own_count, s.reduce));
  s.weights[ThreadId() + 1] = BlockScan(own_weight, s.reduce);
  if (ThreadId() == 0) s.counts[0] = s.weights[0] = 0.0f;
  BlockBarrier();
  // Bins in which the place may lie so far; none while nothing has been cut.
  uint32_t first = kChooseBins;
  uint32_t last = kChooseBins;
  uint32_t weighed = 0;  // what top-p needs the weight of ends there
  const auto cut = [&](uint32_t from, uint32_t to) {
    first = from < first ? from : first;
    last = to < last ? to : last;
  };
  float temperature = 1.0f;
  for (uint32_t i = 0; i < gpu::kMostChooseSteps; ++i) {
    const uint32_t step = StepAt(chain.steps, i);
    if (step == gpu::kStepTemperature) temperature = chain.temperature;
    if (step == gpu::kStepTopK) {
      const auto wanted = static_cast<float>(chain.top_k);
      const uint32_t bin = BinReaching(s.counts, wanted, s.reduce);
      if (wanted < s.counts[kChooseBins]) cut(bin, bin);
    } else if (step == gpu::kStepMinP) {
      const uint32_t bin = BinOf(range, MinPLimit(range, chain, temperature));
      cut(bin, bin);
    } else if (step == gpu::kStepTopP) {
      // What is kept so far weighs no less and no more than this; a little room for rounding.
      const float least = s.weights[first];
      const float most = s.weights[last < kChooseBins ? last + 1 : last];
      weighed = last < kChooseBins ? last : 0;
      cut(BinReaching(s.weights, chain.top_p * least * (1.0f - 1e-5f), s.reduce),
          BinReaching(s.weights, chain.top_p * most * (1.0f + 1e-5f), s.reduce));
    }
  }
  if (ThreadId() != 0) return;
  last = last > weighed ? last : weighed;
  if (args.draws == nullptr) {
    // All that is kept is listed; without a cut that is everything.
    first = 0;
    last = last < kChooseBins ? last : kChooseBins - 1;
  }
  const float listed = last < kChooseBins ? s.counts[last + 1] - s.counts[first] : 0.0f;
  args.plans[row] = {first,
                     last,
                     static_cast<uint32_t>(listed),
                     s.counts[first],
                     s.weights[first],
                     s.counts[kChooseBins],
                     s.weights[kChooseBins]};
}

struct DrawShared {
  BlockReduceShared reduce;
  float part_weight[gpu::kMostChooseParts];
  float reached[kWaves];
  gpu::TopToken list[kChooseList];
  uint32_t is_last;
};

// A place in the order of tokens: before it are those with a larger key, and those with its key
// and a lower token.
struct Place {
  uint32_t key, token;
};

RF_DEVICE bool IsBefore(uint32_t key, uint32_t token, const Place& place) {
  return key > place.key || (key == place.key && token < place.token);
}

// A row as choose_tokens sees it.
struct Row {
  const float* logits;
  const gpu::TopToken* list;  // in shared memory, so that the compiler knows; see listed()
  Range range;
  Chain chain;
  gpu::ChoosePlan plan;
  uint32_t n_vocab;

  // Tokens between the cuts, by ascending token: the list, or where that is too short all tokens.
  RF_MEMBER bool listed() const { return plan.n_listed <= kChooseList; }
  RF_MEMBER uint32_t n_candidates() const {
    return plan.n_listed == 0 ? 0 : listed() ? plan.n_listed : n_vocab;
  }
  RF_MEMBER bool InBins(float x) const {
    if (x == -kInfinity) return false;
    const uint32_t bin = BinOf(range, x);
    return bin >= plan.first && bin <= plan.last;
  }
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
    return InBins(x);
  }
};

// Number, or weight for top-p, of the candidates before both places. By each wave for itself.
RF_DEVICE float Amount(const Row& row, bool weigh, const Place& a, const Place& b) {
  float sum = 0.0f;
  for (uint32_t i = LaneId(); i < row.n_candidates(); i += kWaveSize) {
    float x;
    uint32_t token;
    if (!row.Candidate(i, x, token)) continue;
    const uint32_t key = OrderedBits(x);
    if (!IsBefore(key, token, a) || !IsBefore(key, token, b)) continue;
    sum += weigh ? Weight(row.range, row.chain.cut_scale, x) : 1.0f;
  }
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

// Moves `place` forward to the first place where `base` and the candidates before it come to
// `target`; leaves it where they never do.
RF_DEVICE void CutAt(const Row& row, bool weigh, float base, float target, Place& place,
                     DrawShared& s) {
  if (base + Amount(row, weigh, place, place) <= target) return;
  uint32_t largest = 0;
  uint32_t inverse_least = 0;
  for (uint32_t i = LaneId(); i < row.n_candidates(); i += kWaveSize) {
    float x;
    uint32_t token;
    if (!row.Candidate(i, x, token)) continue;
    const uint32_t key = OrderedBits(x);
    largest = key > largest ? key : largest;
    inverse_least = ~key > inverse_least ? ~key : inverse_least;
  }
  largest = WaveMaxOfWords(largest);
  const uint32_t least = ~WaveMaxOfWords(inverse_least);
  // The largest key with which the target is reached: the bits that all keys share, then the rest.
  const uint32_t differing = largest ^ least;
  const uint32_t bits = differing == 0 ? 0 : 32 - static_cast<uint32_t>(__builtin_clz(differing));
  const uint32_t shared_bits = bits == 32 ? 0 : least >> bits << bits;
  Place found = {LargestReaching(shared_bits, bits, target, true, s,
                                 [&](uint32_t key) {
                                   return base + Amount(row, weigh, {key, kAnyToken}, place);
                                 }),
                 kAnyToken};
  // Among equal logits the lower tokens: the most of them that do not reach it, and one more.
  const float all = Amount(row, false, found, place);
  if (all - Amount(row, false, {found.key, 0}, place) > 1.0f) {
    const uint32_t token_bits = 32 - static_cast<uint32_t>(__builtin_clz(row.n_vocab));
    found.token = 1 + LargestReaching(0, token_bits, target, false, s, [&](uint32_t token) {
                    return base + Amount(row, weigh, {found.key, token}, place);
                  });
  }
  // Both lie on the way of one order, so that the nearer one is before the other.
  place = IsBefore(found.key, found.token, place) ? found : place;
}

RF_DEVICE Place FindPlace(const Row& row, DrawShared& s) {
  Place place = {0, kAnyToken};
  bool cut = false;
  float temperature = 1.0f;
  for (uint32_t i = 0; i < gpu::kMostChooseSteps; ++i) {
    const uint32_t step = StepAt(row.chain.steps, i);
    if (step == gpu::kStepTemperature) temperature = row.chain.temperature;
    if (step == gpu::kStepMinP) {
      const uint32_t limit = OrderedBits(MinPLimit(row.range, row.chain, temperature));
      if (limit > place.key) place = {limit, kAnyToken};
      cut = true;
    }
    if (step != gpu::kStepTopK && step != gpu::kStepTopP) continue;
    const bool weigh = step == gpu::kStepTopP;
    const float base = weigh ? row.plan.weight_before : row.plan.count_before;
    float target = static_cast<float>(row.chain.top_k);
    if (!weigh && target >= row.plan.count) continue;
    if (weigh) {
      const float kept = cut ? base + Amount(row, true, place, place) : row.plan.weight;
      target = row.chain.top_p * kept;
      if (!(target > 1e-20f)) target = 1e-20f;  // the best token stays
    }
    CutAt(row, weigh, base, target, place, s);
    cut = true;
  }
  return place;
}

RF_DEVICE bool Kept(const Row& row, const Place& place, float x, uint32_t token) {
  if (x == -kInfinity) return false;
  const uint32_t bin = BinOf(row.range, x);
  return bin < row.plan.first || (bin <= row.plan.last && IsBefore(OrderedBits(x), token, place));
}

// The part in which `unit` of the weight of all parts lies; `rest`: where in it. By each wave for
// itself, a lane for some neighbouring parts.
RF_DEVICE uint32_t PartOfDraw(double unit, const DrawShared& s, float& rest) {
  const uint32_t each = (GridDim() + kWaveSize - 1) / kWaveSize;
  const uint32_t begin = LaneId() * each < GridDim() ? LaneId() * each : GridDim();
  const uint32_t end = begin + each < GridDim() ? begin + each : GridDim();
  float own = 0.0f;
  for (uint32_t p = begin; p < end; ++p) own += s.part_weight[p];
  const float up_to = WaveScan(own);
  const double target = unit * static_cast<double>(Shuffle(up_to, kWaveSize - 1));
  const uint64_t beyond = Ballot(own > 0.0f && static_cast<double>(up_to) > target);
  const uint64_t possible = Ballot(own > 0.0f);  // where rounding leaves none, the last possible
  const auto lane =
      static_cast<uint32_t>(beyond != 0 ? __builtin_ctzll(beyond) : 63 - __builtin_clzll(possible));
  float before = up_to - own;
  uint32_t chosen = begin;
  for (uint32_t p = begin; p < end; ++p) {
    const float weight = s.part_weight[p];
    if (!(weight > 0.0f)) continue;
    chosen = p;
    if (p + 1 == end || static_cast<double>(before + weight) > target) break;
    before += weight;
  }
  rest = Shuffle(static_cast<float>(target - static_cast<double>(before)), lane);
  return Shuffle(chosen, lane);
}

// What the row's last block does where a token is wanted.
RF_DEVICE int32_t Draw(const gpu::ChooseArgs& args, const Row& row, const Place& place,
                       DrawShared& s) {
  const uint64_t at = BlockIdY();
  // Weights of the parts: what is surely kept and what is kept of the candidates, a wave a part.
  for (uint32_t p = WaveId(); p < GridDim(); p += kWaves) {
    const Part part = PartOf(row.n_vocab, p);
    const uint32_t end = row.listed() ? row.n_candidates() : part.end;
    float sum = 0.0f;
    for (uint32_t i = (row.listed() ? 0 : part.begin) + LaneId(); i < end; i += kWaveSize) {
      float x;
      uint32_t token;
      if (!row.Candidate(i, x, token) || token < part.begin || token >= part.end) continue;
      if (IsBefore(OrderedBits(x), token, place)) sum += Weight(row.range, row.chain.draw_scale, x);
    }
    sum = WaveSum(sum);
    if (LaneId() == 0) s.part_weight[p] = args.parts[at * GridDim() + p].above + sum;
  }
  SharedBarrier();
  float rest = 0.0f;
  const uint32_t chosen = PartOfDraw(args.draws[at].unit, s, rest);
  const Part part = PartOf(row.n_vocab, chosen);
  const Part stretch = StretchOf(part.begin, part.end);
  const auto weight_of = [&](uint32_t i) {
    const float x = row.logits[i];
    return Kept(row, place, x, i) ? Weight(row.range, row.chain.draw_scale, x) : 0.0f;
  };
  float own = 0.0f;
  for (uint32_t i = stretch.begin; i < stretch.end; ++i) own += weight_of(i);
  const float up_to = BlockScan(own, s.reduce);
  // The first thread that goes beyond the target; where rounding leaves none, the last possible.
  uint32_t rank = own > 0.0f ? ThreadId() + 1 : 0;
  if (own > 0.0f && up_to > rest) rank = 2 * kChooseThreads - ThreadId();
  const uint32_t best = BlockMax(rank, s.reduce);
  if (best == 0 || rank != best) return gpu::kNoTopToken;
  int32_t token = gpu::kNoTopToken;
  float sum = up_to - own;
  for (uint32_t i = stretch.begin; i < stretch.end; ++i) {
    const float w = weight_of(i);
    if (!(w > 0.0f)) continue;
    token = static_cast<int32_t>(i);
    sum += w;
    if (sum > rest) break;
  }
  return token;
}

// What the row's last block does where the best tokens are wanted.
RF_DEVICE void WriteTop(const Row& row, const Place& place, gpu::TopToken* top, DrawShared& s) {
  const Part stretch = StretchOf(0, row.n_candidates());
  const auto kept = [&](uint32_t i, float& x, uint32_t& token) {
    return row.Candidate(i, x, token) && IsBefore(OrderedBits(x), token, place);
  };
  float x;
  uint32_t token;
  uint32_t own = 0;
  for (uint32_t i = stretch.begin; i < stretch.end; ++i) own += kept(i, x, token) ? 1 : 0;
  const uint32_t up_to = BlockScan(own, s.reduce);
  const auto all = static_cast<uint32_t>(BlockSum(static_cast<float>(own), s.reduce));
  uint32_t at = up_to - own;
  for (uint32_t i = stretch.begin; i < stretch.end; ++i) {
    if (kept(i, x, token)) top[at++] = {x, static_cast<int32_t>(token)};
  }
  const uint32_t unused = all + ThreadId();
  if (unused < gpu::kTopTokens) top[unused] = {0.0f, gpu::kNoTopToken};
}

// Writes this part's tokens between the cuts into the row's list, after those of the parts before,
// and sums the weights of what lies before the cuts.
RF_DEVICE float ListCandidates(const gpu::ChooseArgs& args, const Row& row, DrawShared& s) {
  const uint64_t at = BlockIdY();
  const Part part = PartOf(row.n_vocab, BlockId());
  const Part stretch = StretchOf(part.begin, part.end);
  float above = 0.0f;
  uint32_t own = 0;
  for (uint32_t i = stretch.begin; i < stretch.end; ++i) {
    const float x = row.logits[i];
    if (x == -kInfinity) continue;
    const uint32_t bin = BinOf(row.range, x);
    if (bin < row.plan.first) above += Weight(row.range, row.chain.draw_scale, x);
    own += bin >= row.plan.first && bin <= row.plan.last ? 1 : 0;
  }
  above = BlockSum(above, s.reduce);
  if (row.plan.n_listed == 0 || !row.listed()) return above;
  const uint32_t n_bins = row.plan.last - row.plan.first + 1;
  float in_front = 0.0f;
  for (uint32_t i = ThreadId(); i < n_bins * BlockId(); i += kChooseThreads) {
    const uint32_t bin = row.plan.first + i % n_bins;
    in_front +=
        static_cast<float>(args.bins[(at * GridDim() + i / n_bins) * kChooseBins + bin].count);
  }
  uint32_t to = static_cast<uint32_t>(BlockSum(in_front, s.reduce));
  to += BlockScan(own, s.reduce) - own;
  for (uint32_t i = stretch.begin; own != 0 && i < stretch.end; ++i) {
    const float x = row.logits[i];
    if (row.InBins(x)) args.list[at * kChooseList + to++] = {x, static_cast<int32_t>(i)};
  }
  return above;
}

}  // namespace

// The grids of all three are parts by rows, of kChooseThreads threads.
RF_KERNEL(choose_range, gpu::ChooseArgs, 512) {
  LetNextStart();
  AwaitPrevious();
  const uint64_t row = BlockIdY();
  const float* logits = args.logits + row * args.n_vocab;
  const Part part = PartOf(args.n_vocab, BlockId());
  float largest = -kInfinity;
  float inverse_least = -kInfinity;
  for (uint32_t i = part.begin + ThreadId(); i < part.end; i += kChooseThreads) {
    const float x = logits[i];
    if (x == -kInfinity) continue;
    const float known = x <= 3.402823466e38f ? x : kInfinity;
    largest = known > largest ? known : largest;
    inverse_least = -known > inverse_least ? -known : inverse_least;
  }
  largest = WaveMax(largest);
  inverse_least = WaveMax(inverse_least);
  RangeShared& s = SharedBlock<RangeShared>();
  if (LaneId() == 0) {
    s.largest[WaveId()] = largest;
    s.inverse_least[WaveId()] = inverse_least;
  }
  SharedBarrier();
  if (WaveId() != 0) return;
  const bool used = LaneId() < kWaves;
  largest = WaveMax(used ? s.largest[LaneId()] : -kInfinity);
  inverse_least = WaveMax(used ? s.inverse_least[LaneId()] : -kInfinity);
  if (LaneId() == 0) args.parts[row * GridDim() + BlockId()] = {largest, -inverse_least, 0.0f, 0};
}

RF_KERNEL(choose_bins, gpu::ChooseArgs, 512) {
  LetNextStart();
  AwaitPrevious();
  const uint64_t row = BlockIdY();
  const Chain chain = ChainOf(args, row);
  const Range range = RangeOf(args, row, chain);
  if (range.failure != 0 || !HasCuts(chain)) return;
  BinsShared& s = SharedBlock<BinsShared>();
  FillBins(args, chain, range, s);
  if (IsLastOfRow(args.counters + 2 * row, s.is_last)) PlanCuts(args, chain, range, s);
}

RF_KERNEL(choose_tokens, gpu::ChooseArgs, 512) {
  LetNextStart();
  AwaitPrevious();
  const uint64_t row = BlockIdY();
  const Chain chain = ChainOf(args, row);
  const Range range = RangeOf(args, row, chain);
  gpu::TopToken* top = args.draws == nullptr ? args.top + row * gpu::kTopTokens : nullptr;
  if (range.failure != 0) {
    if (BlockId() != 0) return;
    if (args.draws == nullptr && ThreadId() < gpu::kTopTokens)
      top[ThreadId()] = {0.0f, ThreadId() == 0 ? range.failure : gpu::kNoTopToken};
    if (args.draws != nullptr && ThreadId() == 0) args.tokens[row] = gpu::kNoTopToken;
    return;
  }
  DrawShared& s = SharedBlock<DrawShared>();
  Row r = {args.logits + row * args.n_vocab,
           s.list,
           range,
           chain,
           {kChooseBins, kChooseBins, 0, 0.0f, 0.0f, 0.0f, 0.0f},
           args.n_vocab};
  if (HasCuts(chain)) r.plan = args.plans[row];
  const float above = ListCandidates(args, r, s);
  if (ThreadId() == 0) args.parts[row * GridDim() + BlockId()].above = above;
  if (!IsLastOfRow(args.counters + 2 * row + 1, s.is_last)) return;
  if (r.listed()) {
    const gpu::TopToken* list = args.list + row * kChooseList;
    for (uint32_t i = ThreadId(); i < r.n_candidates(); i += kChooseThreads) s.list[i] = list[i];
    SharedBarrier();
  }
  const Place place = FindPlace(r, s);
  if (args.draws == nullptr) {
    WriteTop(r, place, top, s);
    return;
  }
  const int32_t token = Draw(args, r, place, s);
  if (token >= 0) args.tokens[row] = token;
}

}  // namespace rocforge::port
