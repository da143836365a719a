// Tuning a whole model, on the simulated GPU and on the CPU.
#include "engine/tune.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "tests/testing.h"
#include "tests/toy_model.h"

namespace rocforge::engine {
namespace {

using ::rocforge::testing::TempDir;
using ::rocforge::testing::ToyModelOptions;
using ::rocforge::testing::WriteToyModel;

class TuneTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ToyModelOptions toy;
    toy.n_layers = 1;
    ASSERT_OK(WriteToyModel(dir_.File("toy.gguf"), toy));
  }
  EngineOptions Options(const std::string& device) const {
    EngineOptions options;
    options.model_path = dir_.File("toy.gguf");
    options.device = device;
    options.n_ctx = 64;
    options.max_batch_tokens = 8;
    options.self_check = SelfCheck::kOff;
    return options;
  }
  std::vector<float> Logits(const EngineOptions& options) const {
    Result<std::unique_ptr<Engine>> engine = Engine::Load(options);
    EXPECT_OK(engine);
    const auto sequence = (*engine)->NewSequence();
    EXPECT_OK(sequence);
    const std::vector<int32_t> tokens = {1, 70, 80, 90, 100};
    EXPECT_OK((*engine)->Prefill(*sequence, tokens, nullptr));
    const std::vector<int32_t> one = {60};
    EXPECT_OK((*engine)->Prefill(*sequence, one, nullptr));
    const auto row = (*engine)->logits(0);
    return {row.begin(), row.end()};
  }
  TempDir dir_;
};

TEST_F(TuneTest, OnTheSimulatorAndPickedUpAtTheNextLoad) {
  exec::TuneOptions tune;
  tune.rows = {4, 4096};  // the last is more than the plan holds
  tune.depths = {64};
  tune.least_gain = -1e9;  // the quickest candidate is kept, whatever it brings
  std::vector<std::string> shown;
  tune.on_progress = [&](double fraction, std::string_view what) {
    EXPECT_GE(fraction, 0);
    EXPECT_LE(fraction, 1);
    shown.emplace_back(what);
  };
  const Result<TuneReport> report = TuneModel(Options("sim32"), tune);
  ASSERT_OK(report);
  EXPECT_TRUE(report->complete);
  EXPECT_FALSE(shown.empty());
  EXPECT_EQ(report->steps.size(), 2u);
  ASSERT_EQ(report->entries.size(), report->ops.size());
  bool attention = false, chosen = false;
  for (const exec::TunedOp& op : report->ops) {
    EXPECT_EQ(op.wrong, 0) << op.op;
    EXPECT_GT(op.candidates, 0) << op.op;
    EXPECT_GT(op.before_s, 0) << op.op;
    attention |= op.op.starts_with("Attention");
    chosen |= !op.config.is_default();
  }
  EXPECT_TRUE(attention);
  EXPECT_TRUE(chosen);
  // Loaded again, with and without: the same model.
  EngineOptions options = Options("sim32");
  const std::vector<float> plain = Logits(options);
  options.tuning_path = dir_.File("tuning.json");
  ASSERT_OK(gpu::WriteTuningFile(options.tuning_path, report->entries));
  const std::vector<float> tuned = Logits(options);
  ASSERT_EQ(plain.size(), tuned.size());
  for (size_t i = 0; i < plain.size(); ++i) ASSERT_NEAR(plain[i], tuned[i], 1e-2) << i;
}

TEST_F(TuneTest, StoppedLeavesWhatWasFound) {
  exec::TuneOptions tune;
  tune.rows = {1};
  int asked = 0;
  tune.cancelled = [&] { return ++asked > 40; };
  const Result<TuneReport> report = TuneModel(Options("sim32"), tune);
  ASSERT_OK(report);
  EXPECT_FALSE(report->complete);
  EXPECT_GT(report->entries.size(), 0u);
  EXPECT_LT(report->entries.size(), 5u);
  EXPECT_TRUE(report->steps.empty());
  EXPECT_OK(gpu::ParseTuning(gpu::WriteTuning(report->entries)));
  tune.cancelled = nullptr;
  tune.budget_s = 0;
  const Result<TuneReport> none = TuneModel(Options("sim32"), tune);
  ASSERT_OK(none);
  EXPECT_FALSE(none->complete);
  EXPECT_TRUE(none->entries.empty());
}

TEST_F(TuneTest, OnTheCpu) {
  exec::TuneOptions tune;
  tune.budget_s = 20;
  const Result<TuneReport> report = TuneModel(Options("cpu"), tune);
  ASSERT_OK(report);
  ASSERT_EQ(report->entries.size(), 1u);
  gpu::TuningEntry entry = report->entries[0];
  EXPECT_EQ(entry.driver, "cpu");
  EXPECT_GT(entry.before_ns, 0);
  // What is found is used, unless the user says otherwise.
  entry.cpu_threads = 3;
  entry.cpu_isa = "generic";
  EngineOptions options = Options("cpu");
  options.tuning_path = dir_.File("tuning.json");
  ASSERT_OK(gpu::WriteTuningFile(options.tuning_path, std::vector{entry}));
  EXPECT_EQ((*Engine::Load(options))->options().n_threads, 3);
  EXPECT_EQ((*Engine::Load(options))->options().isa, "generic");
  options.n_threads = 2;
  EXPECT_EQ((*Engine::Load(options))->options().n_threads, 2);
  options.n_threads = 0;
  // Another build's instruction set is no reason to fail.
  entry.cpu_isa = "sve9";
  ASSERT_OK(gpu::WriteTuningFile(options.tuning_path, std::vector{entry}));
  EXPECT_OK(Engine::Load(options));
}

TEST_F(TuneTest, ABrokenFileIsNotUsed) {
  EngineOptions options = Options("cpu");
  options.tuning_path = dir_.File("tuning.json");
  std::ofstream(options.tuning_path) << "{\"rocforge_tuning\": 1, \"entries\": [";
  EXPECT_OK(Engine::Load(options));
}

}  // namespace
}  // namespace rocforge::engine
