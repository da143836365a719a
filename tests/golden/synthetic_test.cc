// Variations of architectures that the reference data has no file for: experts in llama files,
// every RoPE scaling, soft-caps, windows, scale factors. The models are made here, bit for bit as
// they were when the expected values were computed. Tolerance as in logprob_test.cc.
#include "base/format.h"
#include "kernels/cpu/kernels.h"
#include "tests/golden/golden.h"
#include "tests/golden/synthetic_models.h"
#include "tests/testing.h"

namespace rocforge::golden {
namespace {

constexpr double kSyntheticTolerance = 1e-4;

class SyntheticGoldenTest : public ::testing::TestWithParam<SyntheticCase> {};

TEST_P(SyntheticGoldenTest, AgreesWithTheReference) {
  const SyntheticCase& param = GetParam();
  const testing::TempDir dir;
  Model model;
  model.name = param.name;
  model.path = dir.File("model.gguf");
  param.make().WriteOrFail(model.path);
  // The first 40 tokens are the prompt; the rest is fed whatever the argmax.
  const std::vector<int32_t> tokens = SyntheticTokens();
  Prompt prompt;
  prompt.ids.assign(tokens.begin(), tokens.begin() + 40);
  prompt.greedy.assign(tokens.begin() + 40, tokens.end());
  prompt.greedy.push_back(0);  // Tokens() leaves out the last
  model.prompts.push_back(prompt);

  for (const cpu::Isa isa : cpu::AvailableIsas()) {
    for (const bool passes : {true, false}) {
      engine::EngineOptions options = Options(model);
      options.n_ctx = param.n_ctx;
      options.isa = cpu::IsaName(isa);
      if (!passes) options.passes.disabled = {"all"};
      Result<std::unique_ptr<engine::Engine>> engine = engine::Engine::Load(options);
      ASSERT_OK(engine);
      for (const Feed feed : {Feed::kDecode, Feed::kPrefill}) {
        const Result<Rows> rows = FeedAll(**engine, model, feed);
        ASSERT_OK(rows);
        const Deviation deviation = CompareExpected(param.name, (*rows)[0]);
        EXPECT_GE(deviation.compared, 48);
        EXPECT_LE(deviation.max, kSyntheticTolerance)
            << options.isa << ", passes " << passes << ", " << FeedName(feed) << ": "
            << deviation.where;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, SyntheticGoldenTest, ::testing::ValuesIn(SyntheticCases()),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace rocforge::golden
