// Tokens chosen among logits: the best one, the 64 best ones, one drawn.
#include <cmath>
#include <cstddef>
#include <random>
#include <span>
#include <vector>

#include "base/format.h"
#include "bench/micro/gpu/bench.h"
#include "kernels/gpu/launch/best_token.h"
#include "kernels/gpu/launch/choose_tokens.h"

namespace rocforge::gpu::bench {
namespace {

// Launches in one graph; all read the same logits, as a step's have just been written.
constexpr size_t kLaunches = 16;

struct Buffers {
  Buffer logits, draws, scratch, parts, tokens, top;
};

Result<Buffer> Upload(const rocforge::bench::GpuTarget& target, std::span<const std::byte> bytes) {
  ROCFORGE_ASSIGN_OR_RETURN(Buffer buffer,
                            Buffer::Allocate(target.device(), static_cast<int64_t>(bytes.size())));
  ROCFORGE_RETURN_IF_ERROR(target.stream().CopyToDevice(buffer.ptr(), bytes));
  ROCFORGE_RETURN_IF_ERROR(target.stream().Synchronize());
  return buffer;
}

Result<Buffers> Prepare(const rocforge::bench::GpuTarget& target, int64_t rows, int64_t n_vocab,
                        const TokenDraw& draw) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal(0.0f, 2.0f);
  std::vector<float> logits(static_cast<size_t>(rows * n_vocab));
  for (float& x : logits) x = normal(random);
  std::vector<TokenDraw> draws(static_cast<size_t>(rows), draw);
  for (TokenDraw& d : draws) d.unit = static_cast<double>(random()) * 0x1.0p-32;
  Buffers b;
  ROCFORGE_ASSIGN_OR_RETURN(b.logits, Upload(target, std::as_bytes(std::span(logits))));
  ROCFORGE_ASSIGN_OR_RETURN(b.draws, Upload(target, std::as_bytes(std::span(draws))));
  const int64_t scratch_bytes = ChooseScratchBytes(rows, n_vocab);
  ROCFORGE_ASSIGN_OR_RETURN(b.scratch, Buffer::Allocate(target.device(), scratch_bytes));
  ROCFORGE_RETURN_IF_ERROR(target.stream().Fill(b.scratch.ptr(), 0, scratch_bytes));
  ROCFORGE_ASSIGN_OR_RETURN(b.parts, Buffer::Allocate(target.device(), BestTokenPartBytes(rows)));
  ROCFORGE_ASSIGN_OR_RETURN(b.tokens, Buffer::Allocate(target.device(), rows * 4));
  ROCFORGE_ASSIGN_OR_RETURN(b.top, Buffer::Allocate(target.device(), rows * kTopTokens * 8));
  return b;
}

struct Choice {
  const char* name;
  enum Kind { kBest, kTop, kDraw } kind;
  uint32_t steps;
};

constexpr Choice kChoices[] = {
    {"best", Choice::kBest, 0},
    {"64 best", Choice::kTop, 0},
    {"temperature", Choice::kDraw, kStepTemperature},
    {"top-p, temperature", Choice::kDraw, kStepTopP | kStepTemperature << 4},
    {"top-k 200, top-p, min-p, temperature", Choice::kDraw,
     kStepTopK | kStepTopP << 4 | kStepMinP << 8 | kStepTemperature << 12},
};

Result<std::unique_ptr<BoundOp>> BindChoice(const Choice& choice, const Buffers& b, int64_t rows,
                                            int64_t n_vocab, const BindContext& context) {
  if (choice.kind == Choice::kBest)
    return BindBestToken(b.logits.ptr(), n_vocab, b.parts.ptr(), b.tokens.ptr(), context);
  const ChooseTarget target = choice.kind == Choice::kTop
                                  ? ChooseTarget{.top = b.top.ptr()}
                                  : ChooseTarget{.draws = b.draws.ptr(), .tokens = b.tokens.ptr()};
  return BindChooseTokens(b.logits.ptr(), n_vocab, b.scratch.ptr(), rows, target, context);
}

void Choose(Bench& bench) {
  for (const int64_t n_vocab : {int64_t{32000}, int64_t{128256}}) {
    for (const int32_t rows : {1, 32}) {
      for (const Choice& choice : kChoices) {
        const std::string name = Format("choose {}, {} x {}", choice.name, rows, n_vocab);
        if (!bench.Wants(name)) continue;
        const TokenDraw draw{0, 0.8f, 0.95f, std::log(0.05f), 200, choice.steps, 0};
        const Result<Buffers> buffers = Prepare(bench.target(), rows, n_vocab, draw);
        if (!buffers.ok()) {
          bench.Fail(name, buffers.status());
          continue;
        }
        BindContext context;
        context.device = bench.target().device();
        context.modules = &bench.target().modules();
        const auto bound = BindChoice(choice, *buffers, rows, n_vocab, context);
        if (!bound.ok()) {
          bench.Fail(name, bound.status());
          continue;
        }
        bench.Run(name, kLaunches,
                  [&](const Stream& stream, size_t) {
                    return (*bound)->Enqueue(stream, {rows, rows, rows, 1});
                  },
                  {4.0 * static_cast<double>(rows * n_vocab), 0});
      }
    }
  }
}

[[maybe_unused]] const bool registered = Register(Choose);

}  // namespace
}  // namespace rocforge::gpu::bench
