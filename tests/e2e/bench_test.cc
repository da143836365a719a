// `rocforge bench`: every suite on something tiny, refusals, baselines, two builds in turns,
// Ctrl-C.
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/e2e/process.h"
#include "tests/e2e/toy_file.h"
#include "tests/testing.h"

namespace rocforge::testing {
namespace {

using nlohmann::json;

// The cheapest product that can be timed.
const std::vector<std::string> kTinyMatMul = {"bench",   "matmul", "--device",   "cpu",
                                              "--types", "F32",    "--shapes",   "32x32",
                                              "--batch", "1,2",    "--min-time", "0.02"};

// Results of a run that must succeed and say that it is complete.
json Results(const std::vector<std::string>& args) {
  const Finished f = RunRocforge(With(args, {"--json"}));
  EXPECT_EQ(f.exit_code, 0) << f.err;
  const json all = json::parse(f.out, nullptr, false);
  if (!all.is_object() || !all.contains("results")) {
    ADD_FAILURE() << f.out;
    return json::array();
  }
  EXPECT_EQ(all["complete"], true);
  EXPECT_TRUE(all["context"].contains("commit"));
  return all["results"];
}

TEST(BenchTest, EverySuiteHasAllPercentiles) {
  for (const json& r : Results(kTinyMatMul)) {
    EXPECT_EQ(r["unit"], "s");
    EXPECT_GE(r["n"], 9);
    EXPECT_GT(r["min"].get<double>(), 0);
    EXPECT_LE(r["min"], r["p50"]);
    EXPECT_LE(r["p50"], r["p95"]);
    EXPECT_LE(r["p95"], r["p99"]);
    EXPECT_LE(r["p99"], r["max"]);
    EXPECT_GT(r["operations_per_second"].get<double>(), 0);
  }
}

TEST(BenchTest, DequantHasEveryTypeAndNamesTheSlowest) {
  const Finished f =
      RunRocforge({"bench", "dequant", "--device", "cpu", "--min-time", "0", "--warmup", "0"});
  ASSERT_EQ(f.exit_code, 0) << f.err;
  for (const char* type : {"cpu F16", "cpu Q4_K", "cpu IQ1_S", "cpu MXFP4"})
    EXPECT_NE(f.out.find(type), std::string::npos) << type;
  EXPECT_NE(f.out.find("slowest on the cpu: "), std::string::npos) << f.out;
}

TEST(BenchTest, KernelsOnTheSimulator) {
  const json matmul = Results({"bench", "matmul", "--device", "sim32", "--types", "Q4_K",
                               "--shapes", "16x256", "--batch", "1", "--min-time", "0"});
  ASSERT_EQ(matmul.size(), 1u);
  EXPECT_EQ(matmul[0]["name"], "gpu Q4_K 16x256 b1");
  const json attention = Results({"bench", "attention", "--device", "sim32", "--context", "32",
                                  "--filter", "decode", "--min-time", "0", "--warmup", "0"});
  ASSERT_EQ(attention.size(), 1u);
  const json dequant = Results({"bench", "dequant", "--device", "sim32", "--filter", "Q6_K",
                                "--min-time", "0", "--warmup", "0"});
  ASSERT_EQ(dequant.size(), 1u);
  EXPECT_EQ(dequant[0]["name"], "gpu Q6_K to tiles");
  EXPECT_EQ(dequant[0]["bytes_written"], 2 * dequant[0]["elements"].get<int64_t>());
}

TEST(BenchTest, AttentionOfAGivenContext) {
  const json results =
      Results({"bench", "attention", "--device", "cpu", "--context", "64", "--min-time", "0"});
  ASSERT_EQ(results.size(), 2u);
  EXPECT_EQ(results[0]["phase"], "decode");
  EXPECT_EQ(results[1]["phase"], "prefill");
}

TEST(BenchTest, InferenceOfAToy) {
  const ToyFile toy;
  const json results = Results({"bench", "inference", "-m", toy.path(), "--device", "cpu", "--pp",
                                "16", "--tg", "4", "--ttft", "8", "--sequences", "1,3", "-r", "2"});
  ASSERT_EQ(results.size(), 9u);
  EXPECT_EQ(results[0]["name"], "ttft8");
  EXPECT_GT(results[0]["prefill_seconds"].get<double>(), 0);
  EXPECT_EQ(results[1]["name"], "pp16");
  EXPECT_EQ(results[2]["name"], "tg4");
  EXPECT_EQ(results[3]["name"], "tg4 x 3");
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(results[i]["n"], 2);
  EXPECT_EQ(results[6]["name"], "memory kv a token");
  EXPECT_GT(results[8]["p50"].get<double>(), 1e6) << "peak of resident memory";
}

TEST(BenchTest, SyntheticWeightsLeaveNothingBehind) {
  const Finished f = RunRocforge({"bench", "inference", "--synthetic", "llama-tiny:q4_0",
                                  "--device", "cpu", "--pp", "8", "--tg", "2", "-r", "1"});
  ASSERT_EQ(f.exit_code, 0) << f.err;
  EXPECT_NE(f.out.find("t/s"), std::string::npos) << f.out;
  for (const auto& entry : std::filesystem::directory_iterator("/dev/shm"))
    EXPECT_EQ(entry.path().filename().string().find("rocforge-bench"), std::string::npos);
  EXPECT_EQ(RunRocforge({"bench", "inference", "--synthetic", "llama-9000b"}).exit_code, 2);
}

TEST(BenchTest, WithoutAModelItSaysHowToRunIt) {
  const Finished f = RunRocforge({"bench", "inference"});
  EXPECT_EQ(f.exit_code, 0);
  EXPECT_EQ(f.out, "");
  EXPECT_NE(f.err.find("--synthetic"), std::string::npos) << f.err;
}

TEST(BenchTest, MemoryOfAToy) {
  const ToyFile toy;
  const json results = Results({"bench", "memory", "-m", toy.path(), "--min-time", "0"});
  bool weights = false;
  for (const json& r : results) weights = weights || r["name"] == "weights attention";
  EXPECT_TRUE(weights);
}

TEST(BenchTest, TokenizerOfAToy) {
  const ToyFile toy;
  const json results = Results({"bench", "tokenizer", "-m", toy.path(), "--min-time", "0",
                                "--filter", "english", "--warmup", "0"});
  ASSERT_EQ(results.size(), 2u);
  EXPECT_EQ(results[0]["direction"], "encode");
  EXPECT_GT(results[0]["tokens"].get<int>(), 0);
}

TEST(BenchTest, ListsCsvAndFilter) {
  const Finished list = RunRocforge(With(kTinyMatMul, {"--list"}));
  EXPECT_EQ(list.out, "cpu F32 32x32 b1\ncpu F32 32x32 b2\n");
  const Finished csv = RunRocforge(With(kTinyMatMul, {"--csv", "--filter", "f32 B2"}));
  EXPECT_EQ(csv.out.find("name,unit,n,avg"), 0u) << csv.out;
  EXPECT_NE(csv.out.find("cpu F32 32x32 b2,s,"), std::string::npos) << csv.out;
  EXPECT_EQ(csv.out.find("b1"), std::string::npos) << csv.out;
}

TEST(BenchTest, Refusals) {
  const auto refused = [](const std::vector<std::string>& args, int code, const char* why) {
    const Finished f = RunRocforge(args);
    EXPECT_EQ(f.exit_code, code) << f.err;
    EXPECT_NE(f.err.find(why), std::string::npos) << f.err;
  };
  refused({"bench"}, 2, "");
  refused({"bench", "matrices"}, 2, "");
  refused(With(kTinyMatMul, {"--filter", "nothing"}), 2, "--list");
  refused(With(kTinyMatMul, {"--json", "--csv"}), 2, "");
  refused(With(kTinyMatMul, {"--threshold", "0"}), 2, "");
  refused(With(kTinyMatMul, {"--against", "/no/such/binary"}), 1, "cannot run");
  refused({"bench", "matmul", "--types", "Q99"}, 2, "Q99");
  refused({"bench", "matmul", "--shapes", "12"}, 2, "is no shape");
  refused({"bench", "matmul", "--device", "cpu", "--types", "Q4_K", "--shapes", "8x100"}, 2,
          "blocks of 256");
  refused({"bench", "matmul", "--isa", "mmx", "--device", "cpu"}, 2, "mmx");
  refused({"bench", "matmul", "-m", "x.gguf", "--types", "F32"}, 2, "--model");
  refused({"bench", "inference", "-m", "/no/such.gguf"}, 1, "no such file");
}

TEST(BenchTest, BaselinesAreKeptAndCompared) {
  const TempDir dir;
  const std::string path = dir.File("base.json");
  const std::vector<std::string> exact = {"bench", "memory", "--filter", "kv F16"};
  ASSERT_EQ(RunRocforge(With(exact, {"--save-baseline", path})).exit_code, 0);
  const Finished same = RunRocforge(With(exact, {"--compare-baseline", path}));
  EXPECT_EQ(same.exit_code, 0) << same.err;
  EXPECT_NE(same.out.find(" Ok"), std::string::npos) << same.out;

  json baseline = json::parse(ReadFileOrFail(path));
  const auto write = [&](const json& changed) { std::ofstream(path) << changed.dump(); };
  json smaller = baseline;
  smaller["results"][0]["samples"][0] = 1;
  write(smaller);
  const Finished grown = RunRocforge(With(exact, {"--compare-baseline", path}));
  EXPECT_EQ(grown.exit_code, 1);
  EXPECT_NE(grown.out.find("Regression"), std::string::npos) << grown.out;
  EXPECT_NE(grown.err.find(baseline["results"][0]["name"].get<std::string>()), std::string::npos)
      << grown.err;

  json foreign = baseline;
  foreign["hardware"]["cpu"] = "Another CPU";
  write(foreign);
  const Finished mismatch = RunRocforge(With(exact, {"--compare-baseline", path}));
  EXPECT_EQ(mismatch.exit_code, 3) << mismatch.err;
  EXPECT_NE(mismatch.out.find("HardwareMismatch"), std::string::npos) << mismatch.out;

  std::ofstream(path) << "{}";
  EXPECT_EQ(RunRocforge(With(exact, {"--compare-baseline", path})).exit_code, 1);
  EXPECT_EQ(RunRocforge(With(exact, {"--compare-baseline", dir.File("none")})).exit_code, 1);
}

TEST(BenchTest, ComparisonsTellOfTuning) {
  const ToyFile toy;
  const std::string path = toy.dir().File("base.json");
  const std::vector<std::string> exact = {"bench", "inference", "-m", toy.path(), "--device",
                                          "cpu",   "-r",        "1",  "--filter", "kv a token"};
  ASSERT_EQ(RunRocforge(With(exact, {"--tuning", "off", "--save-baseline", path})).exit_code, 0);
  const Finished f = RunRocforge(With(exact, {"--compare-baseline", path}));
  EXPECT_EQ(f.exit_code, 0) << f.err;
  EXPECT_NE(f.out.find("note: tuning: off in the baseline, nothing kept now"), std::string::npos)
      << f.out;
}

TEST(BenchTest, TheSameBuildInTurnsIsNotSlower) {
  const Finished f =
      RunRocforge(With(kTinyMatMul, {"--against", ROCFORGE_BINARY, "--rounds", "2", "--json"}));
  ASSERT_EQ(f.exit_code, 0) << f.err;
  const json all = json::parse(f.out, nullptr, false);
  ASSERT_EQ(all["results"].size(), 2u) << f.out;
  EXPECT_EQ(all["results"][0]["rounds"], 2);
  EXPECT_EQ(all["results"][0]["verdict"], "same") << "two rounds cannot tell";
}

TEST(BenchTest, CtrlCLeavesAValidPartialResult) {
  // So many cases that it cannot be done before the signal; the bar is not drawn into pipes.
  const TempDir dir;
  const std::string path = dir.File("base.json");
  for (const std::vector<std::string>& suite : {
           std::vector<std::string>{"memory"},
           std::vector<std::string>{"matmul", "--device", "sim32", "--shapes", "16x256", "--full"},
       }) {
    std::vector<std::string> args = With({"bench"}, suite);
    PipedProcess process(With(args, {"--min-time", "3", "--json", "--save-baseline", path}));
    std::this_thread::sleep_for(std::chrono::milliseconds(1500));
    process.Signal(SIGINT);
    const Finished f = process.Wait();
    EXPECT_EQ(f.exit_code, 130) << f.err;
    const json all = json::parse(f.out, nullptr, false);
    ASSERT_TRUE(all.is_object()) << f.out;
    EXPECT_EQ(all["complete"], false);
    // The counted ones of `memory` come at once.
    EXPECT_GE(all["results"].size(), suite.size() == 1 ? 1u : 0u);
    EXPECT_FALSE(std::filesystem::exists(path)) << "half a baseline is none";
    EXPECT_NE(f.err.find("interrupted"), std::string::npos) << f.err;
  }
}

}  // namespace
}  // namespace rocforge::testing
