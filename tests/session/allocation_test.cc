// A decoded token must not touch the heap: engine step, sampler, detokeniser and stop strings
// together. This file counts every allocation of the test binary.
#include <atomic>
#include <cstdlib>
#include <memory>
#include <new>

#include "tests/session/toy_session.h"

namespace {
std::atomic<long> g_allocations{0};

void* Counted(size_t size, size_t alignment) {
  g_allocations.fetch_add(1, std::memory_order_relaxed);
  size = (size + alignment - 1) / alignment * alignment;
  void* p = alignment <= alignof(std::max_align_t) ? std::malloc(size > 0 ? size : 1)
                                                   : std::aligned_alloc(alignment, size);
  if (p != nullptr) return p;
  throw std::bad_alloc();
}
}  // namespace

void* operator new(size_t size) { return Counted(size, 1); }
void* operator new[](size_t size) { return Counted(size, 1); }
// std::stable_sort asks for its buffer this way; the tests do not run out of memory.
void* operator new(size_t size, const std::nothrow_t&) noexcept { return Counted(size, 1); }
void* operator new[](size_t size, const std::nothrow_t&) noexcept { return Counted(size, 1); }
void* operator new(size_t size, std::align_val_t alignment) {
  return Counted(size, static_cast<size_t>(alignment));
}
void* operator new[](size_t size, std::align_val_t alignment) {
  return Counted(size, static_cast<size_t>(alignment));
}
void* operator new(size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return Counted(size, static_cast<size_t>(alignment));
}
void* operator new[](size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return Counted(size, static_cast<size_t>(alignment));
}
// GCC 12 sees free() inlined where our own operator new is not.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
#endif
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, size_t) noexcept { std::free(p); }
void operator delete[](void* p, size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, size_t, std::align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, size_t, std::align_val_t) noexcept { std::free(p); }

namespace rocforge::session {
namespace {

TEST(AllocationTest, TheCounterWorks) {
  const long before = g_allocations.load();
  const auto p = std::make_unique<int>(1);
  EXPECT_EQ(g_allocations.load() - before, 1);
}

// Allocations from the `warm_up`-th token to the last one.
long CountWhileDecoding(Session& session, const GenerateRequest& request, int64_t warm_up) {
  int64_t n_tokens = 0;
  long at_warm_up = 0;
  long at_last = 0;
  GenerateCallbacks callbacks;
  callbacks.cancelled = [] { return false; };
  callbacks.on_text = [](std::string_view) {};
  callbacks.on_token = [&](int32_t) {
    at_last = g_allocations.load();
    if (++n_tokens == warm_up) at_warm_up = at_last;
  };
  const Result<GenerateOutcome> outcome = session.Generate(request, callbacks);
  EXPECT_OK(outcome);
  EXPECT_EQ(n_tokens, request.max_tokens);
  return at_last - at_warm_up;
}

TEST(AllocationTest, NoneForADecodedToken) {
  for (const int32_t n_threads : {1, 2}) {
    ToySession toy(256, n_threads);
    ASSERT_TRUE(toy);
    GenerateRequest request = Greedy({kBos, 70, 80, 90}, 200);
    request.stop = {"a stop string that does not come", "zzzz"};
    EXPECT_EQ(CountWhileDecoding(toy.session(), request, 2), 0) << n_threads << " threads";

    request.sampling.temperature = 1;
    request.sampling.repetition_penalty = 1.1f;
    request.sampling.dry_multiplier = 0.8f;
    EXPECT_EQ(CountWhileDecoding(toy.session(), request, 2), 0) << n_threads << " threads";
  }
}

TEST(AllocationTest, NoneWithLogProbs) {
  ToySession toy(128);
  ASSERT_TRUE(toy);
  GenerateRequest request = Greedy({kBos, 70, 80, 90}, 100);
  request.logprobs = 20;
  EXPECT_EQ(CountWhileDecoding(toy.session(), request, 2), 0);
}

TEST(AllocationTest, NoneInAContextShift) {
  ToySession toy(32);
  ASSERT_TRUE(toy);
  GenerateRequest request = Greedy({kBos, 70, 80, 90}, 200);
  request.context_shift = true;
  EXPECT_EQ(CountWhileDecoding(toy.session(), request, 2), 0);
}

TEST(AllocationTest, NoneOnARealModel) {
  ROCFORGE_REQUIRE_TESTDATA(path, "models/stories260K-q4_0.gguf");
  TextModelOptions options;
  options.engine.model_path = path;
  options.engine.n_threads = 2;
  const Result<std::unique_ptr<TextModel>> model = TextModel::Load(options);
  ASSERT_OK(model);
  const Result<std::unique_ptr<Session>> session = Session::Create(model->get());
  ASSERT_OK(session);
  GenerateRequest request;
  const Result<std::vector<int32_t>> prompt = (*model)->EncodeRaw("Once upon a time");
  ASSERT_OK(prompt);
  request.prompt = *prompt;
  request.max_tokens = 200;
  request.ignore_eos = true;
  request.sampling.seed = 1;
  EXPECT_EQ(CountWhileDecoding(**session, request, 2), 0);
}

}  // namespace
}  // namespace rocforge::session
