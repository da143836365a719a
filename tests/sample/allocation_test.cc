// Sampling is part of every decoded token, so it may not touch the heap. This file counts every
// allocation of the test binary.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <random>

#include "sample/logprobs.h"
#include "sample/sampler.h"
#include "tests/testing.h"

namespace {
std::atomic<long> g_allocations{0};

void* Counted(size_t size) {
  g_allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* p = std::malloc(size > 0 ? size : 1)) return p;
  throw std::bad_alloc();
}
}  // namespace

void* operator new(size_t size) { return Counted(size); }
void* operator new[](size_t size) { return Counted(size); }
// The library's temporary buffers come through this one; it must fit our delete.
void* operator new(size_t size, const std::nothrow_t&) noexcept {
  g_allocations.fetch_add(1, std::memory_order_relaxed);
  return std::malloc(size > 0 ? size : 1);
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, size_t) noexcept { std::free(p); }
void operator delete[](void* p, size_t) noexcept { std::free(p); }

namespace rocforge::sample {
namespace {

TEST(Allocation, TheCounterWorks) {
  const long before = g_allocations.load();
  const auto p = std::make_unique<int>(1);
  EXPECT_EQ(g_allocations.load() - before, 1);
}

TEST(Allocation, NoneInAcceptSampleAndWhatGoesToADevice) {
  std::mt19937_64 gen(1);
  std::vector<float> logits(5000);
  for (float& x : logits) x = std::normal_distribution<float>(0, 3)(gen);
  std::vector<SamplerParams> cases(5);
  cases[1].temperature = 0;
  cases[2].mirostat = 2;
  cases[3].top_k = 0;  // everything on, on the whole vocabulary
  cases[3].typical_p = 0.9f;
  cases[3].top_n_sigma = 4;
  cases[3].xtc_probability = 0.5f;
  cases[3].repetition_penalty = 1.1f;
  cases[3].penalty_last_n = -1;
  cases[3].dry_multiplier = 0.8f;
  cases[3].logit_bias = {{3, 1.0f}};
  cases[4].top_k = 2000;
  for (const SamplerParams& params : cases) {
    Result<Sampler> sampler = Sampler::Create(params, 5000, 300);
    ASSERT_OK(sampler);
    const long before = g_allocations.load();
    for (int i = 0; i < 1000; ++i) {
      const Result<int32_t> token = sampler.value().Sample(logits);
      if (!token.ok()) break;
      sampler.value().Accept(token.value() % 7);  // repeats: DRY has work
      EXPECT_EQ(sampler.value().NextEdits()[0].size(), params.logit_bias.size());
      EXPECT_LT(sampler.value().NextDraw().unit, 1);
    }
    EXPECT_EQ(g_allocations.load() - before, 0);
    EXPECT_OK(sampler.value().Sample(logits));
  }
}

TEST(Allocation, NoneInTopLogProbsOnceTheResultHasRoom) {
  std::vector<float> logits(1000, 0.5f);
  std::vector<TokenLogProb> top;
  TopLogProbs(logits, 20, &top);
  const long before = g_allocations.load();
  TopLogProbs(logits, 20, &top);
  LogSoftmax(logits, logits);
  EXPECT_EQ(g_allocations.load() - before, 0);
}

}  // namespace
}  // namespace rocforge::sample
