// The engine on GPUs: choice of the device, memory arithmetic, steps that fail.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "base/log.h"
#include "engine/engine.h"
#include "engine/gpu_device.h"
#include "engine/gpu_memory.h"
#include "tests/kernels/gpu/test_device.h"
#include "tests/testing.h"
#include "tests/toy_model.h"

namespace rocforge::engine {
namespace {

using Kind = DeviceRequest::Kind;

TEST(ParseDevice, NamesOfDevices) {
  const auto parse = [](const char* name) { return ParseDevice(name).value(); };
  EXPECT_EQ(parse("auto").kind, Kind::kAuto);
  EXPECT_EQ(parse("cpu").kind, Kind::kCpu);
  EXPECT_EQ(parse("gpu").kind, Kind::kGpu);
  EXPECT_EQ(parse("gpu:12").kind, Kind::kGpuNumber);
  EXPECT_EQ(parse("gpu:12").number, 12);
  EXPECT_EQ(parse("sim64").number, 64);
  for (const char* bad :
       {"", "GPU", "gpu:", "gpu:-1", "gpu:1x", "gpu:99999999999", "sim16", "cuda"})
    EXPECT_EQ(ParseDevice(bad).status().code(), StatusCode::kInvalidArgument) << bad;
}

constexpr int64_t kMiB = int64_t{1} << 20;

GpuNeed SmallCard() {
  GpuNeed need;
  need.weights = 4000 * kMiB;
  need.kv = 2048 * kMiB;
  need.work = 300 * kMiB;
  need.free = 8000 * kMiB;
  need.total = 8192 * kMiB;
  need.n_ctx = 4096;
  need.max_batch_tokens = 512;
  return need;
}

std::string Refusal(const GpuNeed& need) {
  const Status status = CheckGpuMemory(need);
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted);
  return status.message();
}

TEST(GpuMemory, SaysWhatWouldFit) {
  EXPECT_OK(CheckGpuMemory(SmallCard()));
  GpuNeed need = SmallCard();
  need.n_ctx = 16384;
  need.kv = 8192 * kMiB;
  const std::string longer = Refusal(need);
  EXPECT_NE(longer.find("weights 3.91 GiB"), std::string::npos) << longer;
  EXPECT_NE(longer.find("16384 tokens"), std::string::npos) << longer;
  EXPECT_NE(longer.find("--ctx "), std::string::npos) << longer;
  EXPECT_EQ(longer.find("--batch"), std::string::npos) << longer;
  // Taking the advice helps, and hardly less would have.
  const int32_t advised = std::stoi(longer.substr(longer.find("--ctx ") + 6));
  need.kv = need.kv * advised / need.n_ctx;
  need.n_ctx = advised;
  EXPECT_OK(CheckGpuMemory(need));
  EXPECT_LT(need.free - need.needed(), 300 * kMiB);
}

TEST(GpuMemory, AdvisesTheLeastPainfulFirst) {
  GpuNeed need = SmallCard();
  need.free = need.needed() - 100 * kMiB;
  need.kv_q8_0 = need.kv - 50 * kMiB;  // saves too little
  EXPECT_NE(Refusal(need).find("--batch 64 or --ctx"), std::string::npos) << Refusal(need);
  need.kv_q8_0 = need.kv * 17 / 32;
  EXPECT_NE(Refusal(need).find("--kv-type q8_0 or --batch 64 or"), std::string::npos);
  need.kv_type = DType::kF32;
  need.kv_f16 = need.kv / 2;
  EXPECT_NE(Refusal(need).find("--kv-type f16 or --batch 64 or"), std::string::npos);
  need.kv_type = DType::kQ8_0;
  EXPECT_EQ(Refusal(need).find("--kv-type"), std::string::npos);
  need.free = 3000 * kMiB;
  EXPECT_NE(Refusal(need).find("the weights alone do not fit"), std::string::npos);
}

class GpuEngineTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (const auto device = testing::OpenTestDevice(GetParam()); !device.ok())
      GTEST_SKIP() << device.status().message();
    ASSERT_OK(testing::WriteToyModel(path_, {}));
  }
  EngineOptions Options(bool on_gpu) const {
    EngineOptions o;
    o.model_path = path_;
    o.device = !on_gpu ? "cpu" : GetParam().starts_with("sim") ? GetParam() : "gpu";
    o.n_threads = 2;
    o.max_batch_tokens = 16;
    o.self_check = SelfCheck::kOn;
    return o;
  }

  testing::TempDir dir_;
  std::string path_ = dir_.File("toy.gguf");
};

TEST_P(GpuEngineTest, TheSelfCheckTellsItsErrorsAtLogLevelDebug) {
  SetLogLevel(LogLevel::kDebug);
  ::testing::internal::CaptureStderr();
  const auto loaded = Engine::Load(Options(true));
  const std::string said = ::testing::internal::GetCapturedStderr();
  SetLogLevel(LogLevel::kWarn);
  ASSERT_OK(loaded);
  for (const char* part : {"self-check: output (", "attention (", ", rows 1: differs by ",
                           ", rows 12: differs by ", ", allowed 0.001\n"})
    EXPECT_NE(said.find(part), std::string::npos) << part << " in\n" << said;
}

TEST_P(GpuEngineTest, LoadsChecksItselfAndAgreesWithTheCpu) {
  EngineOptions options = Options(true);
  double progress = 0;
  options.on_load_progress = [&](double f) { progress = f; };
  auto gpu = Engine::Load(options);
  ASSERT_OK(gpu);
  auto cpu = Engine::Load(Options(false));
  ASSERT_OK(cpu);
  EXPECT_EQ(progress, 1.0);
  EXPECT_TRUE((*gpu)->on_gpu());
  EXPECT_FALSE((*cpu)->on_gpu());
  EXPECT_NE((*gpu)->device_description().find((*gpu)->options().device), std::string::npos);
  std::vector<int32_t> tokens(23);
  std::iota(tokens.begin(), tokens.end(), 5);
  std::vector<float> rows[2];
  size_t i = 0;
  for (Engine* e : {gpu->get(), cpu->get()}) {
    const SequenceId s = e->NewSequence().value();
    ASSERT_OK(e->Prefill(s, tokens, nullptr));
    const auto logits = e->logits(0);
    rows[i++].assign(logits.begin(), logits.end());
    EXPECT_EQ(e->best_token(0).value(), exec::BestToken(logits));
    e->FreeSequence(s);
  }
  double error = 0;
  double norm = 0;
  for (size_t t = 0; t < rows[0].size(); ++t) {
    error += std::pow(rows[0][t] - rows[1][t], 2);
    norm += std::pow(rows[1][t], 2);
  }
  EXPECT_LT(std::sqrt(error / norm), 0.02);  // F32 weights; f16 cache and products
}

TEST_P(GpuEngineTest, EagerAndGraphCanBeForced) {
  EngineOptions options = Options(true);
  options.executor = "eager";
  auto engine = Engine::Load(options);
  ASSERT_OK(engine);
  const SequenceId s = (*engine)->NewSequence().value();
  for (int32_t token = 3; token < 7; ++token) {
    const StepItem item{s, {&token, 1}, LogitsWanted::kLast};
    ASSERT_OK((*engine)->Step({&item, 1}));
    EXPECT_EQ((*engine)->last_step().graph_launches, 0);
    EXPECT_GT((*engine)->last_step().launches, 0);
  }
  options.executor = "lazy";
  EXPECT_EQ(Engine::Load(options).status().code(), StatusCode::kInvalidArgument);
}

TEST_P(GpuEngineTest, AContextThatDoesNotFitIsRefusedWithNumbers) {
  EngineOptions options = Options(true);
  options.n_ctx = 1 << 24;
  options.max_sequences = 64;
  const Status status = Engine::Load(options).status();
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted) << status.message();
  EXPECT_NE(status.message().find("KV cache"), std::string::npos) << status.message();
}

INSTANTIATE_TEST_SUITE_P(Devices, GpuEngineTest, ::testing::ValuesIn(testing::TestDevices()),
                         [](const auto& device) { return device.param; });

}  // namespace
}  // namespace rocforge::engine
