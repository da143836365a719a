// The 64 tokens with the largest logits of each row, by ascending token; among equal logits the
// lower tokens, as sample/ chooses. -infinity is never kept.
//   Traffic: n_vocab floats a row, once from memory and some thirty times from the caches. Two
//   launches: a block for each part of a row, then a block a row over what the parts kept.
// The 64th largest logit is found bit by bit, from the highest on: a number is kept if at least 64
// logits are not below it. Numbers are the floats' bits, changed so that they order as integers.
#include "kernels/gpu/block/reduce.h"
#include "kernels/gpu/ops/top_tokens_args.h"
#include "kernels/gpu/port/port.h"

namespace rocforge::port {
namespace {

constexpr uint32_t kThreads = 256;

struct TopShared {
  BlockReduceShared reduce;
  float above[kThreads];
  float equal[kThreads];
};

// 0 for what is never kept: -infinity.
RF_DEVICE uint32_t OrderedBits(float x) {
  const uint32_t bits = BitCast<uint32_t>(x);
  const uint32_t ordered = (bits >> 31) != 0 ? ~bits : bits | 0x80000000u;
  return x == -__builtin_inff() ? 0 : ordered;
}

// Selects among load(i) for i in [0, n), which has ascending tokens; entries without a token are
// skipped.
template <typename Load>
RF_DEVICE void SelectTop(Load load, uint32_t n, gpu::TopToken* out, TopShared& s) {
  const uint32_t length = (n + kThreads - 1) / kThreads;
  const uint32_t first = ThreadId() * length < n ? ThreadId() * length : n;
  const uint32_t end = first + length < n ? first + length : n;
  const auto key = [&](uint32_t i) {
    const gpu::TopToken t = load(i);
    return t.token < 0 ? 0u : OrderedBits(t.logit);
  };
  bool broken = false;
  for (uint32_t i = first; i < end; ++i) {
    const gpu::TopToken t = load(i);
    broken |= t.token == gpu::kBrokenLogits || (t.token >= 0 && !(t.logit <= 3.402823466e38f));
  }
  // Counts stay far below 2^24, so that floats add them exactly.
  if (BlockSum(broken ? 1.0f : 0.0f, s.reduce) > 0.0f) {
    if (ThreadId() < gpu::kTopTokens)
      out[ThreadId()] = {0.0f, ThreadId() == 0 ? gpu::kBrokenLogits : gpu::kNoTopToken};
    return;
  }
  constexpr float kWanted = gpu::kTopTokens;
  uint32_t threshold = 0;
  for (uint32_t bit = 0x80000000u; bit != 0; bit >>= 1) {
    float count = 0.0f;
    for (uint32_t i = first; i < end; ++i) count += key(i) >= (threshold | bit) ? 1.0f : 0.0f;
    if (BlockSum(count, s.reduce) >= kWanted) threshold |= bit;
  }
  float above = 0.0f;
  float equal = 0.0f;
  for (uint32_t i = first; i < end; ++i) {
    above += key(i) > threshold ? 1.0f : 0.0f;
    equal += threshold != 0 && key(i) == threshold ? 1.0f : 0.0f;
  }
  s.above[ThreadId()] = above;
  s.equal[ThreadId()] = equal;
  BlockBarrier();
  float above_before = 0.0f;
  float equal_before = 0.0f;
  float above_all = 0.0f;
  float equal_all = 0.0f;
  for (uint32_t t = 0; t < kThreads; ++t) {
    if (t < ThreadId()) above_before += s.above[t];
    if (t < ThreadId()) equal_before += s.equal[t];
    above_all += s.above[t];
    equal_all += s.equal[t];
  }
  // Of the equal ones, the first so many.
  const float quota = kWanted - above_all;
  const float used = above_all + (equal_all < quota ? equal_all : quota);
  auto at = static_cast<uint32_t>(above_before + (equal_before < quota ? equal_before : quota));
  for (uint32_t i = first; i < end; ++i) {
    const uint32_t k = key(i);
    bool keep = k > threshold;
    if (threshold != 0 && k == threshold) {
      keep = equal_before < quota;
      equal_before += 1.0f;
    }
    if (keep) out[at++] = load(i);
  }
  const uint32_t unused = static_cast<uint32_t>(used) + ThreadId();
  if (unused < gpu::kTopTokens) out[unused] = {0.0f, gpu::kNoTopToken};
}

}  // namespace

// The grid is parts by rows.
RF_KERNEL(top_tokens_parts, gpu::TopTokensArgs, 256) {
  LetNextStart();
  AwaitPrevious();
  const uint64_t row = BlockIdY();
  const uint32_t length = (args.n_vocab + GridDim() - 1) / GridDim();
  const uint32_t wanted = BlockId() * length;
  const uint32_t begin = wanted < args.n_vocab ? wanted : args.n_vocab;
  const uint32_t n = args.n_vocab - begin < length ? args.n_vocab - begin : length;
  const float* logits = args.logits + row * args.n_vocab + begin;
  SelectTop([&](uint32_t i) { return gpu::TopToken{logits[i], static_cast<int32_t>(begin + i)}; },
            n, args.parts + (row * GridDim() + BlockId()) * gpu::kTopTokens,
            SharedBlock<TopShared>());
}

// A block a row.
RF_KERNEL(top_tokens, gpu::TopTokensArgs, 256) {
  LetNextStart();
  AwaitPrevious();
  const uint64_t row = BlockId();
  constexpr uint32_t kEntries = gpu::kTopTokenParts * gpu::kTopTokens;
  const gpu::TopToken* parts = args.parts + row * kEntries;
  SelectTop([&](uint32_t i) { return parts[i]; }, kEntries, args.top + row * gpu::kTopTokens,
            SharedBlock<TopShared>());
}

}  // namespace rocforge::port
