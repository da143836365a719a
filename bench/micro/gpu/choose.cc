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
  Buffer logits, draws, scratch, parts, tokens, top, edits, edit_begin;
};

Result<Buffer> Upload(const rocforge::bench::GpuTarget& target, std::span<const std::byte> bytes) {
  ROCFORGE_ASSIGN_OR_RETURN(Buffer buffer,
                            Buffer::Allocate(target.device(), static_cast<int64_t>(bytes.size())));
  ROCFORGE_RETURN_IF_ERROR(target.stream().CopyToDevice(buffer.ptr(), bytes));
  ROCFORGE_RETURN_IF_ERROR(target.stream().Synchronize());
  return buffer;
}

Result<Buffers> Prepare(const rocforge::bench::GpuTarget& target, int64_t rows, int64_t n_vocab,
                        const TokenDraw& draw, uint32_t n_edits) {
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
  ROCFORGE_ASSIGN_OR_RETURN(b.tokens, Buffer::Allocate(target.device(), rows * 8));
  ROCFORGE_ASSIGN_OR_RETURN(b.top, Buffer::Allocate(target.device(), rows * kTopTokens * 8));
  std::vector<LogitEdit> edits;
  std::vector<uint32_t> begin = {0};
  for (int64_t row = 0; row < rows; ++row) {
    for (uint32_t i = 0; i < n_edits; ++i)
      edits.push_back({static_cast<int32_t>(i * 7), 1.0f, 0x1.0p-30});
    const auto end = static_cast<uint32_t>(edits.size());
    begin.insert(begin.end(), {end, end, end});
  }
  edits.push_back({});  // never empty
  ROCFORGE_ASSIGN_OR_RETURN(b.edits, Upload(target, std::as_bytes(std::span(edits))));
  ROCFORGE_ASSIGN_OR_RETURN(b.edit_begin, Upload(target, std::as_bytes(std::span(begin))));
  return b;
}

struct Choice {
  const char* name;
  enum Kind { kBest, kTop, kDraw, kEdit } kind;
  uint32_t steps;  // with kEdit: how many a row
};

constexpr Choice kChoices[] = {
    {"best", Choice::kBest, 0},
    {"64 best", Choice::kTop, 0},
    {"temperature", Choice::kDraw, kStepTemperature},
    {"top-p, temperature", Choice::kDraw, kStepTopP | kStepTemperature << 4},
    {"top-k 200, top-p, min-p, temperature", Choice::kDraw,
     kStepTopK | kStepTopP << 4 | kStepMinP << 8 | kStepTemperature << 12},
    {"min-p, xtc, temperature", Choice::kDraw, kStepMinP | kStepXtc << 4 | kStepTemperature << 8},
    {"top-n-sigma, temperature", Choice::kDraw, kStepTopNSigma | kStepTemperature << 4},
    {"typical, temperature", Choice::kDraw, kStepTypical | kStepTemperature << 4},
    {"temperature, mirostat", Choice::kDraw, kStepTemperature | kStepMirostat << 4},
    {"edits of 64", Choice::kEdit, 64},
    {"edits of 4096", Choice::kEdit, 4096},
};

Result<std::unique_ptr<BoundOp>> BindChoice(const Choice& choice, const Buffers& b, int64_t rows,
                                            int64_t n_vocab, const BindContext& context) {
  if (choice.kind == Choice::kBest)
    return BindBestToken(b.logits.ptr(), n_vocab, b.parts.ptr(), b.tokens.ptr(), context);
  if (choice.kind == Choice::kEdit)
    return BindEditLogits(b.logits.ptr(), n_vocab, b.edits.ptr(), b.edit_begin.ptr(), context);
  const ChooseTarget target = choice.kind == Choice::kTop
                                  ? ChooseTarget{.top = b.top.ptr()}
                                  : ChooseTarget{.draws = b.draws.ptr(), .drawn = b.tokens.ptr()};
  return BindChooseTokens(b.logits.ptr(), n_vocab, b.scratch.ptr(), rows, target, context);
}

void Choose(Bench& bench) {
  for (const int64_t n_vocab : {int64_t{32000}, int64_t{128256}}) {
    for (const int32_t rows : {1, 32}) {
      for (const Choice& choice : kChoices) {
        const std::string name = Format("choose {}, {} x {}", choice.name, rows, n_vocab);
        if (!bench.Wants(name)) continue;
        const bool edits = choice.kind == Choice::kEdit;
        const TokenDraw draw{0,    0.8f, 0.95f, std::log(0.05f), 200, edits ? 0 : choice.steps,
                             1.0f, 0.9f, 0.1f,  0.01f,           0};
        const Result<Buffers> buffers =
            Prepare(bench.target(), rows, n_vocab, draw, edits ? choice.steps : 0);
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
