#include "exec/cpu_executor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "engine/step_builder.h"
#include "kv/page_pool.h"
#include "tests/graph/graph_test_util.h"
#include "tests/testing.h"

namespace rocforge::exec {
namespace {

using graph::testing::MakeToyGraph;
using graph::testing::ToyOptions;

constexpr int32_t kPageSize = 4;
constexpr int32_t kPages = 16;
constexpr int32_t kMaxTokens = 20;

// Owns everything that an executor of the toy model needs.
class Toy {
 public:
  Toy(const ToyOptions& options, uint32_t seed, const graph::PassOptions& passes, cpu::Isa isa,
      int threads)
      : plan_(graph::BuildPlan(MakeToyGraph(options), passes, {kMaxTokens, kMaxTokens}).value()),
        pool_(threads) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal(0.0f, 0.5f);
    CpuBinding binding;
    // By value order, which is the same with and without passes.
    for (const graph::Value& v : plan_.graph.values) {
      if (!v.is_weight()) continue;
      std::vector<float>& data =
          weights_.emplace_back(static_cast<size_t>(v.outer * v.rows.count * v.cols));
      for (float& x : data) x = normal(random);
    }
    for (const std::vector<float>& w : weights_)
      binding.weights.push_back(reinterpret_cast<const std::byte*>(w.data()));
    for (const graph::KvSpec& spec : plan_.graph.kv_layers) {
      const size_t n = static_cast<size_t>(kPages * kPageSize * spec.n_kv_heads * spec.head_dim_k);
      // NaN: reading a position that was not written shows.
      std::vector<float>& k = kv_.emplace_back(n, std::numeric_limits<float>::quiet_NaN());
      float* const k_data = k.data();
      std::vector<float>& v = kv_.emplace_back(n, std::numeric_limits<float>::quiet_NaN());
      binding.kv_layers.push_back({k_data, v.data(), DType::kF32, kPageSize, spec.n_kv_heads,
                                   spec.head_dim_k, spec.head_dim_v});
    }
    binding.pool = &pool_;
    binding.isa = isa;
    auto executor = CpuExecutor::Create(plan_, binding);
    EXPECT_OK(executor);
    if (executor.ok()) executor_ = std::move(*executor);
  }

  CpuExecutor& executor() { return *executor_; }
  kv::PagePool& pages() { return pages_; }

  // Feeds tokens to each sequence in one step; returns the logits of all of them.
  std::vector<float> Feed(std::vector<kv::SequencePages*> sequences,
                          const std::vector<std::vector<int32_t>>& tokens) {
    builder_.Begin();
    for (size_t i = 0; i < sequences.size(); ++i) {
      const auto n = static_cast<int32_t>(tokens[i].size());
      EXPECT_OK(sequences[i]->Extend(n));
      builder_.Add(*sequences[i], tokens[i], n);
    }
    EXPECT_OK(executor_->Run(builder_.Finish()));
    return {executor_->logits().begin(), executor_->logits().end()};
  }

 private:
  graph::Plan plan_;
  ThreadPool pool_;
  std::vector<std::vector<float>> weights_;
  std::vector<std::vector<float>> kv_;
  std::unique_ptr<CpuExecutor> executor_;
  kv::PagePool pages_{kPages};
  engine::StepBuilder builder_{kMaxTokens, 4, kPages};
};

void ExpectClose(const std::vector<float>& a, const std::vector<float>& b, float tolerance,
                 const char* what) {
  ASSERT_EQ(a.size(), b.size()) << what;
  ASSERT_FALSE(a.empty());
  for (size_t i = 0; i < a.size(); ++i) {
    ASSERT_TRUE(std::isfinite(a[i])) << what << " " << i;
    ASSERT_NEAR(a[i], b[i], tolerance * (1.0f + std::abs(b[i]))) << what << " " << i;
  }
}

// Sums of at most a few dozen products of values near one: float32 rounding stays far below this.
constexpr float kTolerance = 2e-5f;

const std::vector<int32_t> kPrompt = {3, 17, 5, 5, 0, 23, 9, 11, 2, 8, 1, 6, 13};

class ExecutorTest : public ::testing::TestWithParam<ToyOptions> {};

TEST_P(ExecutorTest, PassesAndIsasAndThreadsAgree) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Toy oracle(GetParam(), seed, {{"all"}}, cpu::Isa::kReference, 1);
  kv::SequencePages s(&oracle.pages(), kPageSize, 60);
  const std::vector<float> expected = oracle.Feed({&s}, {kPrompt});
  s.Clear();
  for (cpu::Isa isa : cpu::AvailableIsas()) {
    for (int threads : {1, 3}) {
      for (const std::vector<std::string>& disabled :
           {std::vector<std::string>{}, {"all"}, {"fuse_glu"}}) {
        Toy toy(GetParam(), seed, {disabled}, isa, threads);
        kv::SequencePages t(&toy.pages(), kPageSize, 60);
        ExpectClose(toy.Feed({&t}, {kPrompt}), expected, kTolerance, cpu::IsaName(isa));
        t.Clear();
      }
    }
  }
}

TEST_P(ExecutorTest, ChunksDecodeAndRaggedBatchesGiveTheSameLogits) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Toy toy(GetParam(), seed, {}, cpu::BestIsa(), 2);
  const size_t n_vocab = graph::testing::kToyVocab;
  kv::SequencePages whole(&toy.pages(), kPageSize, 60);
  const std::vector<float> expected = toy.Feed({&whole}, {kPrompt});
  whole.Clear();

  // Chunks of odd sizes, interleaved with another sequence that must not disturb it.
  kv::SequencePages a(&toy.pages(), kPageSize, 60);
  kv::SequencePages b(&toy.pages(), kPageSize, 60);
  std::vector<float> got;
  for (size_t begin = 0, n = 1; begin < kPrompt.size();
       begin += n, n = std::min<size_t>(3, kPrompt.size() - begin)) {
    n = std::min(n, kPrompt.size() - begin);
    const std::vector<int32_t> part(kPrompt.begin() + static_cast<std::ptrdiff_t>(begin),
                                    kPrompt.begin() + static_cast<std::ptrdiff_t>(begin + n));
    const std::vector<float> logits = toy.Feed({&b, &a}, {{7, 4}, part});
    got.insert(got.end(), logits.begin() + static_cast<std::ptrdiff_t>(2 * n_vocab), logits.end());
  }
  ExpectClose(got, expected, kTolerance, "chunks");
  a.Clear();
  b.Clear();
}

INSTANTIATE_TEST_SUITE_P(Toys, ExecutorTest,
                         ::testing::Values(ToyOptions{2, false, false}, ToyOptions{2, true, false},
                                           ToyOptions{1, false, true}));

TEST(Executor, RefusesStepsBeyondThePlan) {
  Toy toy({}, 1, {}, cpu::BestIsa(), 1);
  op::Step step;
  EXPECT_EQ(toy.executor().Run(step).code(), StatusCode::kInvalidArgument);
  step.n_tokens = kMaxTokens + 1;
  EXPECT_EQ(toy.executor().Run(step).code(), StatusCode::kInvalidArgument);
}

TEST(Executor, ObserverSeesEveryOpAndItsCost) {
  Toy toy({}, 1, {}, cpu::BestIsa(), 1);
  std::vector<size_t> seen;
  double bytes = 0;
  toy.executor().SetObserver([&](size_t node, const op::Call& call, int64_t time_ns) {
    seen.push_back(node);
    EXPECT_GE(time_ns, 0);
    bytes += op::CostOf(call).bytes();
  });
  kv::SequencePages s(&toy.pages(), kPageSize, 60);
  toy.Feed({&s}, {kPrompt});
  s.Clear();
  EXPECT_GT(seen.size(), 10u);
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
  EXPECT_NEAR(bytes, toy.executor().LastCost().bytes(), 1e-6 * bytes);
}

}  // namespace
}  // namespace rocforge::exec
