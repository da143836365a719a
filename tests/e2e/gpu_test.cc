// GPUs as a user meets them: the list of devices, a text on the simulator, a model of a well-known
// shape and its speed.
#include <nlohmann/json.hpp>

#include "tests/e2e/process.h"
#include "tests/e2e/toy_file.h"
#include "tests/testing.h"

namespace rocforge::testing {
namespace {

using nlohmann::json;

TEST(DevicesTest, SaysWhatWasFoundAndWhatWasNot) {
  const Finished text = RunRocforge({"devices"});
  EXPECT_EQ(text.exit_code, 0);
  for (const char* word : {"cpu\n", "memory\n", "gpu\n", "AMD", "NVIDIA", "built for"})
    EXPECT_NE(text.out.find(word), std::string::npos) << word;
  const json all = json::parse(RunRocforge({"devices", "--json"}).out, nullptr, false);
  ASSERT_TRUE(all.is_object());
  ASSERT_EQ(all["gpu"]["drivers"].size(), 2u);
  for (const json& driver : all["gpu"]["drivers"]) {
    if (driver["usable"]) {
      EXPECT_FALSE(driver["version"].get<std::string>().empty());
    } else {
      EXPECT_FALSE(driver["tried"].empty());
      EXPECT_FALSE(driver["error"].get<std::string>().empty());
      EXPECT_FALSE(driver["advice"].get<std::string>().empty());
    }
  }
}

TEST(GpuTest, TheSimulatorWritesWhatTheCpuWrites) {
  const ToyFile toy;
  const auto run = [&](const char* device) {
    return RunRocforge({"generate", "-m", toy.path(), "--device", device, "--prompt-ids",
                        "1,270,261", "--temperature", "0", "-n", "5", "--json", "--self-check",
                        "on"});
  };
  const Finished cpu = run("cpu");
  const Finished sim = run("sim32");
  ASSERT_EQ(sim.exit_code, 0) << sim.err;
  const json on_cpu = json::parse(cpu.out, nullptr, false);
  const json on_sim = json::parse(sim.out, nullptr, false);
  ASSERT_TRUE(on_cpu.is_object() && on_sim.is_object());
  EXPECT_EQ(on_sim["ids"], on_cpu["ids"]);
  EXPECT_NE(on_sim["stats"]["device"].get<std::string>().find("sim32"), std::string::npos);
}

// Without a top-k the whole vocabulary is drawn from on the device: the same seed, the same text,
// and of each token four bytes come back.
TEST(GpuTest, DrawsOnTheDevice) {
  const ToyFile toy;
  const auto run = [&](const char* device, const std::vector<std::string>& more) {
    const std::vector<std::string> args = {"generate", "-m",           toy.path(),  "--device",
                                           device,     "--prompt-ids", "1,270,261", "--temperature",
                                           "0.8",      "--top-k",      "0",         "--seed",
                                           "7",        "-n",           "6",         "--json"};
    const Finished f = RunRocforge(With(args, more));
    EXPECT_EQ(f.exit_code, 0) << f.err;
    json parsed = json::parse(f.out, nullptr, false);
    EXPECT_TRUE(parsed.is_object()) << f.out;
    return parsed;
  };
  const std::vector<std::vector<std::string>> samplers = {
      {"--top-p", "0.95"},
      {"--top-p", "0.95", "--xtc-probability", "0.5"},
      {"--repeat-penalty", "1.3", "--logit-bias", "270=-4", "--min-p", "0.02"},
      {"--mirostat", "2"}};
  for (const std::vector<std::string>& more : samplers) {
    const json on_cpu = run("cpu", more);
    const json on_sim = run("sim32", more);
    EXPECT_EQ(on_sim["ids"], on_cpu["ids"]) << more[0];
    const json& each = on_sim["stats"]["per_token"];
    EXPECT_LE(each["synchronisations"].get<double>(), 1.0);
    EXPECT_EQ(each["allocations"].get<double>(), 0.0);
    EXPECT_EQ(each["bytes_to_host"].get<double>(), 8.0) << "the token and its surprise";
    EXPECT_GT(each["kernels"].get<double>(), 5.0);
    EXPECT_LE(each["launches"].get<double>(), each["kernels"].get<double>());
  }
  const json with_logits = run("sim32", {"--logprobs", "2"});
  EXPECT_GT(with_logits["stats"]["per_token"]["bytes_to_host"].get<double>(), 500.0);
}

TEST(GpuTest, AMissingGpuIsAnErrorOnlyIfItWasAskedFor) {
  const ToyFile toy;
  const Finished f = RunRocforge({"generate", "-m", toy.path(), "-p", "a", "--device", "gpu:4711"});
  EXPECT_EQ(f.exit_code, 1);
  EXPECT_NE(f.err.find("error: "), std::string::npos) << f.err;
  EXPECT_NE(f.err.find("rocforge devices"), std::string::npos) << f.err;
  EXPECT_EQ(RunRocforge({"generate", "-m", toy.path(), "-p", "a", "-n", "1"}).exit_code, 0);
}

TEST(SynthTest, WritesAModelOfAKnownShape) {
  const TempDir dir;
  const std::string path = dir.File("tiny.gguf");
  const Finished made = RunRocforge({"synth", path, "--preset", "llama-tiny:q4_k_m"});
  ASSERT_EQ(made.exit_code, 0) << made.err;
  EXPECT_EQ(RunRocforge({"synth", path, "--preset", "llama-tiny"}).exit_code, 1) << "it exists";
  EXPECT_EQ(RunRocforge({"synth", path, "--preset", "llama-9000b", "--force"}).exit_code, 2);
}

}  // namespace
}  // namespace rocforge::testing
