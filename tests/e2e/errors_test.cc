// What a user sees who mistypes something: one line, and the right exit code.
#include <algorithm>
#include <filesystem>
#include <fstream>

#include "tests/e2e/process.h"
#include "tests/e2e/toy_file.h"
#include "tests/testing.h"

namespace rocforge::testing {
namespace {

class ErrorsTest : public ::testing::Test {
 protected:
  // One line on stderr that contains `part`, nothing on stdout.
  void Expect(int exit_code, const std::vector<std::string>& args, const std::string& part) {
    const Finished f = RunRocforge(args);
    std::string shown;
    for (const std::string& arg : args) shown += " " + arg.substr(0, 60);
    SCOPED_TRACE(shown + "\n" + f.err.substr(0, 500));
    EXPECT_EQ(f.exit_code, exit_code);
    EXPECT_EQ(f.out, "");
    EXPECT_TRUE(f.err.starts_with("error: "));
    EXPECT_NE(f.err.find(part), std::string::npos);
    EXPECT_EQ(std::count(f.err.begin(), f.err.end(), '\n'), 1);
  }
  // The same for `rocforge generate -m TOY ARGS...`.
  void ExpectGenerate(int exit_code, std::vector<std::string> args, const std::string& part) {
    args.insert(args.begin(), {"generate", "-m", toy_.path()});
    Expect(exit_code, args, part);
  }

  ToyFile toy_;
};

TEST_F(ErrorsTest, Commands) {
  Expect(2, {}, "no command given");
  Expect(2, {"frobnicate"}, "unknown command 'frobnicate'");
  Expect(2, {"--frobnicate"}, "unknown option '--frobnicate'");
  Expect(2, {"generate", "--frobnicate"}, "--frobnicate");
  EXPECT_EQ(RunRocforge({"--version"}).exit_code, 0);
  EXPECT_NE(RunRocforge({"generate", "--help"}).out.find("--max-tokens"), std::string::npos);
}

TEST_F(ErrorsTest, ModelFiles) {
  const TempDir& dir = toy_.dir();
  Expect(2, {"generate", "-p", "hi"}, "no model");
  Expect(1, {"generate", "-m", dir.File("absent.gguf"), "-p", "hi"}, "absent.gguf");
  std::ofstream(dir.File("text.gguf")) << "hello, I am not a model";
  Expect(1, {"generate", "-m", dir.File("text.gguf"), "-p", "hi"}, "not a GGUF file");
  std::filesystem::copy_file(toy_.path(), dir.File("cut.gguf"));
  std::filesystem::resize_file(dir.File("cut.gguf"), 20000);
  Expect(1, {"generate", "-m", dir.File("cut.gguf"), "-p", "hi"}, "cut.gguf");
  for (const char* command : {"chat", "plan"}) {
    Expect(1, {command, "-m", dir.File("cut.gguf")}, "cut.gguf");
  }
  Expect(1, {"perplexity", "-m", dir.File("cut.gguf"), "-f", "/dev/null"}, "cut.gguf");
}

TEST_F(ErrorsTest, Prompts) {
  ExpectGenerate(2, {"-p", ""}, "the prompt is empty");
  ExpectGenerate(2, {}, "the prompt is empty");
  ExpectGenerate(1, {"-f", toy_.dir().File("absent")}, "absent");
  ExpectGenerate(2, {"-f", toy_.dir().path()}, "is a folder");
  ExpectGenerate(2, {"-p", "a", "-f", "b"}, "excludes");
  ExpectGenerate(2, {"-p", "a", "--prompt-ids", "1"}, "excludes");
  ExpectGenerate(2, {"--prompt-ids", ""}, "expected token ids");
  ExpectGenerate(2, {"--prompt-ids", "1,x"}, "expected token ids");
  ExpectGenerate(2, {"--prompt-ids", "1,"}, "expected token ids");
  ExpectGenerate(2, {"--prompt-ids", "1", "--force-ids", ""}, "expected token ids");
  ExpectGenerate(2, {"--prompt-ids", "1,99999999999"}, "expected token ids");
  ExpectGenerate(2, {"--prompt-ids", "1,1000"}, "1000 is outside the vocabulary");
  ExpectGenerate(2, {"--prompt-ids", "-1"}, "-1 is outside the vocabulary");
  ExpectGenerate(2, {"--prompt-ids", "1", "--force-ids", "1000"}, "outside the vocabulary");
  ExpectGenerate(1, {"--raw", "-p", std::string(300, 'x')}, "the context holds 256");
  ExpectGenerate(1, {"-p", "hi", "--system", "x"}, "no chat template");
  ExpectGenerate(2, {"-p", "hi", "--raw", "--system", "x"}, "--system");
  ExpectGenerate(1, {"-p", "hi", "--chat-template", toy_.dir().File("absent")}, "absent");
}

TEST_F(ErrorsTest, Numbers) {
  ExpectGenerate(2, {"-p", "a", "--temperature", "warm"}, "--temperature");
  ExpectGenerate(2, {"-p", "a", "--temperature", "-1"}, "temperature");
  ExpectGenerate(2, {"-p", "a", "--temperature", "nan"}, "temperature");
  ExpectGenerate(2, {"-p", "a", "--top-p", "1.5"}, "top_p");
  ExpectGenerate(2, {"-p", "a", "--top-k", "1.5"}, "--top-k");
  ExpectGenerate(2, {"-p", "a", "-n", "-2"}, "--max-tokens");
  ExpectGenerate(2, {"-p", "a", "--ctx", "0"}, "--ctx");
  ExpectGenerate(2, {"-p", "a", "--ctx", "99999999999"}, "--ctx");
  ExpectGenerate(2, {"-p", "a", "--threads", "0"}, "--threads");
  ExpectGenerate(2, {"-p", "a", "--seed", "x"}, "--seed");
  ExpectGenerate(2, {"-p", "a", "--keep", "-2"}, "--keep");
  ExpectGenerate(2, {"-p", "a", "--mirostat", "1"}, "mirostat");
  ExpectGenerate(2, {"-p", "a", "--logprobs", "-1", "--json"}, "--logprobs");
  Expect(2, {"plan", "-m", toy_.path(), "--tokens", "0"}, "--tokens");
  Expect(2, {"perplexity", "-m", toy_.path(), "-f", "/dev/null", "-c", "1"}, "--ctx");
}

TEST_F(ErrorsTest, NamesAndCombinations) {
  ExpectGenerate(2, {"-p", "a", "--device", "toaster"}, "unknown device 'toaster'");
  ExpectGenerate(1, {"-p", "a", "--device", "gpu"}, "GPU");
  ExpectGenerate(2, {"-p", "a", "--isa", "abacus"}, "unknown instruction set 'abacus'");
  ExpectGenerate(2, {"-p", "a", "--kv-type", "q8"}, "--kv-type");
  ExpectGenerate(2, {"-p", "a", "--disable-pass", "none"}, "unknown pass 'none'");
  ExpectGenerate(2, {"-p", "a", "--samplers", "top_k,magic"}, "unknown sampler 'magic'");
  ExpectGenerate(2, {"-p", "a", "--logit-bias", "seven"}, "--logit-bias 'seven'");
  ExpectGenerate(2, {"-p", "a", "--logit-bias", "99999=1"}, "99999");
  ExpectGenerate(2, {"-p", "a", "--logprobs", "2"}, "--logprobs needs --json");
  ExpectGenerate(2, {"-p", "a", "--logprobs", "2", "--json", "--context-shift"}, "exclude");
  ExpectGenerate(2, {"-p", "a", "--stop", ""}, "stop string");
}

TEST_F(ErrorsTest, TextsThatAreTooShort) {
  Expect(2, {"perplexity", "-m", toy_.path()}, "give -f FILE");
  Expect(1, {"perplexity", "-m", toy_.path(), "-f", "/dev/null"}, "tokens");
}

TEST_F(ErrorsTest, ChatNeedsATemplate) {
  Expect(1, {"chat", "-m", toy_.path()}, "--chat-template");
}

}  // namespace
}  // namespace rocforge::testing
