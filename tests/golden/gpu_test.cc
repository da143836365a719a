// Whole models on GPUs against the float32 references of the reference data: on the simulator
// always, on real devices where there are any.
//
// Tolerances, on natural-log probabilities, are those of the arithmetic that the kernels may use,
// and looser than the CPU's:
//   * F32, F16 and BF16 weights: 0.05. Prompts go through f16 products: each of the some ten matrix
//     products in a row adds a relative error of 2^-11 to the hidden state, in quadrature 1.5e-3;
//     logits of these models reach 10, and a log-probability has twice a logit's error: 0.03.
//   * quantised weights: 1.0 at worst and 0.12 in the mean. Activations are rounded to 8 bits by
//     blocks of 32, which is wrong by at most 1.3 % (exec/self_check.h), typically by half of that:
//     ten products in quadrature 2 %, of logits up to 10 0.2, twice for a log-probability 0.4; the
//     worst of a few thousand numbers lies at 2.5 times that. (llama.cpp, which rounds in the same
//     way, differs from these references by up to 0.7 in a logit.)
//   * mixtures of experts with quantised weights are compared in the mean only, and at twice that:
//   a
//     rounding may choose another expert, which moves single logits by several units.
#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "base/format.h"
#include "tests/golden/golden.h"
#include "tests/kernels/gpu/test_device.h"
#include "tests/testing.h"

namespace rocforge::golden {
namespace {

constexpr double kFloatTolerance = 0.05;
constexpr double kQuantisedTolerance = 1.0;
constexpr double kQuantisedMean = 0.12;

bool IsSimulator(const std::string& device) { return device.starts_with("sim"); }

// The first prompt only, and the first `n_greedy` tokens after it: the simulator is some thousand
// times slower than a GPU.
Model Shortened(const std::string& name, size_t n_prompt, size_t n_greedy) {
  Model model = LoadModel(name);
  if (model.prompts.empty()) return model;
  model.prompts.resize(1);
  Prompt& prompt = model.prompts[0];
  const bool whole = prompt.ids.size() <= n_prompt;
  if (!whole) {
    // A shorter prompt whose continuation is the rest of the prompt.
    prompt.greedy.assign(prompt.ids.begin() + static_cast<std::ptrdiff_t>(n_prompt),
                         prompt.ids.end());
    prompt.greedy_logprobs.assign(
        prompt.prompt_logprobs.begin() + static_cast<std::ptrdiff_t>(n_prompt) - 1,
        prompt.prompt_logprobs.end());
    prompt.greedy_margin.assign(prompt.greedy.size(), 0.0);
    prompt.ids.resize(n_prompt);
    prompt.prompt_logprobs.resize(n_prompt - 1);
  }
  n_greedy = std::min(n_greedy, prompt.greedy.size());
  prompt.greedy.resize(n_greedy);
  prompt.greedy_logprobs.resize(n_greedy);
  prompt.greedy_margin.resize(n_greedy);
  const auto fed = static_cast<int32_t>(prompt.ids.size() + n_greedy) - 1;
  std::erase_if(prompt.positions, [&](const Position& p) { return p.abs_pos >= fed; });
  return model;
}

// `gpu` for the devices that --device knows by that name; a test that finds none is skipped.
engine::EngineOptions GpuOptions(const Model& model, const std::string& device) {
  engine::EngineOptions options = Options(model);
  options.device = IsSimulator(device) ? device : "gpu";
  options.n_ctx = 128;
  options.self_check = engine::SelfCheck::kOff;  // these tests are one
  return options;
}

struct Parameter {
  std::string model;
  std::string device;
};

std::vector<Parameter> Parameters() {
  std::vector<Parameter> all;
  for (const std::string& device : testing::TestDevices()) {
    for (const std::string& model : ModelsInFolder()) {
      // Waves of 64 lanes are covered by the kernels' tests; one whole model shows the rest.
      if (device == "sim64" && model != "tiny-llama-q4_k_m-mix") continue;
      all.push_back({model, device});
    }
  }
  return all;
}

class GpuGoldenTest : public ::testing::TestWithParam<Parameter> {
 protected:
  void SetUp() override {
    if (const auto device = testing::OpenTestDevice(GetParam().device); !device.ok())
      GTEST_SKIP() << device.status().message();
  }
};

TEST_P(GpuGoldenTest, AgreesWithTheReference) {
  const auto& [name, device] = GetParam();
  const bool quick = !IsSimulator(device);
  const bool big = name.starts_with("stories15M");
  const Model model = Shortened(name, quick ? 1000 : big ? 3 : 10, quick ? 48 : big ? 1 : 3);
  ASSERT_FALSE(model.prompts.empty());
  auto engine = engine::Engine::Load(GpuOptions(model, device));
  ASSERT_OK(engine);
  const Result<Rows> rows = FeedAll(**engine, model, Feed::kDecode);
  ASSERT_OK(rows);
  const bool experts =
      name.find("moe") != std::string::npos || name.find("gpt-oss") != std::string::npos;
  const double tolerance = model.quantised ? kQuantisedTolerance : kFloatTolerance;
  const Deviation deviation = Compare(model, *rows, tolerance);
  std::printf("%s on %s: largest difference %.2e, mean %.2e of %lld numbers\n", name.c_str(),
              device.c_str(), deviation.max, deviation.mean(),
              static_cast<long long>(deviation.compared));
  EXPECT_GE(deviation.compared, big ? 3 : 10);
  if (model.quantised) {
    EXPECT_LE(deviation.mean(), experts ? 2 * kQuantisedMean : kQuantisedMean);
  }
  if (model.quantised && experts) return;
  EXPECT_LE(deviation.max, tolerance) << deviation.where;
  for (const std::string& wrong : deviation.argmax_wrong) ADD_FAILURE() << wrong;
}

INSTANTIATE_TEST_SUITE_P(Models, GpuGoldenTest, ::testing::ValuesIn(Parameters()),
                         [](const auto& test) {
                           std::string name = test.param.model + "_" + test.param.device;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(GpuGoldenTest);

class GpuStoryTest : public ::testing::TestWithParam<std::string> {};

// A story told freely, the best token found on the device: the reference's tokens, as long as its
// choice is clear.
TEST_P(GpuStoryTest, GreedyTokensAreTheReferences) {
  ROCFORGE_REQUIRE_TESTDATA(json, "golden/stories260K-f32.json");
  if (const auto device = testing::OpenTestDevice(GetParam()); !device.ok())
    GTEST_SKIP() << device.status().message();
  const Model model = Shortened("stories260K-f32", 1000, IsSimulator(GetParam()) ? 12 : 48);
  ASSERT_EQ(model.prompts.size(), 1u);
  auto loaded = engine::Engine::Load(GpuOptions(model, GetParam()));
  ASSERT_OK(loaded);
  engine::Engine& engine = **loaded;
  const Prompt& prompt = model.prompts[0];
  const engine::SequenceId s = engine.NewSequence().value();
  ASSERT_OK(engine.Prefill(s, prompt.ids, nullptr, exec::Wanted::kBestTokens));
  for (size_t k = 0; k < prompt.greedy.size(); ++k) {
    if (prompt.greedy_margin[k] <= 2 * kFloatTolerance) break;
    const auto token = engine.best_token(0);
    ASSERT_OK(token);
    ASSERT_EQ(*token, prompt.greedy[k]) << "token " << k;
    const engine::StepItem item{s, {&prompt.greedy[k], 1}, engine::LogitsWanted::kLast};
    ASSERT_OK(engine.Step({&item, 1}, exec::Wanted::kBestTokens));
    EXPECT_EQ(engine.last_step().bytes_to_host, 4);
    EXPECT_EQ(engine.last_step().synchronisations, 1);
    EXPECT_EQ(engine.last_step().allocations, 0);
  }
  EXPECT_EQ(engine.last_step().launches, 0) << "decoding runs as one graph";
  EXPECT_EQ(engine.last_step().graph_launches, 1);
}

INSTANTIATE_TEST_SUITE_P(Devices, GpuStoryTest, ::testing::ValuesIn(testing::TestDevices()),
                         [](const auto& device) { return device.param; });

}  // namespace
}  // namespace rocforge::golden
