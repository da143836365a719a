// The GPU executor against the CPU executor on toy models: on the simulator always, on real devices
// where there are any.
#include "exec/gpu_executor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <utility>
#include <vector>

#include "base/format.h"
#include "engine/gpu_weights.h"
#include "engine/kv_memory.h"
#include "engine/step_builder.h"
#include "exec/cpu_executor.h"
#include "exec/gpu_step.h"
#include "exec/graph_cache.h"
#include "exec/self_check.h"
#include "kernels/gpu/port/sim/sim_driver.h"
#include "kv/page_pool.h"
#include "tests/graph/graph_test_util.h"
#include "tests/kernels/gpu/test_device.h"
#include "tests/testing.h"

namespace rocforge::exec {
namespace {

using graph::testing::MakeToyGraph;
using graph::testing::ToyOptions;

constexpr int32_t kPageSize = 32;
constexpr int32_t kPages = 16;
constexpr int32_t kMaxTokens = 40;
constexpr int32_t kMaxSequences = 4;

// The same random model on the CPU and on a GPU.
class Twins {
 public:
  Twins(const std::string& device_name, const ToyOptions& options, GpuMode mode,
        uint32_t seed = std::random_device{}())
      : Twins(testing::OpenTestDevice(device_name).value(), options, mode, seed) {}
  Twins(std::shared_ptr<gpu::Device> device, const ToyOptions& options, GpuMode mode, uint32_t seed)
      : seed_(seed),
        device_(std::move(device)),
        plan_(graph::BuildPlan(MakeToyGraph(options), {}, {kMaxTokens, kMaxTokens}).value()) {
    std::normal_distribution<float> normal(0.0f, 0.5f);
    for (const graph::Value& v : plan_.graph.values) {
      if (!v.is_weight()) continue;
      auto& data = weights_.emplace_back(static_cast<size_t>(v.outer * v.rows.count * v.cols));
      for (float& x : data) x = normal(random_);
    }
    for (const std::vector<float>& w : weights_)
      sources_.push_back(reinterpret_cast<const std::byte*>(w.data()));
    MakeCpu();
    MakeGpu(mode);
  }

  // Feeds tokens to sequences in one step of both; logits of all tokens.
  std::pair<std::vector<float>, std::vector<float>> Feed(
      std::vector<kv::SequencePages*> sequences, const std::vector<std::vector<int32_t>>& tokens) {
    const op::Step& step = Build(std::move(sequences), tokens);
    EXPECT_OK(cpu_->Run(step));
    EXPECT_OK(gpu_->Run(step));
    return {{cpu_->logits().begin(), cpu_->logits().end()},
            {gpu_->logits().begin(), gpu_->logits().end()}};
  }

  const op::Step& Build(std::vector<kv::SequencePages*> sequences,
                        const std::vector<std::vector<int32_t>>& tokens) {
    builder_.Begin();
    for (size_t i = 0; i < sequences.size(); ++i) {
      const auto n = static_cast<int32_t>(tokens[i].size());
      EXPECT_OK(sequences[i]->Extend(n));
      builder_.Add(*sequences[i], tokens[i], n);
    }
    return builder_.Finish();
  }

  Status SelfCheck() {
    const SelfCheckInput input{&plan_, sources_, gpu_kv_.layers(), &pool_, cpu::BestIsa(),
                               kPages, true};
    return CheckGpuAgainstCpu(*gpu_, device_, input);
  }

  kv::SequencePages NewSequence() { return {&pages_, kPageSize, 200}; }
  CpuExecutor& cpu() { return *cpu_; }
  GpuExecutor& gpu() { return *gpu_; }
  const graph::Plan& plan() const { return plan_; }
  std::vector<std::vector<float>>& weights() { return weights_; }

 private:
  void MakeCpu() {
    cpu_kv_ =
        engine::KvMemory::Allocate(plan_.graph.kv_layers, DType::kF32, kPages, kPageSize).value();
    cpu_ = CpuExecutor::Create(plan_, {sources_, cpu_kv_.layers(), &pool_, cpu::BestIsa()}).value();
  }
  void MakeGpu(GpuMode mode) {
    modules_ = gpu::Modules::Load(device_).value();
    gpu_weights_ = engine::GpuWeights::Plan(plan_.graph, sources_).value();
    const gpu::DeviceCounters before = device_->counters();
    ASSERT_OK(gpu_weights_.Allocate(device_, gpu_weights_.WantsHostMemory(*device_)));
    ASSERT_OK(gpu_weights_.UploadVectors(pool_));
    double progress = 0;
    ASSERT_OK(gpu_weights_.UploadMatrices(pool_, [&](double f) { progress = f; }));
    EXPECT_EQ(progress, 1.0);
    // An integrated GPU reads the weights where they were packed: one allocation and no copy.
    const gpu::DeviceCounters cost = device_->counters() - before;
    const bool integrated = device_->info().integrated;
    EXPECT_EQ(gpu_weights_.in_host_memory(), integrated);
    EXPECT_EQ(cost.bytes_to_device == 0, integrated);
    EXPECT_EQ(cost.allocations == 1, integrated);
    gpu_kv_ = engine::KvMemory::AllocateOnGpu(device_, plan_.graph.kv_layers, DType::kF32, kPages,
                                              kPageSize)
                  .value();
    auto made = GpuExecutor::Create(plan_, {device_, &modules_, gpu_weights_.Addresses(),
                                            gpu_kv_.layers(), kMaxSequences, kPages, mode});
    ASSERT_OK(made);
    gpu_ = std::move(*made);
  }

  const uint32_t seed_;
  std::shared_ptr<gpu::Device> device_;
  const ::testing::ScopedTrace trace_{__FILE__, __LINE__, Format("seed {}", seed_)};
  std::mt19937 random_{seed_};
  graph::Plan plan_;
  ThreadPool pool_{2};
  std::vector<std::vector<float>> weights_;
  std::vector<const std::byte*> sources_;
  gpu::Modules modules_;
  engine::KvMemory cpu_kv_, gpu_kv_;
  engine::GpuWeights gpu_weights_;
  std::unique_ptr<CpuExecutor> cpu_;
  std::unique_ptr<GpuExecutor> gpu_;
  kv::PagePool pages_{kPages};
  engine::StepBuilder builder_{kMaxTokens, kMaxSequences, kPages};
};

void ExpectClose(const std::pair<std::vector<float>, std::vector<float>>& results) {
  const auto& [expected, got] = results;
  ASSERT_EQ(got.size(), expected.size());
  ASSERT_FALSE(got.empty());
  double norm = 0;
  double error = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_TRUE(std::isfinite(got[i])) << i;
    norm += static_cast<double>(expected[i]) * expected[i];
    error += static_cast<double>(got[i] - expected[i]) * (got[i] - expected[i]);
  }
  // Weights are F32; prefill rounds activations and weights to f16 (2^-11), over two layers.
  EXPECT_LT(std::sqrt(error / norm), 0.01);
}

const std::vector<int32_t> kPrompt = {3, 17, 5, 5, 0, 23, 9, 11, 2, 8, 1, 6, 13};

class GpuExecutorTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (const auto device = testing::OpenTestDevice(GetParam()); !device.ok())
      GTEST_SKIP() << device.status().message();
  }
};

TEST_P(GpuExecutorTest, PrefillDecodeAndRaggedBatchesAgreeWithTheCpu) {
  for (const ToyOptions& options :
       {ToyOptions{2, false, false}, {2, true, false}, {1, false, true}}) {
    Twins twins(GetParam(), options, GpuMode::kAuto);
    kv::SequencePages a = twins.NewSequence();
    kv::SequencePages b = twins.NewSequence();
    ExpectClose(twins.Feed({&a}, {kPrompt}));
    ExpectClose(twins.Feed({&b, &a}, {{7, 4}, {9, 8, 7}}));
    for (int32_t i = 0; i < 5; ++i) ExpectClose(twins.Feed({&a, &b}, {{i}, {2 * i + 1}}));
    a.Clear();
    b.Clear();
  }
}

// One copy each way, one synchronisation, no allocation, and after two steps of a shape one launch.
TEST_P(GpuExecutorTest, StepsCostWhatTheyShould) {
  Twins twins(GetParam(), {}, GpuMode::kGraph);
  kv::SequencePages s = twins.NewSequence();
  twins.Feed({&s}, {kPrompt});
  const StepCounters prompt = twins.gpu().LastCounters();
  EXPECT_EQ(prompt.synchronisations, 1);
  EXPECT_EQ(prompt.allocations, 0);
  EXPECT_GE(prompt.launches, 10);
  const auto n_vocab = static_cast<int64_t>(graph::testing::kToyVocab);
  EXPECT_EQ(prompt.bytes_to_host, static_cast<int64_t>(kPrompt.size()) * n_vocab * 4);
  for (int32_t i = 0; i < 4; ++i) {
    twins.Feed({&s}, {{i}});
    const StepCounters c = twins.gpu().LastCounters();
    EXPECT_EQ(c.synchronisations, 1);
    EXPECT_EQ(c.allocations, 0);
    EXPECT_EQ(c.bytes_to_host, n_vocab * 4);
    EXPECT_LT(c.bytes_to_device, 4096);
    EXPECT_EQ(c.captures, i == 1 ? 1 : 0);
    EXPECT_EQ(c.graph_launches, i == 0 ? 0 : 1);
    EXPECT_EQ(c.launches == 0, i > 0);
    EXPECT_EQ(c.graph_kernels >= 10, i > 0);
  }
  s.Clear();
}

// Stamps change neither results nor what the step is said to cost, in a graph or op by op, and
// every op that ran has its time.
TEST_P(GpuExecutorTest, StampsTimeEveryOpAlsoInsideOfAGraph) {
  for (const GpuMode mode : {GpuMode::kGraph, GpuMode::kEager}) {
    Twins twins(GetParam(), {}, mode);
    kv::SequencePages s = twins.NewSequence();
    ExpectClose(twins.Feed({&s}, {kPrompt}));
    for (int32_t i = 0; i < 3; ++i) twins.Feed({&s}, {{i}});
    const StepCounters plain = twins.gpu().LastCounters();
    ASSERT_OK(twins.gpu().SetTiming(OpTiming::kStamps));
    for (int32_t i = 0; i < 3; ++i) {
      ExpectClose(twins.Feed({&s}, {{i + 3}}));
      const StepTimes& t = twins.gpu().LastTimes();
      EXPECT_EQ(t.graph, mode == GpuMode::kGraph && i > 0);
      ASSERT_EQ(t.ops.size(), twins.plan().graph.nodes.size());
      int64_t last_begin_ns = -1;
      int64_t sum_ns = 0;
      int64_t kernels = 0;
      for (size_t n = 0; n < t.ops.size(); ++n) {
        EXPECT_EQ(t.ops[n].node, n);
        EXPECT_GT(t.ops[n].begin_ns, last_begin_ns);
        EXPECT_GE(t.ops[n].launches, 1);
        EXPECT_GT(t.ops[n].cost.bytes(), 0);
        last_begin_ns = t.ops[n].begin_ns;
        sum_ns += t.ops[n].time_ns;
        kernels += t.ops[n].launches;
      }
      EXPECT_GT(sum_ns, 0);
      EXPECT_LE(sum_ns, t.ops_ns);
      EXPECT_GE(t.host_ns(), 0);
      const StepCounters c = twins.gpu().LastCounters();
      EXPECT_EQ(c.launches + c.graph_kernels, kernels) << "stamps were counted";
      EXPECT_EQ(c.synchronisations, 1);
      if (i > 1) {
        EXPECT_EQ(c.launches, plain.launches);
        EXPECT_EQ(c.graph_kernels, plain.graph_kernels);
        EXPECT_EQ(c.allocations, 0);
      }
    }
    ASSERT_OK(twins.gpu().SetTiming(OpTiming::kEvents));
    ExpectClose(twins.Feed({&s}, {{1}}));
    EXPECT_EQ(twins.gpu().LastTimes().ops.size(), twins.plan().graph.nodes.size());
    EXPECT_FALSE(twins.gpu().LastTimes().graph);
    ASSERT_OK(twins.gpu().SetTiming(OpTiming::kOff));
    twins.Feed({&s}, {{1}});
    EXPECT_EQ(twins.gpu().LastCounters().launches, plain.launches);
    s.Clear();
  }
}

TEST_P(GpuExecutorTest, GraphsAndSingleLaunchesGiveTheSameBits) {
  std::vector<std::vector<float>> results;
  for (const GpuMode mode : {GpuMode::kEager, GpuMode::kGraph}) {
    Twins twins(GetParam(), {}, mode, /*seed=*/42);
    kv::SequencePages s = twins.NewSequence();
    std::vector<float>& all = results.emplace_back();
    for (int32_t i = 0; i < 4; ++i) {
      const std::vector<float> logits = twins.Feed({&s}, {{i}}).second;
      all.insert(all.end(), logits.begin(), logits.end());
    }
    EXPECT_EQ(twins.gpu().mode(), mode == GpuMode::kEager ? "eager" : "graph");
    s.Clear();
  }
  EXPECT_EQ(results[0], results[1]);
}

TEST_P(GpuExecutorTest, BestTokensInsteadOfLogits) {
  Twins twins(GetParam(), {}, GpuMode::kAuto);
  kv::SequencePages s = twins.NewSequence();
  kv::SequencePages t = twins.NewSequence();
  for (int32_t i = 0; i < 4; ++i) {
    const op::Step& step = twins.Build({&s, &t}, {{i}, {i + 3}});
    ASSERT_OK(twins.gpu().Run(step));
    const std::span<const float> logits = twins.gpu().logits();
    const size_t n_vocab = logits.size() / 2;
    const std::vector<int32_t> expected = {BestToken(logits.first(n_vocab)),
                                           BestToken(logits.subspan(n_vocab))};
    EXPECT_TRUE(twins.gpu().best_tokens().empty());
    // The same tokens at the same slots again.
    ASSERT_OK(twins.gpu().Run(step, Wanted::kBestTokens));
    const std::span<const int32_t> got = twins.gpu().best_tokens();
    EXPECT_EQ(std::vector<int32_t>(got.begin(), got.end()), expected);
    EXPECT_TRUE(twins.gpu().logits().empty());
    EXPECT_EQ(twins.gpu().LastCounters().bytes_to_host, 8);
    ASSERT_OK(twins.cpu().Run(step, Wanted::kBestTokens));
    EXPECT_EQ(twins.cpu().best_tokens().size(), 2u);
  }
  s.Clear();
  t.Clear();
}

// The toy vocabulary is smaller than what is kept: nothing may be missing, and nothing doubled.
TEST_P(GpuExecutorTest, TopTokensInsteadOfLogits) {
  Twins twins(GetParam(), {}, GpuMode::kAuto);
  kv::SequencePages s = twins.NewSequence();
  kv::SequencePages t = twins.NewSequence();
  for (int32_t i = 0; i < 3; ++i) {
    const op::Step& step = twins.Build({&s, &t}, {{i}, {i + 3}});
    ASSERT_OK(twins.gpu().Run(step));
    const std::span<const float> logits = twins.gpu().logits();
    const size_t n_vocab = logits.size() / 2;
    std::vector<TopToken> expected(2 * kTopTokens);
    for (size_t row = 0; row < 2; ++row)
      SelectTopTokens(logits.subspan(row * n_vocab, n_vocab),
                      std::span(expected).subspan(row * kTopTokens, kTopTokens));
    ASSERT_OK(twins.gpu().Run(step, Wanted::kTopTokens));
    const std::span<const TopToken> got = twins.gpu().top_tokens();
    ASSERT_EQ(got.size(), expected.size());
    for (size_t j = 0; j < got.size(); ++j) {
      ASSERT_EQ(got[j].token, expected[j].token) << j;
      ASSERT_EQ(got[j].logit, expected[j].logit) << j;
    }
    EXPECT_EQ(got[n_vocab - 1].token, static_cast<int32_t>(n_vocab) - 1);
    EXPECT_EQ(got[n_vocab].token, -1);
    EXPECT_TRUE(twins.gpu().logits().empty());
    EXPECT_EQ(twins.gpu().LastCounters().bytes_to_host, 2 * 64 * 8);
    ASSERT_OK(twins.cpu().Run(step, Wanted::kTopTokens));
    EXPECT_EQ(twins.cpu().top_tokens().size(), expected.size());
  }
  s.Clear();
  t.Clear();
}

std::vector<int32_t> TokensOf(std::span<const DrawnToken> drawn) {
  std::vector<int32_t> tokens;
  for (const DrawnToken& d : drawn) tokens.push_back(d.token);
  return tokens;
}

// With the same numbers the device draws what the CPU draws from the same logits, and a step costs
// one launch, one wait, no memory and eight bytes a row back.
TEST_P(GpuExecutorTest, DrawnTokensInsteadOfLogits) {
  Twins twins(GetParam(), {}, GpuMode::kGraph);
  kv::SequencePages s = twins.NewSequence();
  kv::SequencePages t = twins.NewSequence();
  constexpr DrawStep kSteps[] = {DrawStep::kTopP, DrawStep::kTemperature};
  TokenDraw draws[2];
  for (int32_t i = 0; i < 6; ++i) {
    const op::Step& step = twins.Build({&s, &t}, {{i}, {i + 3}});
    for (TokenDraw& draw : draws) {
      draw.unit = (&draw == draws ? 0.31 : 0.87) - 0.1 * i / 6;
      draw.temperature = 0.7f;
      draw.top_p = 0.9f;
      draw.steps = PackDrawSteps(kSteps);
    }
    ASSERT_OK(twins.gpu().Run(step));
    const std::span<const float> logits = twins.gpu().logits();
    const size_t n_vocab = logits.size() / 2;
    const std::vector<DrawnToken> expected = {DrawToken(logits.first(n_vocab), draws[0]),
                                              DrawToken(logits.subspan(n_vocab), draws[1])};
    EXPECT_TRUE(twins.gpu().drawn_tokens().empty());
    ASSERT_OK(twins.gpu().Run(step, {Wanted::kDrawnTokens, draws}));
    const std::span<const DrawnToken> got = twins.gpu().drawn_tokens();
    EXPECT_EQ(TokensOf(got), TokensOf(expected));
    EXPECT_NEAR(got[0].surprise, expected[0].surprise, 1e-4);
    EXPECT_TRUE(twins.gpu().logits().empty() && twins.gpu().best_tokens().empty());
    const StepCounters c = twins.gpu().LastCounters();
    EXPECT_EQ(c.synchronisations, 1);
    EXPECT_EQ(c.allocations, 0);
    EXPECT_EQ(c.bytes_to_host, 16);
    EXPECT_EQ(c.graph_launches, i < 1 ? 0 : 1);
    ASSERT_OK(twins.cpu().Run(step, {Wanted::kDrawnTokens, draws}));
    EXPECT_EQ(twins.cpu().drawn_tokens().size(), 2u);
  }
  const op::Step& step = twins.Build({&s, &t}, {{1}, {2}});
  EXPECT_EQ(twins.gpu().Run(step, {Wanted::kDrawnTokens, std::span(draws).first(1)}).code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(twins.cpu().Run(step, {Wanted::kLogits, draws}).code(), StatusCode::kInvalidArgument);
  s.Clear();
  t.Clear();
}

// Edits cost one launch more and their own bytes, in the step's one copy; their number may change
// from step to step without a new graph.
TEST_P(GpuExecutorTest, EditsOfLogitsBeforeTokensAreChosen) {
  Twins twins(GetParam(), {}, GpuMode::kGraph);
  kv::SequencePages s = twins.NewSequence();
  kv::SequencePages t = twins.NewSequence();
  for (const Wanted wanted : {Wanted::kBestTokens, Wanted::kTopTokens, Wanted::kDrawnTokens}) {
    TokenDraw draws[2];
    const std::span<const TokenDraw> used =
        std::span(draws).first(wanted == Wanted::kDrawnTokens ? 2 : 0);
    StepCounters plain;
    for (int32_t i = 0; i < 3; ++i) {
      const op::Step& step = twins.Build({&s, &t}, {{i}, {i + 3}});
      ASSERT_OK(twins.gpu().Run(step));
      std::vector<float> logits(twins.gpu().logits().begin(), twins.gpu().logits().end());
      const size_t n_vocab = logits.size() / 2;
      const std::span<float> first = std::span(logits).first(n_vocab);
      const std::span<float> second = std::span(logits).subspan(n_vocab);
      const int32_t best = BestToken(first);
      ASSERT_OK(twins.gpu().Run(step, {wanted, used}));
      plain = twins.gpu().LastCounters();

      // The best token of the first row loses in one list and is banned in another.
      const std::vector<LogitEdit> bias = {{best, 1, 0.125}, {(best + 1) % 7, 1, -2}};
      const std::vector<LogitEdit> ban = {{best, 1.5f, std::numeric_limits<double>::infinity()}};
      std::vector<LogitEdit> many;
      for (int32_t token = 0; token < i; ++token) many.push_back({token, 1.25f, 0.5});
      const EditLists edits[2] = {{bias, {}, ban}, {many, many, {}}};
      ASSERT_OK(twins.gpu().Run(step, {wanted, used, edits}));
      const StepCounters c = twins.gpu().LastCounters();
      EXPECT_EQ(c.synchronisations, 1);
      EXPECT_EQ(c.allocations, 0);
      EXPECT_EQ(c.bytes_to_host, plain.bytes_to_host);
      EXPECT_EQ(c.captures, i == 1 ? 1 : 0) << "step " << i;
      EXPECT_EQ(c.launches + c.graph_kernels, plain.launches + plain.graph_kernels + 1);
      // 3 + 2 i edits of 16 bytes, and where the lists begin; at most the page tables of the
      // sequences that the step does not have.
      const int64_t more = c.bytes_to_device - plain.bytes_to_device - 16 * (3 + 2 * i);
      EXPECT_GE(more, 7 * 4);
      EXPECT_LE(more, 4 * (kMaxSequences * (kPages + 3) + 64));

      EditLogits(edits[0], first);
      EditLogits(edits[1], second);
      EXPECT_NE(BestToken(first), best);
      if (wanted == Wanted::kBestTokens) {
        EXPECT_EQ(twins.gpu().best_tokens()[0], BestToken(first));
        EXPECT_EQ(twins.gpu().best_tokens()[1], BestToken(second));
      } else if (wanted == Wanted::kTopTokens) {
        std::vector<TopToken> expected(kTopTokens);
        SelectTopTokens(second, expected);
        for (size_t j = 0; j < kTopTokens; ++j) {
          const TopToken& got = twins.gpu().top_tokens()[kTopTokens + j];
          ASSERT_EQ(got.token, expected[j].token) << j;
          ASSERT_EQ(got.logit, expected[j].logit) << j;
        }
      } else {
        EXPECT_EQ(twins.gpu().drawn_tokens()[0].token, DrawToken(first, draws[0]).token);
        EXPECT_EQ(twins.gpu().drawn_tokens()[1].token, DrawToken(second, draws[1]).token);
      }
      ASSERT_OK(twins.cpu().Run(step, {wanted, used, edits}));
    }
  }
  const op::Step& step = twins.Build({&s, &t}, {{1}, {2}});
  const std::vector<LogitEdit> too_many(kMostEdits + 1);
  const EditLists edits[2] = {{too_many, {}, {}}, {}};
  const auto code = [&](const Choice& choice) { return twins.gpu().Run(step, choice).code(); };
  EXPECT_EQ(code({Wanted::kBestTokens, {}, edits}), StatusCode::kInvalidArgument);
  EXPECT_EQ(code({Wanted::kBestTokens, {}, std::span(edits).last(1)}),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(code({Wanted::kLogits, {}, std::span(edits)}), StatusCode::kInvalidArgument);
  s.Clear();
  t.Clear();
}

TEST_P(GpuExecutorTest, ObserverSeesEveryOp) {
  Twins twins(GetParam(), {}, GpuMode::kAuto);
  std::vector<size_t> seen;
  double bytes = 0;
  twins.gpu().SetObserver([&](size_t node, const op::Call& call, int64_t time_ns) {
    seen.push_back(node);
    EXPECT_GE(time_ns, 0);
    bytes += op::CostOf(call).bytes();
  });
  kv::SequencePages s = twins.NewSequence();
  ExpectClose(twins.Feed({&s}, {kPrompt}));
  EXPECT_EQ(seen.size(), twins.plan().graph.nodes.size());
  EXPECT_NEAR(bytes, twins.gpu().LastCost().bytes(), 1e-6 * bytes);
  EXPECT_NEAR(bytes, twins.cpu().LastCost().bytes(), 1e-6 * bytes);
  EXPECT_EQ(twins.gpu().LastCounters().synchronisations, 1);
  s.Clear();
}

TEST_P(GpuExecutorTest, RefusesStepsBeyondThePlan) {
  Twins twins(GetParam(), {}, GpuMode::kAuto);
  op::Step step;
  EXPECT_EQ(twins.gpu().Run(step).code(), StatusCode::kInvalidArgument);
  step.n_tokens = kMaxTokens + 1;
  EXPECT_EQ(twins.gpu().Run(step).code(), StatusCode::kInvalidArgument);
  step.n_tokens = 1;
  step.n_seqs = kMaxSequences + 1;
  EXPECT_EQ(twins.gpu().Run(step).code(), StatusCode::kInvalidArgument);
}

TEST_P(GpuExecutorTest, SelfCheckPassesAndNamesTheFirstOpThatDiffers) {
  Twins twins(GetParam(), {}, GpuMode::kAuto);
  EXPECT_OK(twins.SelfCheck());
  // What the CPU now reads is no longer what was uploaded: as if the GPU had computed wrongly.
  const graph::Graph& graph = twins.plan().graph;
  for (const graph::Node& node : graph.nodes) {
    if (node.kind() != op::Kind::kMatMul) continue;
    const graph::Value& weight = graph.values[static_cast<size_t>(node.in[1])];
    for (float& x : twins.weights()[static_cast<size_t>(weight.weight)]) x = -x;
    const Status status = twins.SelfCheck();
    EXPECT_EQ(status.code(), StatusCode::kInternal);
    EXPECT_NE(status.message().find(node.name), std::string::npos) << status.message();
    break;
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, GpuExecutorTest, ::testing::ValuesIn(testing::TestDevices()),
                         [](const auto& device) { return device.param; });

// The simulator's driver, which fails when it is told to.
struct Faults {
  bool launches = false;
  bool capture = false;
};
Faults faults;

std::shared_ptr<gpu::Device> FaultyDevice() {
  static const gpu::Api sim = port::sim::SimDriver(32)->api();
  gpu::Api api = sim;
  constexpr int kErrorNotSupported = 801;
  constexpr int kErrorLaunchFailed = 719;
  api.stream_synchronize = [](gpu::Handle stream) {
    return faults.launches ? kErrorLaunchFailed : sim.stream_synchronize(stream);
  };
  api.capture_begin = [](gpu::Handle stream, int mode) {
    return faults.capture ? kErrorNotSupported : sim.capture_begin(stream, mode);
  };
  return gpu::Device::Open(gpu::Driver::FromTable(gpu::Vendor::kSim, "faulty", api), 0).value();
}

TEST(GpuExecutorFaults, AFailingDeviceIsAStatusAndHasNoResults) {
  faults = {};
  Twins twins(FaultyDevice(), {}, GpuMode::kAuto, 1);
  kv::SequencePages s = twins.NewSequence();
  ExpectClose(twins.Feed({&s}, {kPrompt}));
  const op::Step& step = twins.Build({&s}, {{1}});
  faults.launches = true;
  const Status status = twins.gpu().Run(step);
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_NE(status.message().find("wait for stream"), std::string::npos) << status.message();
  EXPECT_TRUE(twins.gpu().logits().empty());
  faults = {};
  EXPECT_OK(twins.gpu().Run(step));
  EXPECT_FALSE(twins.gpu().logits().empty());
  s.Clear();
}

TEST(GpuExecutorFaults, WithoutCaptureStepsAreLaunchedOpByOp) {
  faults = {.capture = true};
  Twins twins(FaultyDevice(), {}, GpuMode::kAuto, 1);
  kv::SequencePages s = twins.NewSequence();
  ::testing::internal::CaptureStderr();
  for (int32_t i = 0; i < 4; ++i) ExpectClose(twins.Feed({&s}, {{i}}));
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("cannot capture graphs"), std::string::npos) << said;
  EXPECT_EQ(said.find("cannot capture", said.find("cannot capture") + 1), std::string::npos)
      << "said once: " << said;
  EXPECT_EQ(twins.gpu().mode(), "eager");
  EXPECT_GT(twins.gpu().LastCounters().launches, 0);
  s.Clear();
}

TEST(GpuExecutorFaults, CaptureThatWasAskedForMustWork) {
  faults = {.capture = true};
  Twins twins(FaultyDevice(), {}, GpuMode::kGraph, 1);
  kv::SequencePages s = twins.NewSequence();
  twins.Feed({&s}, {{1}});
  const op::Step& step = twins.Build({&s}, {{2}});
  const Status status = twins.gpu().Run(step);
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_NE(status.message().find("--executor graph"), std::string::npos) << status.message();
  s.Clear();
}

TEST(KvLengthBucket, GrowsInStepsOfAtMostAQuarter) {
  EXPECT_EQ(KvLengthBucket(1, 4096), 256);
  EXPECT_EQ(KvLengthBucket(256, 4096), 256);
  EXPECT_EQ(KvLengthBucket(257, 4096), 512);
  EXPECT_EQ(KvLengthBucket(1, 96), 96);
  EXPECT_EQ(KvLengthBucket(4090, 4096), 4096);
  for (int32_t n = 1; n < 100'000; n += 37) {
    const int32_t bucket = KvLengthBucket(n, 1 << 20);
    EXPECT_GE(bucket, n);
    EXPECT_LE(bucket, std::max(n + 256, n + n / 4));
    EXPECT_EQ(KvLengthBucket(bucket, 1 << 20), bucket);
  }
}

TEST(GraphCache, ForgetsTheOneUnusedForLongest) {
  GraphCache cache;
  bool first = false;
  const auto key = [](int32_t n) { return GraphKey{{n, 1, 1, 256}, Wanted::kLogits}; };
  for (int32_t n = 0; n < static_cast<int32_t>(GraphCache::kMaxGraphs); ++n) {
    cache.Find(key(n), &first).captured = true;
    EXPECT_TRUE(first);
  }
  EXPECT_TRUE(cache.Find(key(0), &first).captured);
  EXPECT_FALSE(first);
  EXPECT_FALSE(cache.Find(key(1000), &first).captured);  // takes the place of 1
  EXPECT_TRUE(first);
  EXPECT_EQ(cache.size(), GraphCache::kMaxGraphs);
  EXPECT_TRUE(cache.Find(key(0), &first).captured);
  EXPECT_FALSE(cache.Find(key(1), &first).captured);
  EXPECT_TRUE(first);
  cache.Find({{0, 1, 1, 256}, Wanted::kBestTokens}, &first);
  EXPECT_TRUE(first);
}

}  // namespace
}  // namespace rocforge::exec
