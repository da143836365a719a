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

// Scalars, not a struct: a struct that is chosen between goes through memory.
RF_DEVICE void TakeBetter(float& logit, int32_t& token, float other_logit, int32_t other_token) {
  const bool candidate = token != kBroken && other_token != kNothing;
  const bool larger =
      other_logit > logit || (other_logit == logit && other_token < token) || token == kNothing;
  const bool take = candidate && (other_token == kBroken || larger);
  logit = take ? other_logit : logit;
  token = take ? other_token : token;
}

RF_DEVICE void WaveBest(float& logit, int32_t& token) {
  for (uint32_t mask = kWaveSize / 2; mask > 0; mask /= 2)
    TakeBetter(logit, token, ShuffleXor(logit, mask), ShuffleXor(token, mask));
}

struct BestShared {
  float logit[kMaxWavesPerBlock];
  int32_t token[kMaxWavesPerBlock];
};

}  // namespace

// The grid is parts by rows.
RF_KERNEL(best_token_parts, gpu::BestTokenArgs, 256) {
  LetNextStart();
  AwaitPrevious();
  const uint64_t row = BlockIdY();
  const float* logits = args.logits + row * args.n_vocab;
  const uint32_t length = (args.n_vocab + GridDim() - 1) / GridDim();
  const uint32_t begin = BlockId() * length;
  const uint32_t end = begin + length < args.n_vocab ? begin + length : args.n_vocab;
  float best = -__builtin_inff();
  int32_t token = kNothing;
  for (uint32_t i = begin + ThreadId(); i < end; i += BlockDim()) {
    const float x = logits[i];
    const bool broken = !(x <= 3.402823466e38f);
    const bool take = token != kBroken && (broken || x > best);
    best = take ? x : best;
    token = take ? (broken ? kBroken : static_cast<int32_t>(i)) : token;
  }
  BestShared& s = SharedBlock<BestShared>();
  WaveBest(best, token);
  if (LaneId() == 0) {
    s.logit[WaveId()] = best;
    s.token[WaveId()] = token;
  }
  BlockBarrier();
  if (ThreadId() != 0) return;
  for (uint32_t w = 1; w < BlockDim() / kWaveSize; ++w)
    TakeBetter(best, token, s.logit[w], s.token[w]);
  args.parts[row * GridDim() + BlockId()] = {best, token};
}

// A wave a row.
RF_KERNEL(best_token, gpu::BestTokenArgs, 64) {
  LetNextStart();
  AwaitPrevious();
  const gpu::BestTokenPart* parts =
      args.parts + static_cast<uint64_t>(BlockId()) * gpu::kBestTokenParts;
  float best = 0.0f;
  int32_t token = kNothing;
  for (uint32_t i = LaneId(); i < gpu::kBestTokenParts; i += kWaveSize)
    TakeBetter(best, token, parts[i].logit, parts[i].token);
  WaveBest(best, token);
  if (LaneId() == 0) args.tokens[BlockId()] = token >= 0 ? token : -1;
}

}  // namespace rocforge::port
