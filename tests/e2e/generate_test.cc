#include <signal.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/e2e/process.h"
#include "tests/e2e/toy_file.h"
#include "tests/testing.h"

namespace rocforge::testing {
namespace {

using nlohmann::json;

json ParseOrFail(const std::string& text) {
  json parsed = json::parse(text, nullptr, false);
  EXPECT_FALSE(parsed.is_discarded()) << text.substr(0, 500);
  return parsed;
}

TEST(GenerateTest, TextOnStdoutEverythingElseOnStderr) {
  const ToyFile toy;
  const Finished f = RunRocforge({"generate", "-m", toy.path(), "--prompt-ids", "1,270",
                                  "--force-ids", "260,261,262", "--temperature", "0"});
  EXPECT_EQ(f.exit_code, 0);
  EXPECT_EQ(f.out, "abc") << "exactly the text, without a newline";
  EXPECT_NE(f.err.find("generated 3 tokens"), std::string::npos) << f.err;
  EXPECT_NE(f.err.find("GB/s"), std::string::npos) << f.err;
  EXPECT_NE(f.err.find("first token"), std::string::npos) << f.err;
  EXPECT_EQ(f.err.find('\x1b'), std::string::npos) << "no escape codes without a terminal";
  const Finished quiet = RunRocforge({"generate", "-m", toy.path(), "--prompt-ids", "1,270",
                                      "--force-ids", "260,261,262", "--no-stats", "--no-stream"});
  EXPECT_EQ(quiet.out, "abc");
  EXPECT_EQ(quiet.err, "");
}

TEST(GenerateTest, PromptFromFileOrStdin) {
  const ToyFile toy;
  const std::string file = toy.dir().File("prompt.txt");
  std::ofstream(file) << "hello\n";
  const std::vector<std::string> args = {"generate", "-m", toy.path(), "--raw", "--json",
                                         "-n",       "3",  "--seed",   "1"};
  const json direct = ParseOrFail(RunRocforge(With(args, {"-p", "hello"})).out);
  EXPECT_EQ(direct["prompt_ids"].size(), 1u + 1u + 5u) << "BOS, the space in front, five letters";
  EXPECT_EQ(direct["finish_reason"], "length");
  EXPECT_EQ(ParseOrFail(RunRocforge(With(args, {"-f", file})).out)["ids"], direct["ids"]);
  EXPECT_EQ(ParseOrFail(RunRocforge(args, "hello\n").out)["ids"], direct["ids"]);
  EXPECT_EQ(ParseOrFail(RunRocforge(With(args, {"-f", "-"}), "hello").out)["ids"], direct["ids"]);
}

TEST(GenerateTest, ChatTemplateUnlessRaw) {
  const ToyFile toy(kToyTemplate);
  const std::vector<std::string> args = {"generate", "-m", toy.path(), "--json", "-n", "2"};
  const Finished chat = RunRocforge(With(args, {"-p", "hi", "--system", "yo"}));
  ASSERT_EQ(chat.exit_code, 0) << chat.err;
  EXPECT_EQ(ParseOrFail(chat.out)["stats"]["prompt"], "chat template");
  EXPECT_NE(chat.err.find("chat template"), std::string::npos) << chat.err;
  // s:yo;u:hi;a: rendered by hand gives the same tokens.
  const Finished raw = RunRocforge(With(args, {"-p", "s:yo;u:hi;a:", "--raw"}));
  EXPECT_EQ(ParseOrFail(raw.out)["prompt_ids"], ParseOrFail(chat.out)["prompt_ids"]);
  EXPECT_EQ(ParseOrFail(raw.out)["stats"]["prompt"], "raw prompt");

  const ToyFile without;
  const Finished none = RunRocforge({"generate", "-m", without.path(), "-p", "hi", "-n", "2"});
  EXPECT_NE(none.err.find("no chat template"), std::string::npos) << none.err;
}

TEST(GenerateTest, JsonHasOneObjectWithTheAgreedFields) {
  const ToyFile toy;
  const std::vector<std::string> args = {"generate",   "-m",          toy.path(),  "--prompt-ids",
                                         "1,70,80",    "--force-ids", "260,198,2", "--ignore-eos",
                                         "--logprobs", "1000",        "--json",    "--kv-type",
                                         "f32"};
  const Finished f = RunRocforge(args);
  ASSERT_EQ(f.exit_code, 0) << f.err;
  const json o = ParseOrFail(f.out);
  EXPECT_EQ(o["prompt_ids"], json({1, 70, 80}));
  EXPECT_EQ(o["ids"], json({260, 198, 2}));
  EXPECT_EQ(o["text"], "a\xEF\xBF\xBD");  // a byte that is no character
  EXPECT_EQ(o["finish_reason"], "length");
  ASSERT_EQ(o["logprobs"].size(), 6u);
  for (size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(o["logprobs"][i]["pos"], i);
    const json& top = o["logprobs"][i]["top"];
    ASSERT_EQ(top.size(), static_cast<size_t>(kToyModelVocab));
    double sum = 0;
    for (const json& pair : top) sum += std::exp(pair[1].get<double>());
    EXPECT_NEAR(sum, 1.0, 1e-4);
    EXPECT_GE(top[0][1], top[1][1]);
  }
  EXPECT_EQ(o["stats"]["prompt_tokens"], 3);
  EXPECT_EQ(o["stats"]["generated_tokens"], 3);
  EXPECT_GT(o["stats"]["bytes_per_token"], 0);
  const Finished small = RunRocforge(With(args, {"--batch", "2"}));
  EXPECT_EQ(small.exit_code, 0) << small.err;
  EXPECT_EQ(ParseOrFail(small.out)["logprobs"].size(), 6u) << "a batch below the rows of logits";
}

TEST(GenerateTest, SeedsAndThreads) {
  const ToyFile toy;
  const auto text = [&](const char* seed, const char* threads) {
    return RunRocforge({"generate", "-m", toy.path(), "--prompt-ids", "1,70", "-n", "40", "--seed",
                        seed, "-t", threads, "--ignore-eos", "--no-stats", "--temperature", "2"})
        .out;
  };
  const std::string first = text("7", "1");
  EXPECT_EQ(text("7", "1"), first);
  EXPECT_EQ(text("7", "3"), first);
  EXPECT_NE(text("8", "1"), first);
}

TEST(GenerateTest, StopStringAndContextEnd) {
  const ToyFile toy;
  const Finished stop = RunRocforge({"generate", "-m", toy.path(), "--prompt-ids", "1",
                                     "--force-ids", "260,261,262,263", "--stop", "bc", "--json"});
  EXPECT_EQ(ParseOrFail(stop.out)["text"], "a");
  EXPECT_EQ(ParseOrFail(stop.out)["finish_reason"], "stop");
  EXPECT_EQ(ParseOrFail(stop.out)["stats"]["stop_string"], "bc");
  const std::vector<std::string> args = {"generate", "-m", toy.path(), "--prompt-ids", "1,70",
                                         "--ctx",    "32", "--json",   "--ignore-eos"};
  const json full = ParseOrFail(RunRocforge(args).out);
  EXPECT_EQ(full["finish_reason"], "context");
  EXPECT_EQ(full["ids"].size(), 30u);
  const json shifted = ParseOrFail(RunRocforge(With(args, {"--context-shift", "-n", "100"})).out);
  EXPECT_EQ(shifted["finish_reason"], "length");
  EXPECT_EQ(shifted["ids"].size(), 100u);
  EXPECT_GT(shifted["stats"]["context_shifts"], 1);
}

TEST(GenerateTest, PassesOnAndOffAgree) {
  const ToyFile toy;
  const std::vector<std::string> args = {
      "generate", "-m",     toy.path(),     "--prompt-ids",  "1,70", "-n",
      "20",       "--json", "--ignore-eos", "--temperature", "0"};
  const json with = ParseOrFail(RunRocforge(args).out);
  const json without = ParseOrFail(RunRocforge(With(args, {"--disable-pass", "all"})).out);
  EXPECT_EQ(with["ids"], without["ids"]);
}

TEST(GenerateTest, CtrlCKeepsTheTextAndTheStatistics) {
  const ToyFile toy;
  PipedProcess process(
      {"generate", "-m", toy.path(), "--prompt-ids", "1,70", "--ignore-eos", "--context-shift"});
  ASSERT_TRUE(process.ReadOut(200));
  process.Signal(SIGINT);
  const Finished f = process.Wait();
  EXPECT_EQ(f.exit_code, 130);
  EXPECT_GE(f.out.size(), 200u);
  EXPECT_NE(f.err.find("interrupted"), std::string::npos) << f.err;
  EXPECT_NE(f.err.find("tok/s"), std::string::npos) << f.err;
}

TEST(GenerateTest, CtrlCWithJsonStillPrintsTheObject) {
  const ToyFile toy;
  PipedProcess process({"generate", "-m", toy.path(), "--prompt-ids", "1,70", "--ignore-eos",
                        "--context-shift", "--json", "--no-stats"});
  // There is no output before the end; give it time to get going.
  std::this_thread::sleep_for(std::chrono::seconds(1));
  process.Signal(SIGINT);
  const Finished f = process.Wait();
  // A machine so busy that the signal came before the handler: killed by it, also 130.
  EXPECT_EQ(f.exit_code, 130);
  if (!f.out.empty()) {
    EXPECT_EQ(ParseOrFail(f.out)["finish_reason"], "cancelled");
  }
}

TEST(GenerateTest, TheSecondCtrlCKills) {
  const ToyFile toy;
  // Nobody reads: it soon waits in a write, where the first signal cannot end it.
  PipedProcess process(
      {"generate", "-m", toy.path(), "--prompt-ids", "1,70", "--ignore-eos", "--context-shift"});
  ASSERT_TRUE(process.ReadOut(10));
  std::this_thread::sleep_for(std::chrono::seconds(2));
  process.Signal(SIGINT);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  process.Signal(SIGINT);
  EXPECT_EQ(process.WaitUnread(), 128 + SIGINT);
}

TEST(GenerateTest, AFullDiskIsSaid) {
  const ToyFile toy;
  const std::string command = std::string(ROCFORGE_BINARY) + " generate -m " + toy.path() +
                              " --prompt-ids 1,70 -n 5 --ignore-eos --no-stats > /dev/full 2> " +
                              toy.dir().File("err");
  EXPECT_EQ(WEXITSTATUS(std::system(command.c_str())), 1);
  EXPECT_NE(ReadFileOrFail(toy.dir().File("err")).find("No space left"), std::string::npos);
}

TEST(GenerateTest, OnATerminalTheTextEndsWithANewlineAndIsHarmless) {
  const ToyFile toy;
  // a, ESC, [, J: a text that would clear the screen.
  TerminalProcess process(
      {"generate", "-m", toy.path(), "--prompt-ids", "1,70", "--force-ids", "260,30,94,77"});
  EXPECT_TRUE(process.Expect("a\\x1b[J\r\n"));
  EXPECT_TRUE(process.Expect("generated 4 tokens"));
  EXPECT_EQ(process.Wait(), 0);
}

TEST(GenerateTest, GoldenLogProbabilities) {
  for (const char* name : {"stories260K-f32", "tiny-llama-q4_k", "arch-qwen2-f32"}) {
    ROCFORGE_REQUIRE_TESTDATA(golden_path, std::string("golden/") + name + ".json");
    ROCFORGE_REQUIRE_TESTDATA(model_path, std::string("models/") + name + ".gguf");
    const json golden = ParseOrFail(ReadFileOrFail(golden_path));
    for (const json& prompt : golden["prompts"]) {
      const auto list = [](const json& ids) {
        std::string text = ids.dump();
        return text.substr(1, text.size() - 2);
      };
      const Finished f =
          RunRocforge({"generate", "-m", model_path, "--prompt-ids", list(prompt["ids"]),
                       "--force-ids", list(prompt["greedy_ref"]), "--ignore-eos", "--logprobs",
                       "512", "--json", "--kv-type", "f32", "--raw"});
      ASSERT_EQ(f.exit_code, 0) << f.err;
      const json o = ParseOrFail(f.out);
      EXPECT_EQ(o["ids"], prompt["greedy_ref"]);
      for (const json& position : prompt["positions"]) {
        std::map<int, double> ours;
        for (const json& pair : o["logprobs"][position["abs_pos"].get<size_t>()]["top"]) {
          ours[pair[0].get<int>()] = pair[1].get<double>();
        }
        for (const json& pair : position["ref_top20"]) {
          EXPECT_NEAR(ours.at(pair[0].get<int>()), pair[1].get<double>(), 1e-3) << name;
        }
      }
    }
  }
}

TEST(GenerateTest, TwoThousandTokens) {
  ROCFORGE_REQUIRE_TESTDATA(model, "models/stories260K-q8_0.gguf");
  const std::vector<std::string> args = {"generate",     "-m",     model,  "-p",
                                         "Once upon",    "-n",     "2000", "--json",
                                         "--ignore-eos", "--seed", "3"};
  const json deep = ParseOrFail(RunRocforge(With(args, {"--ctx", "2100"})).out);
  EXPECT_EQ(deep["ids"].size(), 2000u);
  EXPECT_EQ(deep["finish_reason"], "length");
  const json shifted =
      ParseOrFail(RunRocforge(With(args, {"--ctx", "256", "--context-shift"})).out);
  EXPECT_EQ(shifted["ids"].size(), 2000u);
  EXPECT_GE(shifted["stats"]["context_shifts"], 10);
}

}  // namespace
}  // namespace rocforge::testing
