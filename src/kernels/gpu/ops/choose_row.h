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

// What a row's cuts and draw are made of.
struct Chain {
  uint32_t steps;
  uint32_t top_k;
  float top_p, min_p_log, temperature;
  float cut_scale;   // a logit's weight for top-p is 2^(cut_scale * (logit - largest))
  float draw_scale;  // the same for the draw
};

RF_DEVICE uint32_t StepAt(uint32_t steps, uint32_t i) { return (steps >> (4 * i)) & 15u; }

RF_DEVICE Chain ChainOf(const gpu::ChooseArgs& args, uint64_t row) {
  if (args.draws == nullptr)
    return {gpu::kStepTopK, gpu::kTopTokens, 1.0f, 0.0f, 1.0f, kLog2E, kLog2E};
  const gpu::TokenDraw& d = args.draws[row];
  Chain chain = {d.steps, d.top_k, d.top_p, d.min_p_log, d.temperature, kLog2E, kLog2E};
  for (uint32_t i = 0; i < gpu::kMostChooseSteps; ++i) {
    const uint32_t step = StepAt(chain.steps, i);
    if (step == gpu::kStepTemperature) chain.draw_scale = kLog2E / d.temperature;
    if (step == gpu::kStepTopP) chain.cut_scale = chain.draw_scale;  // so far
  }
  return chain;
}

RF_DEVICE bool HasStep(const Chain& chain, uint32_t kind) {
  bool has = false;
  for (uint32_t i = 0; i < gpu::kMostChooseSteps; ++i) has |= StepAt(chain.steps, i) == kind;
  return has;
}

RF_DEVICE bool HasCuts(const Chain& chain) {
  return HasStep(chain, gpu::kStepTopK) || HasStep(chain, gpu::kStepTopP) ||
         HasStep(chain, gpu::kStepMinP);
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

// The logit below which min-p drops; `temperature` is the one in effect.
RF_DEVICE float MinPLimit(const Range& range, const Chain& chain, float temperature) {
  return range.largest + chain.min_p_log * temperature;
}

// Whether this block is the last one of its row to come here; what the others wrote is then seen.
RF_DEVICE bool IsLastOfRow(uint32_t* counter, uint32_t& shared) {
  DeviceFence();
  BlockBarrier();
  if (ThreadId() == 0) {
    shared = AtomicAdd(counter, 1u) == GridDim() - 1 ? 1 : 0;
    if (shared != 0) StoreRelease(counter, 0);
  }
  BlockBarrier();
  const bool last = shared != 0;
  if (last) DeviceFence();
  return last;
}

}  // namespace
}  // namespace rocforge::port
