// What the kernels that choose tokens share: parts of a row, its chain of cuts, its bins.
#pragma once

#include "kernels/gpu/block/scan.h"
#include "kernels/gpu/ops/choose_tokens_args.h"
#include "kernels/gpu/port/port.h"

namespace rocforge::port {
namespace {

using gpu::kChooseBins;
using gpu::kChooseList;
using gpu::kChooseThreads;

constexpr float kInfinity = __builtin_inff();
constexpr float kLog2E = 1.44269504f;
constexpr uint32_t kWaves = kChooseThreads / kWaveSize;
constexpr uint32_t kAnyToken = 0xFFFFFFFFu;
// Weights are at most 1: two words of 18 bits each hold 2^-36, and sums over 2^14 tokens.
constexpr float kWeightUnit = 262144.0f;

// The floats' bits, changed so that they order as integers. 0 only for NaN.
RF_DEVICE uint32_t OrderedBits(float x) {
  const uint32_t bits = BitCast<uint32_t>(x);
  return (bits >> 31) != 0 ? ~bits : bits | 0x80000000u;
}

struct Part {
  uint32_t begin, end;
};

RF_DEVICE Part PartOf(uint32_t n_vocab, uint32_t part) {
  const uint32_t length = (n_vocab + GridDim() - 1) / GridDim();
  const uint32_t begin = part * length < n_vocab ? part * length : n_vocab;
  return {begin, n_vocab - begin < length ? n_vocab : begin + length};
}

// The part of [begin, end) that belongs to this thread: neighbouring threads have neighbouring
// stretches.
RF_DEVICE Part StretchOf(uint32_t begin, uint32_t end) {
  const uint32_t length = (end - begin + kChooseThreads - 1) / kChooseThreads;
  const uint32_t first = begin + ThreadId() * length;
  if (first >= end) return {end, end};
  return {first, end - first < length ? end : first + length};
}

// What a row's cuts and draw are made of. Numbers that are used once stay where they are.
struct Chain {
  const gpu::TokenDraw* draws;  // of all rows; null: the best tokens are wanted
  uint32_t steps;
  uint32_t kinds;  // bit k: step k acts
  uint32_t top_k;
  float cut_scale;   // a logit's weight for a cut is 2^(cut_scale * (logit - largest))
  float draw_scale;  // the same for the draw

  RF_MEMBER const gpu::TokenDraw& draw() const { return draws[BlockIdY()]; }
};

constexpr uint32_t Bit(uint32_t step) { return 1u << step; }
constexpr uint32_t kWeighing =
    Bit(gpu::kStepTopP) | Bit(gpu::kStepTypical) | Bit(gpu::kStepXtc) | Bit(gpu::kStepMirostat);
// Drop what is below a logit.
constexpr uint32_t kLimiting =
    Bit(gpu::kStepMinP) | Bit(gpu::kStepTopNSigma) | Bit(gpu::kStepMirostat);
constexpr uint32_t kCutting = kWeighing | kLimiting | Bit(gpu::kStepTopK);

RF_DEVICE bool Has(const Chain& chain, uint32_t kinds) { return (chain.kinds & kinds) != 0; }

RF_DEVICE bool HasStep(uint32_t steps, uint32_t step) {
  bool has = false;
  for (uint32_t shift = 0; shift < 32; shift += 4) has |= ((steps >> shift) & 15u) == step;
  return has;
}

RF_DEVICE Chain ChainOf(const gpu::ChooseArgs& args, uint64_t row) {
  if (args.draws == nullptr)
    return {args.draws, gpu::kStepTopK, Bit(gpu::kStepTopK), gpu::kTopTokens, kLog2E, kLog2E};
  const gpu::TokenDraw& d = args.draws[row];
  Chain chain = {args.draws, d.steps, 0, d.top_k, kLog2E, kLog2E};
  const float scale = kLog2E / d.temperature;
#pragma unroll
  for (uint32_t shift = 0; shift < 32; shift += 4) {
    const uint32_t kind = Bit((d.steps >> shift) & 15u);
    chain.kinds |= kind;
    if ((kind & Bit(gpu::kStepTemperature)) != 0) chain.draw_scale = scale;
    if ((kind & kWeighing) != 0) chain.cut_scale = chain.draw_scale;  // so far
  }
  return chain;
}

struct Range {
  float largest, per_bin;  // bin = (largest - logit) * per_bin
  int32_t failure;         // 0, or the token that says why there is none
};

RF_DEVICE Range RangeOf(const gpu::ChooseArgs& args, uint64_t row, const Chain& chain) {
  float largest = -kInfinity;
  float least = kInfinity;
  for (uint32_t p = LaneId(); p < GridDim(); p += kWaveSize) {
    const gpu::ChoosePart& part = args.parts[row * GridDim() + p];
    largest = part.largest > largest ? part.largest : largest;
    least = part.least < least ? part.least : least;
  }
  largest = WaveMax(largest);
  least = -WaveMax(-least);
  if (largest == kInfinity) return {0.0f, 0.0f, gpu::kBrokenLogits};
  if (largest == -kInfinity) return {0.0f, 0.0f, gpu::kNoTopToken};
  // Beyond 32 temperatures weights are below 1e-13: one bin is enough.
  const float most = 32.0f * kLog2E / chain.cut_scale;
  const float width = largest - least < most ? largest - least : most;
  return {largest, width > 0.0f ? (kChooseBins - 1) / width : 0.0f, 0};
}

RF_DEVICE uint32_t BinOf(const Range& range, float logit) {
  const float bin = (range.largest - logit) * range.per_bin;
  return bin < static_cast<float>(kChooseBins - 1) ? static_cast<uint32_t>(bin) : kChooseBins - 1;
}

RF_DEVICE float Weight(const Range& range, float scale, float logit) {
  return FastExp2((logit - range.largest) * scale);
}

// How many bits less probable than the best token; for cuts.
RF_DEVICE float BitsBelow(const Range& range, const Chain& chain, float logit) {
  return (range.largest - logit) * chain.cut_scale;
}

// What one token adds to the sum of which the mean is that of BitsBelow.
RF_DEVICE float Moment(const Range& range, const Chain& chain, float logit, float weight) {
  return weight > 0.0f ? weight * BitsBelow(range, chain, logit) : 0.0f;
}

// The logit with that weight for cuts, at most the largest one.
RF_DEVICE float LogitOf(const Range& range, const Chain& chain, float weight) {
  const float logit = range.largest + FastLog2(weight) / chain.cut_scale;
  return logit < range.largest ? logit : range.largest;
}

// A member of ChooseSums, summed over the parts of a row. By each wave for itself.
RF_DEVICE float SumOfParts(const gpu::ChooseArgs& args, uint64_t row,
                           float gpu::ChooseSums::* member) {
  float sum = 0.0f;
  for (uint32_t p = LaneId(); p < GridDim(); p += kWaveSize)
    sum += args.sums[row * GridDim() + p].*member;
  return WaveSum(sum);
}

}  // namespace
}  // namespace rocforge::port
