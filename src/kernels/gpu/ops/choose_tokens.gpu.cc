// Draws a token of each row of logits after cuts and temperature in nearly any order, or finds the
// 64 best tokens of each row; changes single logits before.
//   Every cut but two keeps the first tokens of one order: by descending logit, among equals by
// ascending token. So a chain of cuts is one place in that order. Typical keeps the first ones by
// their distance to the mean surprise, XTC drops the first ones: two more places. Three launches of
// parts by rows find them:
//   choose_range   the largest and the least logit of each part;
//   choose_bins    counts and weights of 512 bins between them, of each part; the block that is
//                  last of its row adds them up and finds the bins in which the places must lie
//                  (choose_plan.h);
//   choose_tokens  writes out the tokens of those bins (a few hundred) and sums the weights of what
//                  is surely kept; the row's last block searches the places among those tokens bit
//                  by bit (choose_search.h), then finds the drawn token: first its part, then its
//                  place there.
//   Traffic: n_vocab floats a row three times, the second and third time from the caches; 4 KiB of
// bins a part. Sums of weights have the same order always: bins add integers.
//   edit_logits, a launch of its own where there are edits: 16 bytes and one logit each.
#include "kernels/gpu/ops/choose_plan.h"
#include "kernels/gpu/ops/choose_search.h"

namespace rocforge::port {
namespace {

struct RangeShared {
  float largest[kMaxWavesPerBlock];
  float inverse_least[kMaxWavesPerBlock];
  BlockReduceShared reduce;
};

RF_DEVICE void FillBins(const gpu::ChooseArgs& args, const Chain& chain, const Range& range,
                        BinsShared& s) {
  const uint64_t row = BlockIdY();
  const uint32_t bin_of_thread = ThreadId();
  s.count[bin_of_thread] = 0;
  s.high[bin_of_thread] = 0;
  s.low[bin_of_thread] = 0;
  SharedBarrier();
  const bool weigh = Has(chain, kWeighing);
  const bool spread = Has(chain, Bit(gpu::kStepTopNSigma));
  const float mean = spread ? SumOfParts(args, row, &gpu::ChooseSums::sum) /
                                  SumOfParts(args, row, &gpu::ChooseSums::count)
                            : 0.0f;
  float squares = 0.0f;
  float moment = 0.0f;
  const float* logits = args.logits + row * args.n_vocab;
  const Part part = PartOf(args.n_vocab, BlockId());
  for (uint32_t i = part.begin + ThreadId(); i < part.end; i += kChooseThreads) {
    const float x = logits[i];
    if (x == -kInfinity) continue;
    const uint32_t bin = BinOf(range, x);
    SharedAdd(&s.count[bin], 1);
    if (spread) squares += (x - mean) * (x - mean);
    if (!weigh) continue;
    const float weight = Weight(range, chain.cut_scale, x);
    moment += Moment(range, chain, x, weight);
    const float w = weight * kWeightUnit;
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
  gpu::ChooseSums& own = args.sums[row * GridDim() + BlockId()];
  if (spread) {
    squares = BlockSum(squares, s.reduce);
    if (ThreadId() == 0) own.squares = squares;
  }
  if (Has(chain, Bit(gpu::kStepTypical))) {
    moment = BlockSum(moment, s.reduce);
    if (ThreadId() == 0) own.moment = moment;
  }
}

// Whether the row keeps the token, whatever bin it is in.
RF_DEVICE bool IsKept(const Row& row, const Kept& kept, float x, uint32_t token) {
  if (x == -kInfinity) return false;
  const uint32_t bin = BinOf(row.range, x);
  return row.IsKeptBin(bin) || (row.IsCutBin(bin) && row.Keeps(kept, x, token));
}

// The part in which `unit` of the weight of all parts, `total`, lies; `rest`: where in it. By each
// wave for itself, a lane for some neighbouring parts.
RF_DEVICE uint32_t PartOfDraw(double unit, const DrawShared& s, float& rest, float& total) {
  const uint32_t each = (GridDim() + kWaveSize - 1) / kWaveSize;
  const uint32_t begin = LaneId() * each < GridDim() ? LaneId() * each : GridDim();
  const uint32_t end = begin + each < GridDim() ? begin + each : GridDim();
  float own = 0.0f;
  for (uint32_t p = begin; p < end; ++p) own += s.part_weight[p];
  const float up_to = WaveScan(own);
  total = Shuffle(up_to, kWaveSize - 1);
  const double target = unit * static_cast<double>(total);
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

// What the row's last block does where a token is wanted. The token in the thread that finds it.
RF_DEVICE gpu::DrawnToken Draw(const gpu::ChooseArgs& args, const Row& row, const Kept& kept,
                               DrawShared& s) {
  const uint64_t at = BlockIdY();
  const auto weight_of = [&](float x) { return Weight(row.range, row.chain.draw_scale, x); };
  // Weights of the parts: what is surely kept and what is kept of the candidates, a wave a part.
  for (uint32_t p = WaveId(); p < GridDim(); p += kWaves) {
    const Part part = PartOf(row.n_vocab, p);
    const uint32_t begin = row.listed() ? 0 : part.begin;
    const uint32_t end = row.listed() ? row.n_candidates() : part.end;
    float sum = 0.0f;
    EachCandidate(row, begin + LaneId(), end, kWaveSize, [&](float x, uint32_t token) {
      if (token < part.begin || token >= part.end) return;
      if (row.Keeps(kept, x, token)) sum += weight_of(x);
    });
    sum = WaveSum(sum);
    if (LaneId() == 0) s.part_weight[p] = args.parts[at * GridDim() + p].above + sum;
  }
  SharedBarrier();
  float rest = 0.0f;
  float total = 0.0f;
  const uint32_t chosen = PartOfDraw(args.draws[at].unit, s, rest, total);
  const Part part = PartOf(row.n_vocab, chosen);
  const Part stretch = StretchOf(part.begin, part.end);
  const auto weight_at = [&](uint32_t i) {
    const float x = row.logits[i];
    return IsKept(row, kept, x, i) ? weight_of(x) : 0.0f;
  };
  float own = 0.0f;
  for (uint32_t i = stretch.begin; i < stretch.end; ++i) own += weight_at(i);
  const float up_to = BlockScan(own, s.reduce);
  // The first thread that goes beyond the target; where rounding leaves none, the last possible.
  uint32_t rank = own > 0.0f ? ThreadId() + 1 : 0;
  if (own > 0.0f && up_to > rest) rank = 2 * kChooseThreads - ThreadId();
  const uint32_t best = BlockMax(rank, s.reduce);
  if (best == 0 || rank != best) return {gpu::kNoTopToken, 0.0f};
  int32_t token = gpu::kNoTopToken;
  float weight = 0.0f;
  float sum = up_to - own;
  for (uint32_t i = stretch.begin; i < stretch.end; ++i) {
    const float w = weight_at(i);
    if (!(w > 0.0f)) continue;
    token = static_cast<int32_t>(i);
    weight = w;
    sum += w;
    if (sum > rest) break;
  }
  return {token, FastLog2(total) - FastLog2(weight)};
}

// What the row's last block does where the best tokens are wanted.
RF_DEVICE void WriteTop(const Row& row, const Kept& kept, gpu::TopToken* top, DrawShared& s) {
  const Part stretch = StretchOf(0, row.n_candidates());
  const auto each = [&](auto visit) {
    EachCandidate(row, stretch.begin, stretch.end, 1, [&](float x, uint32_t token) {
      if (row.Keeps(kept, x, token)) visit(x, token);
    });
  };
  uint32_t own = 0;
  each([&](float, uint32_t) { ++own; });
  const uint32_t up_to = BlockScan(own, s.reduce);
  const auto all = static_cast<uint32_t>(BlockSum(static_cast<float>(own), s.reduce));
  uint32_t at = up_to - own;
  each([&](float x, uint32_t token) { top[at++] = {x, static_cast<int32_t>(token)}; });
  const uint32_t unused = all + ThreadId();
  if (unused < gpu::kTopTokens) top[unused] = {0.0f, gpu::kNoTopToken};
}

// Writes this part's tokens in the bins of the cuts into the row's list, after those of the parts
// before, and sums what is surely kept.
RF_DEVICE void ListCandidates(const gpu::ChooseArgs& args, const Row& row, DrawShared& s) {
  const uint64_t at = BlockIdY();
  const Part part = PartOf(row.n_vocab, BlockId());
  const Part stretch = StretchOf(part.begin, part.end);
  const bool mean = Has(row.chain, Bit(gpu::kStepTypical));
  float above = 0.0f;
  float moment = 0.0f;
  uint32_t own = 0;
  for (uint32_t i = stretch.begin; i < stretch.end; ++i) {
    const float x = row.logits[i];
    if (x == -kInfinity) continue;
    const uint32_t bin = BinOf(row.range, x);
    own += row.IsCutBin(bin) ? 1 : 0;
    if (!row.IsKeptBin(bin)) continue;
    above += Weight(row.range, row.chain.draw_scale, x);
    if (mean) moment += Moment(row.range, row.chain, x, Weight(row.range, row.chain.cut_scale, x));
  }
  above = BlockSum(above, s.reduce);
  if (mean) {
    moment = BlockSum(moment, s.reduce);
    if (ThreadId() == 0) args.sums[at * GridDim() + BlockId()].moment_above = moment;
  }
  if (ThreadId() == 0) args.parts[at * GridDim() + BlockId()].above = above;
  if (row.n_listed == 0 || !row.listed()) return;
  const uint32_t lowest = row.head_end != 0 ? 0 : row.first;
  const uint32_t end = row.last < kChooseBins ? row.last + 1 : row.head_end;
  const uint32_t n_bins = end - lowest;
  float in_front = 0.0f;
  for (uint32_t i = ThreadId(); i < n_bins * BlockId(); i += kChooseThreads) {
    const uint32_t bin = lowest + i % n_bins;
    if (!row.IsCutBin(bin)) continue;
    in_front +=
        static_cast<float>(args.bins[(at * GridDim() + i / n_bins) * kChooseBins + bin].count);
  }
  uint32_t to = static_cast<uint32_t>(BlockSum(in_front, s.reduce));
  to += BlockScan(own, s.reduce) - own;
  for (uint32_t i = stretch.begin; own != 0 && i < stretch.end; ++i) {
    const float x = row.logits[i];
    if (row.InCutBin(x)) args.list[at * kChooseList + to++] = {x, static_cast<int32_t>(i)};
  }
}

RF_DEVICE float Edited(float x, const gpu::LogitEdit& edit) {
  constexpr double kMost = 3.402823466e38;
  if (!(x >= -3.402823466e38f && x <= 3.402823466e38f)) return x;
  const float scaled = x > 0.0f ? x / edit.divisor : x * edit.divisor;
  const double y = static_cast<double>(scaled) - edit.minus;
  if (y > kMost) return static_cast<float>(kMost);
  if (y < -kMost) return edit.minus == __builtin_inf() ? -kInfinity : static_cast<float>(-kMost);
  return static_cast<float>(y);
}

}  // namespace

// A block a row.
RF_KERNEL(edit_logits, gpu::EditArgs, 256) {
  LetNextStart();
  AwaitPrevious();
  float* logits = args.logits + static_cast<uint64_t>(BlockId()) * args.n_vocab;
  const uint32_t* begin = args.begin + static_cast<uint64_t>(BlockId()) * gpu::kEditPhases;
  for (uint32_t phase = 0; phase < gpu::kEditPhases; ++phase) {
    for (uint32_t i = begin[phase] + ThreadId(); i < begin[phase + 1]; i += gpu::kEditThreads) {
      const gpu::LogitEdit edit = args.edits[i];
      float& logit = logits[edit.token];
      logit = Edited(logit, edit);
    }
    BlockBarrier();
  }
}

// The grids of the others are parts by rows, of kChooseThreads threads.
RF_KERNEL(choose_range, gpu::ChooseArgs, 512) {
  LetNextStart();
  AwaitPrevious();
  const uint64_t row = BlockIdY();
  const float* logits = args.logits + row * args.n_vocab;
  const Part part = PartOf(args.n_vocab, BlockId());
  const bool spread = args.draws != nullptr && HasStep(args.draws[row].steps, gpu::kStepTopNSigma);
  float largest = -kInfinity;
  float inverse_least = -kInfinity;
  float sum = 0.0f;
  float count = 0.0f;
  for (uint32_t i = part.begin + ThreadId(); i < part.end; i += kChooseThreads) {
    const float x = logits[i];
    if (x == -kInfinity) continue;
    const float known = x <= 3.402823466e38f ? x : kInfinity;
    largest = known > largest ? known : largest;
    inverse_least = -known > inverse_least ? -known : inverse_least;
    sum += x;
    count += 1.0f;
  }
  largest = WaveMax(largest);
  inverse_least = WaveMax(inverse_least);
  RangeShared& s = SharedBlock<RangeShared>();
  if (spread) {
    sum = BlockSum(sum, s.reduce);
    count = BlockSum(count, s.reduce);
  }
  if (LaneId() == 0) {
    s.largest[WaveId()] = largest;
    s.inverse_least[WaveId()] = inverse_least;
  }
  SharedBarrier();
  if (WaveId() != 0) return;
  const bool used = LaneId() < kWaves;
  largest = WaveMax(used ? s.largest[LaneId()] : -kInfinity);
  inverse_least = WaveMax(used ? s.inverse_least[LaneId()] : -kInfinity);
  if (LaneId() == 0) {
    args.parts[row * GridDim() + BlockId()] = {largest, -inverse_least, 0.0f, 0};
    if (spread) args.sums[row * GridDim() + BlockId()] = {sum, 0.0f, count, 0.0f, 0.0f};
  }
}

// Few registers, as many rows at once are many small blocks.
RF_KERNEL_RESIDENT(choose_bins, gpu::ChooseArgs, 512, 3) {
  LetNextStart();
  AwaitPrevious();
  const uint64_t row = BlockIdY();
  const Chain chain = ChainOf(args, row);
  const Range range = RangeOf(args, row, chain);
  if (range.failure != 0 || !Has(chain, kCutting)) return;
  BinsShared& s = SharedBlock<BinsShared>();
  FillBins(args, chain, range, s);
  if (IsLastBlock(args.counters + 2 * row, GridDim(), s.is_last)) PlanCuts(args, chain, range, s);
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
    if (args.draws != nullptr && ThreadId() == 0) args.drawn[row] = {gpu::kNoTopToken, 0.0f};
    return;
  }
  DrawShared& s = SharedBlock<DrawShared>();
  Row r = {args.logits + row * args.n_vocab,
           s.list,
           range,
           chain,
           args.n_vocab,
           0,
           kChooseBins,
           kChooseBins,
           0};
  if (Has(chain, kCutting)) {
    const gpu::ChoosePlan& plan = args.plans[row];
    r.head_end = plan.head_end;
    r.first = plan.first;
    r.last = plan.last;
    r.n_listed = plan.n_listed;
  }
  ListCandidates(args, r, s);
  if (!IsLastBlock(args.counters + 2 * row + 1, GridDim(), s.is_last)) return;
  if (r.listed()) {
    const gpu::TopToken* list = args.list + row * kChooseList;
    for (uint32_t i = ThreadId(); i < r.n_candidates(); i += kChooseThreads) s.list[i] = list[i];
    SharedBarrier();
  }
  const Kept kept =
      Has(chain, Bit(gpu::kStepTypical)) ? FindKept<true>(args, r, s) : FindKept<false>(args, r, s);
  if (args.draws == nullptr) {
    WriteTop(r, kept, top, s);
    return;
  }
  const gpu::DrawnToken drawn = Draw(args, r, kept, s);
  if (drawn.token >= 0) args.drawn[row] = drawn;
}

}  // namespace rocforge::port
