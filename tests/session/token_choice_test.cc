// Tokens chosen on the device against the sampler over all logits of the same step.
#include "session/token_choice.h"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "tests/kernels/gpu/test_device.h"
#include "tests/session/toy_session.h"

namespace rocforge::session {
namespace {

using sample::SamplerKind;
using sample::SamplerParams;

constexpr int64_t kVocab = testing::kToyModelVocab;

class TokenChoiceTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (const auto device = testing::OpenTestDevice(GetParam()); !device.ok())
      GTEST_SKIP() << device.status().message();
    const std::string path = dir_.File("toy.gguf");
    ASSERT_OK(testing::WriteToyModel(path, {.n_layers = 1}));
    engine::EngineOptions options;
    options.model_path = path;
    options.device = GetParam().starts_with("sim") ? GetParam() : "gpu";
    options.max_batch_tokens = 16;
    options.n_ctx = 128;
    options.self_check = engine::SelfCheck::kOff;
    auto loaded = engine::Engine::Load(options);
    ASSERT_OK(loaded);
    engine_ = std::move(*loaded);
    sequence_ = engine_->NewSequence().value();
  }

  // Generates n tokens in both ways, which must agree at every step. `most_bytes`: what may come
  // back of a step.
  void ExpectSameTokens(const SamplerParams& params, int n, int64_t most_bytes) {
    GenerateRequest request;
    request.sampling = params;
    const std::vector<int32_t> breakers = {70, 95};
    sample::Sampler host = sample::Sampler::Create(params, kVocab, 128, breakers).value();
    sample::Sampler device = host;
    TokenChoice choice(request, params, true);
    ASSERT_OK(engine_->Truncate(sequence_, 0));
    int32_t token = kBos;
    for (int i = 0; i < n; ++i) {
      host.Accept(token);
      device.Accept(token);
      const engine::StepItem item{sequence_, {&token, 1}, engine::LogitsWanted::kLast};
      ASSERT_OK(engine_->Step({&item, 1}, choice.Next(&device, false)));
      EXPECT_LE(engine_->last_step().bytes_to_host, most_bytes);
      EXPECT_EQ(engine_->last_step().synchronisations, 1);
      const Result<int32_t> got = choice.Token(*engine_, &device);
      ASSERT_OK(got);
      // The same step again, for its logits.
      ASSERT_OK(engine_->Truncate(sequence_, engine_->length(sequence_) - 1));
      ASSERT_OK(engine_->Step({&item, 1}));
      const Result<int32_t> expected = host.Sample(engine_->logits(0));
      ASSERT_OK(expected);
      ASSERT_EQ(*got, *expected) << "step " << i;
      token = *got;
    }
  }

  testing::TempDir dir_;
  std::unique_ptr<engine::Engine> engine_;
  engine::SequenceId sequence_ = 0;
};

SamplerParams Penalised(SamplerParams params) {
  params.repetition_penalty = 1.3f;
  params.presence_penalty = 0.4f;
  params.frequency_penalty = 0.2f;
  params.dry_multiplier = 0.8f;
  params.dry_allowed_length = 1;
  params.logit_bias = {{40, 1.5f}, {41, -kAlways}, {40, 0.5f}, {42, -INFINITY}};
  return params;
}

constexpr int64_t kTopBytes = 512;
constexpr int64_t kDrawnBytes = 8;
constexpr int64_t kBestBytes = 4;
constexpr int64_t kAllBytes = kVocab * 4;

TEST_P(TokenChoiceTest, EditsAndTheBestToken) {
  SamplerParams params = Penalised({});
  params.temperature = 0;
  ExpectSameTokens(params, 12, kBestBytes);
}

TEST_P(TokenChoiceTest, EditsAndTheBestTokensForTheChainOfTheCpu) {
  SamplerParams params = Penalised({});
  params.seed = 2;
  params.xtc_probability = 0.5f;
  params.xtc_threshold = 0.02f;
  params.typical_p = 0.9f;
  ExpectSameTokens(params, 12, kTopBytes);
}

// Fixed seeds: a draw between two tokens whose border is the number drawn may go either way.
TEST_P(TokenChoiceTest, ChainsInManyOrders) {
  std::mt19937 random(4);
  const auto unit = [&] { return std::uniform_real_distribution<float>()(random); };
  int on_device = 0;
  for (int round = 0; round < 16; ++round) {
    SamplerParams params;
    if (unit() < 0.6f) params = Penalised(params);
    params.seed = static_cast<uint64_t>(round);
    params.top_k = unit() < 0.5f ? 0 : 70 + static_cast<int32_t>(200 * unit());
    params.temperature = 0.5f + 1.5f * unit();
    params.typical_p = unit() < 0.5f ? 1.0f : unit();
    params.top_n_sigma = unit() < 0.5f ? -1.0f : 0.5f + 2 * unit();
    params.xtc_probability = unit() < 0.5f ? 0.0f : unit();
    params.xtc_threshold = 0.005f + 0.03f * unit();
    params.min_p = unit() < 0.3f ? 0.0f : 0.5f * unit();
    params.top_p = unit() < 0.3f ? 1.0f : unit();
    params.mirostat = round % 5 == 4 ? 2 : 0;
    params.mirostat_tau = 2 + 4 * unit();
    params.mirostat_eta = 0.5f * unit();
    if (round % 3 == 2) std::shuffle(params.order.begin(), params.order.end(), random);
    const bool drawn = sample::DeviceChainOf(params).obstacle.empty();
    on_device += drawn ? 1 : 0;
    SCOPED_TRACE(::testing::Message()
                 << "round " << round << ", obstacle " << sample::DeviceChainOf(params).obstacle);
    ExpectSameTokens(params, 4, drawn ? kDrawnBytes : kAllBytes);
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(on_device, 10);
}

TEST_P(TokenChoiceTest, TemperatureBeforeTheEdits) {
  SamplerParams params = Penalised({});
  params.top_k = 0;
  params.seed = 6;
  params.temperature = 1.7f;
  params.order = {SamplerKind::kPenalties, SamplerKind::kTemperature, SamplerKind::kDry,
                  SamplerKind::kTopP};
  ExpectSameTokens(params, 8, kDrawnBytes);
}

TEST_P(TokenChoiceTest, MoreEditsThanAStepTakes) {
  constexpr int32_t kMany = exec::kMostEdits + 1;
  SamplerParams params;
  params.frequency_penalty = 1;
  params.penalty_last_n = -1;
  sample::Sampler sampler = sample::Sampler::Create(params, kMany, kMany).value();
  TokenChoice choice({}, params, true);
  for (int32_t token = 0; token < kMany; ++token) {
    if (token + 1 == kMany) {
      const exec::Choice fits = choice.Next(&sampler, false);
      EXPECT_EQ(fits.wanted, exec::Wanted::kTopTokens);
      ASSERT_EQ(fits.edits.size(), 1u);
      EXPECT_EQ(fits.edits[0][1].size(), exec::kMostEdits);
    }
    sampler.Accept(token);
  }
  const exec::Choice choice_of_cpu = choice.Next(&sampler, false);
  EXPECT_EQ(choice_of_cpu.wanted, exec::Wanted::kLogits);
  EXPECT_TRUE(choice_of_cpu.edits.empty());
}

TEST_P(TokenChoiceTest, OnlyWhatIsNeededComesBack) {
  const auto wanted = [](auto change) {
    GenerateRequest request;
    change(request);
    TokenChoice choice(request, request.sampling, true);
    sample::Sampler sampler = sample::Sampler::Create(request.sampling, kVocab, 100).value();
    return choice.Next(&sampler, false).wanted;
  };
  using exec::Wanted;
  EXPECT_EQ(wanted([](GenerateRequest&) {}), Wanted::kTopTokens);
  EXPECT_EQ(wanted([](GenerateRequest& r) { r.logprobs = 1; }), Wanted::kLogits);
  EXPECT_EQ(wanted([](GenerateRequest& r) { r.sampling.top_k = 65; }), Wanted::kDrawnTokens);
  EXPECT_EQ(wanted([](GenerateRequest& r) { r.sampling.top_n_sigma = 1; }), Wanted::kDrawnTokens);
  EXPECT_EQ(wanted([](GenerateRequest& r) { r.sampling.mirostat = 2; }), Wanted::kDrawnTokens);
  EXPECT_EQ(wanted([](GenerateRequest& r) { r.sampling.dry_multiplier = 1; }), Wanted::kTopTokens);
  EXPECT_EQ(wanted([](GenerateRequest& r) { r.sampling.temperature = 0; }), Wanted::kBestTokens);
}

INSTANTIATE_TEST_SUITE_P(Devices, TokenChoiceTest, ::testing::Values("sim32"),
                         [](const auto& device) { return device.param; });

}  // namespace
}  // namespace rocforge::session
