// Whole models against the float32 references of the reference data.
//
// Tolerances, all on natural-log probabilities.
//   * F32 cache: 1e-4. The reference was computed in f32 and lies within e = 2.3e-5 of a float64
//     evaluation in every logit (measured by those who made it). We compute in f32 too and may lie
//     as far on the other side; a log-probability is a logit minus the log of a sum of exponentials
//     of logits, so it may be wrong by twice a logit's error: 2 (e + e) = 9.2e-5.
//   * gemma3: 5e-3. Its reference looks GELU up in a table of f16 values by an argument rounded to
//     f16. A float64 evaluation with exact GELU differs from it by 4.86e-3, so no exact engine can
//     be nearer; against that evaluation the tolerance is 1e-4 (Gemma3AgainstFloat64).
//   * F16 cache: 5e-2. Rounding keys and values to 11 bits changes a score s by up to |s| 2^-11 and
//   a
//     value by 2^-11. With scores up to 8, layers of these models amplify it to 9 * 2^-11 = 4.4e-3
//     of an attention output at worst; five layers (in quadrature) and logits of about 5 standard
//     units give 4.4e-3 * 2.2 * 5 = 5e-2.
//   * Q8_0 cache: 0.26 in the mean, 2.6 for the largest of thousands. A step of a block is its
//     largest element over 127, and errors are spread evenly over a step, sqrt(1 / 12) of it in the
//     mean square. The largest of 32 numbers is at most sqrt(32) of their mean square, so the error
//     is at most sqrt(32 / 12) / 127 = 1.3e-2 of a vector's length, 26 times 2^-11; then as for
//     F16: 1.3. Small models come near it, since some of their keys have one large column. Where
//     keys are like normal numbers, it is ten times less than the bound for the largest.
#include <cstdio>
#include <map>
#include <set>

#include "base/format.h"
#include "kernels/cpu/kernels.h"
#include "tests/golden/golden.h"
#include "tests/golden/synthetic_models.h"
#include "tests/testing.h"

namespace rocforge::golden {
namespace {

constexpr double kTolerance = 1e-4;
constexpr double kGeluTableTolerance = 5e-3;
constexpr double kF16CacheTolerance = 5e-2;
constexpr double kQ8CacheTolerance = 2.6;
constexpr double kQ8CacheMean = 0.26;

// All models of the reference data; ListIsComplete checks that.
const char* const kModels[] = {
    "arch-gemma3-f32",     "arch-gpt-oss-f32",  "arch-gpt-oss-mxfp4_moe", "arch-granite-f32",
    "arch-llama3rope-f32", "arch-olmo2-f32",    "arch-phi3-f32",          "arch-qwen2-f32",
    "arch-qwen3-f32",      "arch-qwen3moe-f32", "stories15M-q8_0",        "stories260K-f32",
    "stories260K-q4_0",    "stories260K-q8_0",  "tiny-llama-bf16",        "tiny-llama-f16",
    "tiny-llama-iq1_m",    "tiny-llama-iq1_s",  "tiny-llama-iq2_s",       "tiny-llama-iq2_xs",
    "tiny-llama-iq2_xxs",  "tiny-llama-iq3_s",  "tiny-llama-iq3_xxs",     "tiny-llama-iq4_nl",
    "tiny-llama-iq4_xs",   "tiny-llama-mxfp4",  "tiny-llama-nvfp4",       "tiny-llama-q1_0",
    "tiny-llama-q2_0",     "tiny-llama-q2_k",   "tiny-llama-q3_k",        "tiny-llama-q4_0",
    "tiny-llama-q4_1",     "tiny-llama-q4_k",   "tiny-llama-q4_k_m-mix",  "tiny-llama-q5_0",
    "tiny-llama-q5_1",     "tiny-llama-q5_k",   "tiny-llama-q6_k",        "tiny-llama-q8_0",
    "tiny-llama-tq1_0",    "tiny-llama-tq2_0",
};

// Largest deviations by model and column, printed when all tests have run.
class DeviationTable : public ::testing::Environment {
 public:
  void Add(const std::string& model, const std::string& column, double deviation) {
    columns_.insert(column);
    double& cell = cells_[model][column];
    cell = std::max(cell, deviation);
  }
  void TearDown() override {
    if (cells_.empty()) return;
    std::string text = "\nlargest |log-probability - reference|\n| model |";
    for (const std::string& column : columns_) text += " " + column + " |";
    text += "\n|---|";
    for (size_t i = 0; i < columns_.size(); ++i) text += "---|";
    for (const auto& [model, row] : cells_) {
      text += Format("\n| {} |", model);
      for (const std::string& column : columns_) {
        const auto cell = row.find(column);
        text += cell == row.end() ? " |" : Format(" {:.1e} |", cell->second);
      }
    }
    std::printf("%s\n\n", text.c_str());
  }

 private:
  std::set<std::string> columns_;
  std::map<std::string, std::map<std::string, double>> cells_;
};

DeviationTable& Table() {
  static auto* table =
      static_cast<DeviationTable*>(::testing::AddGlobalTestEnvironment(new DeviationTable));
  return *table;
}
[[maybe_unused]] const bool kTableIsRegistered = (Table(), true);

double ToleranceFor(const Model& model, const engine::EngineOptions& options) {
  if (options.kv_type == DType::kF16) return kF16CacheTolerance;
  return model.name == "arch-gemma3-f32" ? kGeluTableTolerance : kTolerance;
}

void Check(const Model& model, const engine::EngineOptions& options, std::span<const Feed> feeds,
           const std::string& column) {
  Result<std::unique_ptr<engine::Engine>> engine = engine::Engine::Load(options);
  ASSERT_OK(engine);
  const double tolerance = ToleranceFor(model, options);
  for (const Feed feed : feeds) {
    const Result<Rows> rows = FeedAll(**engine, model, feed);
    ASSERT_OK(rows);
    const Deviation deviation = Compare(model, *rows, tolerance);
    EXPECT_LE(deviation.max, tolerance)
        << FeedName(feed) << ", " << column << ": " << deviation.where;
    for (const std::string& wrong : deviation.argmax_wrong) {
      ADD_FAILURE() << FeedName(feed) << ", " << column << ": " << wrong;
    }
    EXPECT_GT(deviation.compared, 500);
    EXPECT_GT(deviation.argmax_checked, 0);
    Table().Add(model.name, column, deviation.max);
  }
}

class GoldenTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    ROCFORGE_REQUIRE_TESTDATA(json, std::string("golden/") + GetParam() + ".json");
    ROCFORGE_REQUIRE_TESTDATA(gguf, std::string("models/") + GetParam() + ".gguf");
    model_ = LoadModel(GetParam());
    ASSERT_EQ(model_.prompts.size(), 3u);
  }
  Model model_;
};

constexpr Feed kAllFeeds[] = {Feed::kDecode, Feed::kPrefill, Feed::kChunks, Feed::kRagged};
constexpr Feed kDecodeOnly[] = {Feed::kDecode};
constexpr Feed kPrefillOnly[] = {Feed::kPrefill};
constexpr Feed kChunksOnly[] = {Feed::kChunks};

TEST_P(GoldenTest, HoweverItIsFed) { Check(model_, Options(model_), kAllFeeds, "best ISA"); }

TEST_P(GoldenTest, WithoutPasses) {
  engine::EngineOptions options = Options(model_);
  options.passes.disabled = {"all"};
  Check(model_, options, kChunksOnly, "no passes");
}

TEST_P(GoldenTest, ThreeThreads) {
  engine::EngineOptions options = Options(model_);
  options.n_threads = 3;  // does not divide the sizes of these models
  Check(model_, options, kPrefillOnly, "3 threads");
}

TEST_P(GoldenTest, F16Cache) {
  engine::EngineOptions options = Options(model_);
  options.kv_type = DType::kF16;
  Check(model_, options, kDecodeOnly, "F16 cache");
}

TEST_P(GoldenTest, Q8Cache) {
  engine::EngineOptions options = Options(model_);
  options.kv_type = DType::kQ8_0;
  Result<std::unique_ptr<engine::Engine>> engine = engine::Engine::Load(options);
  ASSERT_OK(engine);
  const Result<Rows> rows = FeedAll(**engine, model_, Feed::kChunks);
  ASSERT_OK(rows);
  const Deviation deviation = Compare(model_, *rows, kQ8CacheTolerance);
  Table().Add(model_.name, "Q8_0 cache", deviation.max);
  Table().Add(model_.name, "Q8_0 cache, mean", deviation.mean());
  EXPECT_GT(deviation.compared, 500);
  EXPECT_LE(deviation.mean(), kQ8CacheMean);
  EXPECT_LE(deviation.max, kQ8CacheTolerance) << deviation.where;
  EXPECT_TRUE(deviation.argmax_wrong.empty());
}

TEST_P(GoldenTest, EveryInstructionSet) {
  for (const cpu::Isa isa : cpu::AvailableIsas()) {
    // The scalar oracle takes seconds on 15 million parameters; the small files cover it.
    if (isa == cpu::Isa::kReference && model_.n_vocab > 1000) continue;
    engine::EngineOptions options = Options(model_);
    options.isa = cpu::IsaName(isa);
    Check(model_, options, kChunksOnly, options.isa);
  }
}

INSTANTIATE_TEST_SUITE_P(Models, GoldenTest, ::testing::ValuesIn(kModels), [](const auto& test) {
  std::string name = test.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST(GoldenListTest, ListIsComplete) {
  ROCFORGE_REQUIRE_TESTDATA(folder, "golden");
  EXPECT_EQ(ModelsInFolder(), std::vector<std::string>(std::begin(kModels), std::end(kModels)));
}

TEST(GoldenListTest, Gemma3AgainstFloat64) {
  ROCFORGE_REQUIRE_TESTDATA(gguf, "models/arch-gemma3-f32.gguf");
  const Model model = LoadModel("arch-gemma3-f32");
  ASSERT_FALSE(model.prompts.empty());
  Result<std::unique_ptr<engine::Engine>> engine = engine::Engine::Load(Options(model));
  ASSERT_OK(engine);
  const Result<Rows> rows = FeedAll(**engine, model, Feed::kDecode);
  ASSERT_OK(rows);
  for (size_t i = 0; i < model.prompts.size(); ++i) {
    const std::string name = model.name + "/" + model.prompts[i].name;
    const Deviation deviation = CompareExpected(name, (*rows)[i]);
    EXPECT_GE(deviation.compared, 60);
    EXPECT_LE(deviation.max, kTolerance) << deviation.where;
    Table().Add(model.name, "float64", deviation.max);
  }
}

}  // namespace
}  // namespace rocforge::golden
