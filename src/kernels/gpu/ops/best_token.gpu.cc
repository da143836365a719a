// The token with the largest logit of each row, the lowest one among equals; -1 where the row has a
// NaN or +infinity (a broken computation must not become a token) or nothing but -infinity.
//   Traffic: n_vocab floats a row, once. Two launches: blocks find the best of their part, then a
//   wave a row compares the parts.
#include "kernels/gpu/block/reduce.h"
#include "kernels/gpu/ops/best_token_args.h"
#include "kernels/gpu/port/port.h"

namespace rocforge::port {
namespace {

constexpr int32_t kNothing = -1;  // no candidate yet
constexpr int32_t kBroken = -2;   // stronger than every candidate

struct Best {
  float logit;
  int32_t token;
};

RF_DEVICE Best Better(Best a, Best b) {
  if (a.token == kBroken || b.token == kNothing) return a;
  if (b.token == kBroken || a.token == kNothing) return b;
  return b.logit > a.logit || (b.logit == a.logit && b.token < a.token) ? b : a;
}

RF_DEVICE Best WaveBest(Best best) {
  for (uint32_t mask = kWaveSize / 2; mask > 0; mask /= 2)
    best = Better(best, {ShuffleXor(best.logit, mask), ShuffleXor(best.token, mask)});
  return best;
}

struct BestShared {
  Best best[kMaxWavesPerBlock];
};

}  // namespace

// The grid is parts by rows.
RF_KERNEL(best_token_parts, gpu::BestTokenArgs, 256) {
  const uint64_t row = BlockIdY();
  const float* logits = args.logits + row * args.n_vocab;
  const uint32_t length = (args.n_vocab + GridDim() - 1) / GridDim();
  const uint32_t begin = BlockId() * length;
  const uint32_t end = begin + length < args.n_vocab ? begin + length : args.n_vocab;
  Best best{-__builtin_inff(), kNothing};
  for (uint32_t i = begin + ThreadId(); i < end; i += BlockDim()) {
    const float x = logits[i];
    if (!(x <= 3.402823466e38f)) best = {x, kBroken};
    if (best.token != kBroken && x > best.logit) best = {x, static_cast<int32_t>(i)};
  }
  BestShared& s = SharedBlock<BestShared>();
  best = WaveBest(best);
  if (LaneId() == 0) s.best[WaveId()] = best;
  BlockBarrier();
  if (ThreadId() != 0) return;
  for (uint32_t w = 1; w < BlockDim() / kWaveSize; ++w) best = Better(best, s.best[w]);
  args.parts[row * GridDim() + BlockId()] = {best.logit, best.token};
}

// A wave a row.
RF_KERNEL(best_token, gpu::BestTokenArgs, 64) {
  const gpu::BestTokenPart* parts =
      args.parts + static_cast<uint64_t>(BlockId()) * gpu::kBestTokenParts;
  Best best{0.0f, kNothing};
  for (uint32_t i = LaneId(); i < gpu::kBestTokenParts; i += kWaveSize)
    best = Better(best, {parts[i].logit, parts[i].token});
  best = WaveBest(best);
  if (LaneId() == 0) args.tokens[BlockId()] = best.token >= 0 ? best.token : -1;
}

}  // namespace rocforge::port
