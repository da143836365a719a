#include "engine/engine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "kernels/cpu/kernels.h"
#include "tests/testing.h"
#include "tests/toy_model.h"

namespace rocforge::engine {
namespace {

using testing::kToyModelVocab;

class EngineTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_OK(testing::WriteToyModel(path_, {})); }

  EngineOptions Options() const {
    EngineOptions o;
    o.model_path = path_;
    o.device = "cpu";
    o.n_threads = 2;
    o.kv_type = DType::kF32;
    return o;
  }
  static std::unique_ptr<Engine> Load(const EngineOptions& options) {
    auto engine = Engine::Load(options);
    EXPECT_OK(engine);
    return engine.ok() ? std::move(*engine) : nullptr;
  }
  static std::vector<int32_t> RandomTokens(size_t n, uint32_t seed) {
    std::mt19937 random(seed);
    std::vector<int32_t> tokens(n);
    for (int32_t& t : tokens) t = static_cast<int32_t>(random() % kToyModelVocab);
    return tokens;
  }
  static std::vector<float> Row(const Engine& e, int32_t row) {
    const auto logits = e.logits(row);
    return {logits.begin(), logits.end()};
  }
  static void ExpectSame(const std::vector<float>& a, const std::vector<float>& b,
                         float tolerance = 1e-4f) {
    ASSERT_EQ(a.size(), b.size());
    for (size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], tolerance) << i;
  }

  testing::TempDir dir_;
  std::string path_ = dir_.File("toy.gguf");
};

TEST_F(EngineTest, ResolvesItsOptions) {
  EngineOptions o;
  o.model_path = path_;
  o.device = "cpu";
  double progress = -1;
  o.on_load_progress = [&](double f) {
    EXPECT_GE(f, progress);
    progress = f;
  };
  const auto engine = Load(o);
  EXPECT_EQ(progress, 1.0);
  EXPECT_EQ(engine->options().n_ctx, 256);
  EXPECT_EQ(engine->options().device, "cpu");
  EXPECT_GE(engine->options().n_threads, 1);
  EXPECT_FALSE(engine->options().isa.empty());
  EXPECT_EQ(engine->info().n_layers, 2);
  EXPECT_EQ(engine->info().n_vocab, kToyModelVocab);
  EXPECT_GT(engine->kv_bytes(), 0);
  EXPECT_GT(engine->scratch_bytes(), 0);
}

TEST_F(EngineTest, ChunkedPrefillEqualsOneStepAndTokenByToken) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  const std::vector<int32_t> tokens = RandomTokens(77, seed);
  const auto whole = Load(Options());
  const SequenceId s = whole->NewSequence().value();
  ASSERT_OK(whole->Prefill(s, tokens, nullptr));
  const std::vector<float> expected = Row(*whole, 0);

  EngineOptions small = Options();
  small.max_batch_tokens = 13;
  const auto chunked = Load(small);
  const SequenceId c = chunked->NewSequence().value();
  ASSERT_OK(chunked->Prefill(c, tokens, nullptr));
  EXPECT_EQ(chunked->counters().steps, 6);
  EXPECT_EQ(chunked->counters().tokens, 77);
  ExpectSame(Row(*chunked, 0), expected);

  ASSERT_OK(whole->Truncate(s, 0));
  for (const int32_t& token : tokens) {
    const StepItem item{s, {&token, 1}, LogitsWanted::kLast};
    ASSERT_OK(whole->Step({&item, 1}));
  }
  ExpectSame(Row(*whole, 0), expected);
}

TEST_F(EngineTest, SequencesInOneStepDoNotDisturbEachOther) {
  const auto a = RandomTokens(20, 1);
  const auto b = RandomTokens(31, 2);
  const auto alone = Load(Options());
  const SequenceId s = alone->NewSequence().value();
  ASSERT_OK(alone->Prefill(s, b, nullptr));
  const std::vector<float> expected = Row(*alone, 0);

  EngineOptions two = Options();
  two.max_sequences = 2;
  const auto engine = Load(two);
  const SequenceId x = engine->NewSequence().value();
  const SequenceId y = engine->NewSequence().value();
  EXPECT_EQ(engine->NewSequence().status().code(), StatusCode::kResourceExhausted);
  const StepItem first[] = {{x, a, LogitsWanted::kAll},
                            {y, std::span(b).first(30), LogitsWanted::kNone}};
  ASSERT_OK(engine->Step(first));
  EXPECT_EQ(engine->n_logits(), 20);
  const StepItem second[] = {{y, std::span(b).subspan(30), LogitsWanted::kLast},
                             {x, std::span(a).first(1), LogitsWanted::kLast}};
  ASSERT_OK(engine->Step(second));
  EXPECT_EQ(engine->n_logits(), 2);
  ExpectSame(Row(*engine, 0), expected);
  engine->FreeSequence(x);
  EXPECT_OK(engine->NewSequence());
}

TEST_F(EngineTest, TruncateForgets) {
  const auto engine = Load(Options());
  const SequenceId s = engine->NewSequence().value();
  const auto tokens = RandomTokens(40, 3);
  ASSERT_OK(engine->Prefill(s, std::span(tokens).first(25), nullptr));
  const std::vector<float> expected = Row(*engine, 0);
  ASSERT_OK(engine->Prefill(s, std::span(tokens).subspan(25), nullptr));
  EXPECT_EQ(engine->length(s), 40);
  ASSERT_OK(engine->Truncate(s, 24));
  ASSERT_OK(engine->Prefill(s, std::span(tokens).subspan(24, 1), nullptr));
  ExpectSame(Row(*engine, 0), expected);
  EXPECT_FALSE(engine->Truncate(s, 26).ok());
  EXPECT_FALSE(engine->Truncate(s, -1).ok());
}

TEST_F(EngineTest, FullContextIsAnErrorThatChangesNothing) {
  EngineOptions o = Options();
  o.n_ctx = 40;
  o.max_sequences = 2;
  const auto engine = Load(o);
  const SequenceId s = engine->NewSequence().value();
  const SequenceId other = engine->NewSequence().value();
  const auto tokens = RandomTokens(39, 4);
  ASSERT_OK(engine->Prefill(s, tokens, nullptr));
  const StepItem items[] = {{other, std::span(tokens).first(3), LogitsWanted::kNone},
                            {s, std::span(tokens).first(2), LogitsWanted::kLast}};
  const Status status = engine->Step(items);
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted);
  EXPECT_NE(status.message().find("context of 40 tokens"), std::string::npos) << status.message();
  EXPECT_EQ(engine->length(s), 39);
  EXPECT_EQ(engine->length(other), 0);
  ASSERT_OK(engine->Prefill(s, std::span(tokens).first(1), nullptr));
}

TEST_F(EngineTest, RefusesBadSteps) {
  const auto engine = Load(Options());
  const SequenceId s = engine->NewSequence().value();
  const auto code = [&](const StepItem& item) { return engine->Step({&item, 1}).code(); };
  const int32_t bad[] = {static_cast<int32_t>(kToyModelVocab)};
  const int32_t negative[] = {-1};
  const int32_t good[] = {5};
  EXPECT_EQ(code({s, bad, LogitsWanted::kLast}), StatusCode::kInvalidArgument);
  EXPECT_EQ(code({s, negative, LogitsWanted::kLast}), StatusCode::kInvalidArgument);
  EXPECT_EQ(code({s, {}, LogitsWanted::kLast}), StatusCode::kInvalidArgument);
  EXPECT_EQ(code({s + 1, good, LogitsWanted::kLast}), StatusCode::kInvalidArgument);
  const StepItem twice[] = {{s, good, LogitsWanted::kLast}, {s, good, LogitsWanted::kLast}};
  EXPECT_EQ(engine->Step(twice).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(engine->Step({}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(engine->length(s), 0);
}

TEST_F(EngineTest, PrefillCanBeCancelledBetweenChunks) {
  EngineOptions o = Options();
  o.max_batch_tokens = 8;
  const auto engine = Load(o);
  const SequenceId s = engine->NewSequence().value();
  int asked = 0;
  const Status status = engine->Prefill(s, RandomTokens(30, 5), [&] { return ++asked > 2; });
  EXPECT_EQ(status.code(), StatusCode::kCancelled);
  EXPECT_EQ(engine->length(s), 16);
}

TEST_F(EngineTest, RefusesBadOptions) {
  const auto code = [](const EngineOptions& o) { return Engine::Load(o).status().code(); };
  EngineOptions o = Options();
  o.model_path = dir_.File("none.gguf");
  EXPECT_EQ(code(o), StatusCode::kNotFound);
  o = Options();
  o.device = "gpu:4711";
  EXPECT_EQ(code(o), StatusCode::kNotFound);
  o.device = "gpu:";
  EXPECT_EQ(code(o), StatusCode::kInvalidArgument);
  o.device = "tpu";
  EXPECT_EQ(code(o), StatusCode::kInvalidArgument);
  o = Options();
  o.n_ctx = -5;
  EXPECT_EQ(code(o), StatusCode::kInvalidArgument);
  o = Options();
  o.isa = "sse9";
  EXPECT_EQ(code(o), StatusCode::kInvalidArgument);
  o = Options();
  o.kv_type = DType::kQ4_0;
  EXPECT_EQ(code(o), StatusCode::kUnsupported);
  o = Options();
  o.passes.disabled = {"nothing"};
  EXPECT_EQ(code(o), StatusCode::kInvalidArgument);
}

TEST_F(EngineTest, AContextLargerThanTheMachineIsRefusedWithNumbers) {
  testing::ToyModelOptions wide;
  wide.n_layers = 8;
  wide.d_model = 1024;
  wide.n_kv_heads = 4;
  wide.d_ff = 32;
  ASSERT_OK(testing::WriteToyModel(dir_.File("wide.gguf"), wide));
  EngineOptions o = Options();
  o.model_path = dir_.File("wide.gguf");
  o.n_ctx = 1 << 24;
  const Status status = Engine::Load(o).status();
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted);
  EXPECT_NE(status.message().find("--ctx"), std::string::npos) << status.message();
}

TEST_F(EngineTest, PassesInstructionSetsAndCacheTypesAgree) {
  const auto tokens = RandomTokens(50, 6);
  const auto run = [&](const EngineOptions& o) {
    const auto engine = Load(o);
    EXPECT_OK(engine->Prefill(engine->NewSequence().value(), tokens, nullptr));
    return Row(*engine, 0);
  };
  EngineOptions o = Options();
  const std::vector<float> expected = run(o);
  for (cpu::Isa isa : cpu::AvailableIsas()) {
    o = Options();
    o.isa = cpu::IsaName(isa);
    ExpectSame(run(o), expected);
    o.passes.disabled = {"all"};
    ExpectSame(run(o), expected);
  }
  o = Options();
  o.kv_type = DType::kF16;
  ExpectSame(run(o), expected,
             2e-2f);  // f16 keeps 11 bits: keys and values of about one are off by up to 5e-4 each
  // Half a step of q8_0 is 1/254 of a block's largest element, eight times as much.
  o.kv_type = DType::kQ8_0;
  ExpectSame(run(o), expected, 16e-2f);
}

}  // namespace
}  // namespace rocforge::engine
