// `rocforge bench memory`: what the KV cache, the weights and the scratch take, and what growing
// costs.
#include <algorithm>
#include <chrono>
#include <cstring>
#include <list>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "apps/bench/bench_model.h"
#include "apps/bench/suite.h"
#include "apps/bench/suites.h"
#include "apps/engine_options.h"
#include "apps/plan_cost.h"
#include "base/format.h"
#include "engine/kv_memory.h"
#include "exec/cpu_executor.h"
#include "gguf/reader.h"
#include "graph/plan.h"
#include "kernels/cpu/kernels.h"
#include "kv/page_pool.h"
#include "model/model.h"

namespace rocforge::apps {
namespace {

using Clock = std::chrono::steady_clock;
using KvLayers = std::vector<graph::KvSpec>;

struct MemoryFlags {
  BenchOptions bench;
  std::string model;
};

constexpr int32_t kPageSize = 32;  // the engine's
constexpr int32_t kContexts[] = {1024, 2048, 4096, 32768};
constexpr int32_t kPageSizes[] = {16, 32, 64, 128, 256};
// What the timed cases touch at most.
constexpr int64_t kMostTouchedBytes = int64_t{256} << 20;

int32_t PagesOf(int32_t tokens, int32_t page_size) { return (tokens + page_size - 1) / page_size; }

// Writes one byte of each page of the system, as the first use does.
void Touch(const engine::KvMemory& memory) {
  constexpr int64_t kSystemPage = 4096;
  auto* const begin = static_cast<volatile std::byte*>(memory.layers().front().k);
  for (int64_t at = 0; at < memory.bytes(); at += kSystemPage) begin[at] = std::byte{1};
}

// Memory for `pages` pages: all at once, or one page after the other.
class Growth final : public bench::PreparedOp {
 public:
  Growth(KvLayers layers, int32_t pages, bool at_once)
      : layers_(std::move(layers)), pages_(pages), at_once_(at_once) {}

  Result<double> Sample() override {
    std::vector<engine::KvMemory> memory;
    memory.reserve(static_cast<size_t>(pages_));
    const Clock::time_point start = Clock::now();
    for (int32_t i = 0; i < (at_once_ ? 1 : pages_); ++i) {
      ROCFORGE_ASSIGN_OR_RETURN(
          engine::KvMemory piece,
          engine::KvMemory::Allocate(layers_, DType::kF16, at_once_ ? pages_ : 1, kPageSize));
      Touch(piece);
      memory.push_back(std::move(piece));
    }
    return std::chrono::duration<double>(Clock::now() - start).count();
  }

 private:
  KvLayers layers_;
  int32_t pages_;
  bool at_once_;
};

// Sequences that come, grow by a token at a time and go, in a pool that is always nearly full.
struct ChurnResult {
  int64_t tokens = 0;
  int64_t page_requests = 0;
  double wasted_share = 0;      // of the pages in use, at the end: room behind the last tokens
  double used_share = 0;        // of the pool when a new sequence is refused, on average
  double neighbours_share = 0;  // of pages that follow each other in memory as in the sequence
};

class Churn {
 public:
  Churn(int32_t context, int32_t page_size)
      : context_(context),
        page_size_(page_size),
        pool_(kSequences * PagesOf(context, page_size) / 2) {}

  Result<ChurnResult> Run(int32_t steps) {
    ChurnResult result;
    double used = 0;
    int64_t refusals = 0;
    for (int32_t step = 0; step < steps; ++step) {
      while (running_.size() < kSequences && Start(&result)) {
      }
      if (running_.size() < kSequences) {
        used += 1 - static_cast<double>(pool_.n_free()) / pool_.n_pages();
        ++refusals;
      }
      for (auto at = running_.begin(); at != running_.end();) {
        const size_t before = at->pages.pages().size();
        const bool ends = at->pages.length() >= at->target || !at->pages.Extend(1).ok();
        if (ends) {
          at->pages.Clear();
          at = running_.erase(at);
          continue;
        }
        ++result.tokens;
        result.page_requests += static_cast<int64_t>(at->pages.pages().size() - before);
        ++at;
      }
    }
    result.used_share = refusals > 0 ? used / static_cast<double>(refusals) : 0;
    Look(&result);
    for (Running& r : running_) r.pages.Clear();
    running_.clear();
    return result;
  }

 private:
  static constexpr int32_t kSequences = 16;
  struct Running {
    kv::SequencePages pages;
    int32_t target = 0;
  };

  // A prompt of a random length; false where it does not fit.
  bool Start(ChurnResult* result) {
    const int32_t target = 1 + static_cast<int32_t>(random_() % static_cast<uint32_t>(context_));
    const int32_t prompt = 1 + static_cast<int32_t>(random_() % static_cast<uint32_t>(target));
    Running r{kv::SequencePages(&pool_, page_size_, context_), target};
    if (!r.pages.Extend(prompt).ok()) return false;
    result->tokens += prompt;
    result->page_requests += static_cast<int64_t>(r.pages.pages().size());
    running_.push_back(std::move(r));
    return true;
  }

  void Look(ChurnResult* result) const {
    int64_t pages = 0;
    int64_t tokens = 0;
    int64_t pairs = 0;
    int64_t neighbours = 0;
    for (const Running& r : running_) {
      const std::span<const int32_t> list = r.pages.pages();
      pages += static_cast<int64_t>(list.size());
      tokens += r.pages.length();
      for (size_t i = 1; i < list.size(); ++i) {
        ++pairs;
        neighbours += list[i] == list[i - 1] + 1;
      }
    }
    if (pages > 0)
      result->wasted_share =
          1 - static_cast<double>(tokens) / static_cast<double>(pages * page_size_);
    if (pairs > 0)
      result->neighbours_share = static_cast<double>(neighbours) / static_cast<double>(pairs);
  }

  int32_t context_;
  int32_t page_size_;
  std::mt19937 random_{1};
  kv::PagePool pool_;
  std::list<Running> running_;
};

class ChurnTime final : public bench::PreparedOp {
 public:
  ChurnTime(int32_t context, int32_t page_size) : context_(context), page_size_(page_size) {}
  Result<double> Sample() override {
    constexpr int32_t kSteps = 2000;
    Churn churn(context_, page_size_);
    const Clock::time_point start = Clock::now();
    ROCFORGE_ASSIGN_OR_RETURN(const ChurnResult result, churn.Run(kSteps));
    return std::chrono::duration<double>(Clock::now() - start).count() /
           static_cast<double>(result.tokens);
  }

 private:
  int32_t context_;
  int32_t page_size_;
};

class MemoryCases {
 public:
  explicit MemoryCases(Suite* suite) : suite_(suite) {}

  // Nothing counted as 0 is a case: a baseline could not hold its ratio.
  void Exact(const std::string& name, double value, const char* unit) {
    if (value > 0) suite_->cases.push_back(ExactCase(name, value, unit, {}));
  }

  template <typename Op, typename... Args>
  void Timed(const std::string& name, const Args&... args) {
    BenchCase c;
    c.name = name;
    c.prepare = [args...]() -> bench::Prepared {
      return std::unique_ptr<bench::PreparedOp>(std::make_unique<Op>(args...));
    };
    suite_->cases.push_back(std::move(c));
  }

 private:
  Suite* suite_;
};

int64_t BytesPerToken(const KvLayers& layers, DType type) {
  return engine::KvBytes(layers, type, 1, kPageSize) / kPageSize;
}

void AddCache(const std::string& name, const KvLayers& layers, MemoryCases& cases) {
  for (const DType type : {DType::kF16, DType::kF32, DType::kQ8_0}) {
    cases.Exact(Format("{} kv {} a token", name, Name(type)),
                static_cast<double>(BytesPerToken(layers, type)), "bytes");
  }
  for (const int32_t context : kContexts) {
    cases.Exact(Format("{} kv F16 context {}", name, context),
                static_cast<double>(
                    engine::KvBytes(layers, DType::kF16, PagesOf(context, kPageSize), kPageSize)),
                "bytes");
  }
  const int64_t page_bytes = BytesPerToken(layers, DType::kF16) * kPageSize;
  const auto pages = static_cast<int32_t>(std::clamp<int64_t>(
      kMostTouchedBytes / std::max<int64_t>(page_bytes, 1), 1, PagesOf(kContexts[0], kPageSize)));
  cases.Timed<Growth>(Format("{} kv of {} tokens at once", name, pages * kPageSize), layers, pages,
                      true);
  cases.Timed<Growth>(Format("{} kv of {} tokens page by page", name, pages * kPageSize), layers,
                      pages, false);
}

// Of sequences whose lengths are spread evenly up to the context.
void AddPages(MemoryCases& cases) {
  for (const int32_t context : kContexts) {
    double reserved = 0;
    for (const int32_t page_size : kPageSizes) {
      double paged = 0;
      double needed = 0;
      for (int32_t length = 1; length <= context; ++length) {
        paged += static_cast<double>(PagesOf(length, page_size)) * page_size;
        needed += length;
      }
      reserved = static_cast<double>(context) * context / needed;
      cases.Exact(Format("overhead of pages of {}, lengths up to {}", page_size, context),
                  100 * (paged / needed - 1), "%");
    }
    cases.Exact(Format("overhead of whole contexts, lengths up to {}", context),
                100 * (reserved - 1), "%");
  }
}

Status AddChurn(MemoryCases& cases) {
  for (const int32_t context : kContexts) {
    ROCFORGE_ASSIGN_OR_RETURN(const ChurnResult r, Churn(context, kPageSize).Run(2 * context));
    const std::string name = Format("churn up to {}", context);
    cases.Exact(name + " page requests a token",
                static_cast<double>(r.page_requests) / static_cast<double>(r.tokens), "");
    cases.Exact(name + " room behind the last tokens", 100 * r.wasted_share, "%");
    cases.Exact(name + " pool used when it refuses", 100 * r.used_share, "%");
    cases.Exact(name + " pages beside their neighbour", 100 * r.neighbours_share, "%");
    cases.Timed<ChurnTime>(name + " book-keeping a token", context, kPageSize);
  }
  return {};
}

// "attention" for blk.3.attn_q, ...
const char* PartOf(const std::string& tensor) {
  const auto has = [&](const char* text) { return tensor.find(text) != std::string::npos; };
  if (has("norm")) return "norms";
  if (has("token_embd")) return "embeddings";
  if (has("attn")) return "attention";
  if (has("ffn")) return "feed-forward";
  if (tensor.starts_with("output")) return "output";
  return "other";
}

// What the kernels of one thread take beside the activations.
Result<double> CpuScratch(const model::Model& model, const graph::Plan& plan) {
  ThreadPool pool(1);
  ROCFORGE_ASSIGN_OR_RETURN(
      const engine::KvMemory kv,
      engine::KvMemory::Allocate(model.graph.kv_layers, DType::kF16, 1, kPageSize));
  ROCFORGE_ASSIGN_OR_RETURN(
      const auto executor,
      exec::CpuExecutor::Create(plan, {model.weights, kv.layers(), &pool, cpu::BestIsa()}));
  return static_cast<double>(executor->scratch_bytes());
}

Status AddModelCases(const std::string& path, MemoryCases& cases) {
  ROCFORGE_ASSIGN_OR_RETURN(const gguf::File file, gguf::File::Open(path));
  Result<model::Model> model = model::BuildModel(file, 0);
  if (!model.ok()) return model.status().WithContext(EscapeForTerminal(path));
  std::map<std::string, double> parts;
  for (const gguf::TensorInfo& tensor : file.tensors())
    parts[PartOf(tensor.name)] += static_cast<double>(tensor.data.size());
  for (const auto& [part, bytes] : parts) cases.Exact("weights " + part, bytes, "bytes");
  for (const int64_t batch : {1, 64, 512}) {
    ROCFORGE_ASSIGN_OR_RETURN(const graph::Plan plan,
                              graph::BuildPlan(model->graph, {}, {batch, 1}));
    cases.Exact(Format("activations of a step of {}", batch), static_cast<double>(plan.arena_bytes),
                "bytes");
    ROCFORGE_ASSIGN_OR_RETURN(const double scratch, CpuScratch(*model, plan));
    cases.Exact(Format("scratch of the CPU's kernels, step of {}", batch), scratch, "bytes");
  }
  AddCache("model", model->graph.kv_layers, cases);
  return {};
}

Status Memory(const MemoryFlags& flags) {
  Suite suite;
  suite.name = "memory";
  suite.machine = DescribeMachine(1, "", nullptr);
  MemoryCases cases(&suite);
  ROCFORGE_ASSIGN_OR_RETURN(const BenchModel model, FindBenchModel(flags.model, "", false));
  if (model.path.empty()) {
    AddCache("7B", KvLayers(32, graph::KvSpec{32, 128, 128, 0}), cases);
    AddCache("8B", KvLayers(32, graph::KvSpec{8, 128, 128, 0}), cases);
  } else {
    ROCFORGE_RETURN_IF_ERROR(AddModel(model.path, &suite.machine));
    ROCFORGE_RETURN_IF_ERROR(AddModelCases(model.path, cases));
  }
  AddPages(cases);
  ROCFORGE_RETURN_IF_ERROR(AddChurn(cases));
  return RunSuite(std::move(suite), flags.bench);
}

}  // namespace

void RegisterBenchMemory(Command bench, std::function<Status()>* run) {
  auto flags = std::make_shared<MemoryFlags>();
  Command command = bench.AddSubcommand(
      "memory", "Bytes of the KV cache, pages, weights and scratch, and what growing costs");
  AddBenchFlags(command, &flags->bench, nullptr);
  command
      .AddOption("-m,--model,--gguf", flags->model,
                 "this model (default: $ROCFORGE_TEST_MODEL, $ROCFORGE_MODEL, else the caches of "
                 "a 7B and an 8B)")
      .TypeName("MODEL");
  command.OnParsed([flags, run] { *run = [flags] { return Memory(*flags); }; });
}

}  // namespace rocforge::apps
