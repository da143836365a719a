// `rocforge plan` and `rocforge perplexity`.
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/e2e/process.h"
#include "tests/e2e/toy_file.h"
#include "tests/testing.h"

namespace rocforge::testing {
namespace {

using nlohmann::json;

TEST(PlanTest, BeforeAndAfterThePasses) {
  const ToyFile toy;
  const Finished text = RunRocforge({"plan", "-m", toy.path()});
  EXPECT_EQ(text.exit_code, 0) << text.err;
  for (const char* part : {"Before the passes", "After the passes", "merge_matmul", "layer 0",
                           "KV cache", "ffn_down"}) {
    EXPECT_NE(text.out.find(part), std::string::npos) << part << "\n" << text.out;
  }
  const json plan =
      json::parse(RunRocforge({"plan", "-m", toy.path(), "--json"}).out, nullptr, false);
  ASSERT_TRUE(plan.is_object());
  EXPECT_GT(plan["before"]["n_ops"], plan["after"]["n_ops"]);
  EXPECT_EQ(plan["before"]["nodes"].size(), plan["before"]["n_ops"]);
  // 2 layers, 2 KV heads of 8, keys and values, f16.
  EXPECT_EQ(plan["kv_bytes_per_token"], 2 * 2 * (8 + 8) * 2);
  // Decoding reads each weight at least once.
  EXPECT_GT(plan["after"]["bytes_read"],
            0.9 * plan["weight_bytes"].get<double>() - 32 * 286 * 4.0);  // the table gives one row

  const json unfused =
      json::parse(RunRocforge({"plan", "-m", toy.path(), "--json", "--disable-pass", "all"}).out,
                  nullptr, false);
  EXPECT_EQ(unfused["after"]["n_ops"], unfused["before"]["n_ops"]);

  const json f32 = json::parse(
      RunRocforge({"plan", "-m", toy.path(), "--json", "--kv-type", "f32", "--context", "100"}).out,
      nullptr, false);
  EXPECT_EQ(f32["kv_bytes_per_token"], 2 * 2 * (8 + 8) * 4);
  EXPECT_GT(f32["after"]["bytes_read"], plan["after"]["bytes_read"]);
  const json q8 = json::parse(
      RunRocforge({"plan", "-m", toy.path(), "--json", "--kv-type", "q8_0"}).out, nullptr, false);
  EXPECT_EQ(q8["kv_bytes_per_token"], 2 * 2 * (8 + 8 + 2 * 2));  // and a scale each
  const json prompt = json::parse(
      RunRocforge({"plan", "-m", toy.path(), "--json", "--tokens", "64"}).out, nullptr, false);
  EXPECT_GT(prompt["after"]["ops"], 30 * plan["after"]["ops"].get<double>());
}

TEST(PlanTest, FoldsEqualLayersAndFitsANarrowTerminal) {
  ROCFORGE_REQUIRE_TESTDATA(gemma, "models/arch-gemma3-f32.gguf");
  // Five local layers and a global one, which differ where the window is full.
  const Finished f = RunRocforge({"plan", "-m", gemma, "--context", "100"});
  EXPECT_EQ(f.exit_code, 0) << f.err;
  EXPECT_NE(f.out.find("layers 0-4 (5 times)"), std::string::npos) << f.out;
  const Finished all = RunRocforge({"plan", "-m", gemma, "--context", "100", "--all"});
  EXPECT_NE(all.out.find("layer 3\n"), std::string::npos);

  TerminalProcess terminal({"plan", "-m", gemma});
  EXPECT_TRUE(terminal.Expect("KV cache"));
  EXPECT_EQ(terminal.Wait(), 0);
  size_t begin = terminal.written().find("Before the passes");
  ASSERT_NE(begin, std::string::npos);
  const size_t tables_end = terminal.written().find("This step");
  while (begin < tables_end) {
    const size_t end = terminal.written().find("\r\n", begin);
    EXPECT_LE(end - begin, 80u) << terminal.written().substr(begin, end - begin);
    begin = end + 2;
  }
}

TEST(PerplexityTest, AUniformModelWouldHaveTheVocabularysSize) {
  // The toy model has random weights: near, not equal.
  const ToyFile toy;
  const std::string text_file = toy.dir().File("text.txt");
  {
    std::ofstream text(text_file);
    for (int i = 0; i < 200; ++i) text << "the quick brown fox jumps over the lazy dog ";
  }
  const std::vector<std::string> args = {"perplexity", "-m", toy.path(), "-f",
                                         text_file,    "-c", "64"};
  std::vector<std::string> with_json = args;
  with_json.push_back("--json");
  const json o = json::parse(RunRocforge(with_json).out, nullptr, false);
  ASSERT_TRUE(o.is_object());
  EXPECT_GT(o["ppl"], 10);
  EXPECT_LT(o["ppl"], 5000);
  EXPECT_EQ(o["tokens_scored"], o["chunks"].get<int>() * 31);
  EXPECT_EQ(o["running_ppl"].size(), o["chunks"]);
  const Finished plain = RunRocforge(args);
  EXPECT_EQ(plain.exit_code, 0);
  EXPECT_NE(plain.out.find("perplexity "), std::string::npos);
  EXPECT_NE(plain.out.find("[1] "), std::string::npos);

  with_json.insert(with_json.end(), {"--chunks", "5"});
  const json five = json::parse(RunRocforge(with_json).out, nullptr, false);
  EXPECT_EQ(five["chunks"], 5);
  EXPECT_NEAR(five["ppl"].get<double>(), o["running_ppl"][4].get<double>(), 1e-3);
}

TEST(PerplexityTest, MatchesTheReference) {
  ROCFORGE_REQUIRE_TESTDATA(model, "models/stories260K-q8_0.gguf");
  ROCFORGE_REQUIRE_TESTDATA(text, "text/austen-400k.txt");
  ROCFORGE_REQUIRE_TESTDATA(reference_path, "text/perplexity.json");
  const json reference = json::parse(ReadFileOrFail(reference_path), nullptr, false);
  for (const json& r : reference["results"]) {
    if (r["model"] != "stories260K-q8_0.gguf") continue;
    const json o =
        json::parse(RunRocforge({"perplexity", "-m", model, "-f", text, "-c", "256", "--chunks",
                                 std::to_string(r["chunks"].get<int>()), "--json"})
                        .out,
                    nullptr, false);
    ASSERT_TRUE(o.is_object());
    EXPECT_NEAR(o["ppl"].get<double>() / r["ppl"].get<double>(), 1.0, 0.01);
    EXPECT_NEAR(o["stderr"].get<double>() / r["stderr"].get<double>(), 1.0, 0.02);
    return;
  }
  FAIL() << "no reference for stories260K-q8_0";
}

}  // namespace
}  // namespace rocforge::testing
