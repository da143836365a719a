#include <signal.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/e2e/process.h"
#include "tests/e2e/toy_file.h"
#include "tests/testing.h"

namespace rocforge::testing {
namespace {

using nlohmann::json;

std::vector<std::string> ChatArgs(const ToyFile& toy, const std::vector<std::string>& more = {}) {
  std::vector<std::string> args = {"chat", "-m", toy.path(), "-n", "4", "--temperature", "0"};
  args.insert(args.end(), more.begin(), more.end());
  return args;
}

TEST(ChatTest, APipeGivesAnswersAndNoEscapeCodes) {
  const ToyFile toy(kToyTemplate);
  const Finished f = RunRocforge(ChatArgs(toy), "hello\n\nmore\n/stats\n");
  EXPECT_EQ(f.exit_code, 0) << f.err;
  EXPECT_EQ(f.out.find('\x1b'), std::string::npos);
  EXPECT_EQ(f.err.find('\x1b'), std::string::npos);
  EXPECT_EQ(f.err.find(">>>"), std::string::npos) << "no prompt for a pipe";
  EXPECT_GE(std::count(f.out.begin(), f.out.end(), '\n'), 2) << "an answer ends with a newline";
  EXPECT_NE(f.err.find("cached"), std::string::npos) << "the second turn reuses the cache";
}

TEST(ChatTest, ErrorsInAPipeEndIt) {
  const ToyFile toy(kToyTemplate);
  const Finished f = RunRocforge(ChatArgs(toy), "/frobnicate\nhello\n");
  EXPECT_EQ(f.exit_code, 2);
  EXPECT_NE(f.err.find("/frobnicate"), std::string::npos);
  EXPECT_EQ(f.out, "");
}

TEST(ChatTest, CommandsChangeTheHistory) {
  const ToyFile toy(kToyTemplate);
  const std::string saved = toy.dir().File("talk.json");
  const Finished f = RunRocforge(
      ChatArgs(toy, {"--no-stats"}),
      "/system be kind\nfirst\nsecond\n/undo\nthird\\\nline\n\"\"\"fourth\nof two\"\"\"\n/regen\n"
      "/save " +
          saved + "\n/clear\n/load " + saved +
          "\n/set temperature 0.5\n/set max-tokens 2\n"
          "fifth\n/quit\nnot read\n");
  ASSERT_EQ(f.exit_code, 0) << f.err;
  const json talk = json::parse(ReadFileOrFail(saved), nullptr, false);
  ASSERT_TRUE(talk.is_object());
  std::vector<std::string> said;
  for (const json& m : talk["messages"]) {
    if (m["role"] != "assistant") said.push_back(m["content"]);
  }
  EXPECT_EQ(said, (std::vector<std::string>{"be kind", "first", "third\nline", "fourth\nof two"}));
  EXPECT_EQ(talk["messages"].size(), 7u);
  EXPECT_NE(f.err.find("temperature is now 0.5"), std::string::npos) << f.err;
}

TEST(ChatTest, AtATerminal) {
  const ToyFile toy(kToyTemplate);
  TerminalProcess chat(ChatArgs(toy));
  ASSERT_TRUE(chat.Expect("/help"));
  ASSERT_TRUE(chat.Expect(">>> "));
  // "helo", back two, insert "l"; then the whole word is killed and yanked back.
  chat.Send("helo\x1b[D\x1b[Dl\x01\x0b\x19");
  ASSERT_TRUE(chat.Expect("hello"));
  chat.Send("\r");
  ASSERT_TRUE(chat.Expect("generated 4 tokens"));
  ASSERT_TRUE(chat.Expect(">>> "));
  // History, with a UTF-8 character at its end that is taken away again.
  chat.Send("\x1b[A\xC3\xA9");
  ASSERT_TRUE(chat.Expect("hello\xC3\xA9"));
  chat.Send("\x7f!");
  ASSERT_TRUE(chat.Expect("hello!"));
  chat.Send("\x15");  // Ctrl-U
  chat.Send("/save " + toy.dir().File("talk.json") + "\r");
  ASSERT_TRUE(chat.Expect("messages saved"));
  ASSERT_TRUE(chat.Expect(">>> "));
  chat.Send("thrown away\x03");  // Ctrl-C
  ASSERT_TRUE(chat.Expect("/quit leaves"));
  ASSERT_TRUE(chat.Expect(">>> "));
  chat.Send("/frobnicate\r");
  ASSERT_TRUE(chat.Expect("there is no command /frobnicate"));
  ASSERT_TRUE(chat.Expect(">>> "));
  chat.Send("\x04");  // Ctrl-D
  EXPECT_EQ(chat.Wait(), 0);
  const json talk = json::parse(ReadFileOrFail(toy.dir().File("talk.json")), nullptr, false);
  ASSERT_TRUE(talk.is_object());
  ASSERT_EQ(talk["messages"].size(), 2u);
  EXPECT_EQ(talk["messages"][0]["content"], "hello");
}

TEST(ChatTest, APasteOfSeveralLinesIsOneMessage) {
  const ToyFile toy(kToyTemplate);
  TerminalProcess chat(ChatArgs(toy));
  ASSERT_TRUE(chat.Expect(">>> "));
  chat.Send("\x1b[200~one\rtwo\x1b[201~ three\r");
  ASSERT_TRUE(chat.Expect("generated"));
  ASSERT_TRUE(chat.Expect(">>> "));
  chat.Send("/save " + toy.dir().File("talk.json") + "\r");
  ASSERT_TRUE(chat.Expect("messages saved"));
  chat.Send("/quit\r");
  EXPECT_EQ(chat.Wait(), 0);
  const json talk = json::parse(ReadFileOrFail(toy.dir().File("talk.json")), nullptr, false);
  EXPECT_EQ(talk["messages"][0]["content"], "one\ntwo three");
}

TEST(ChatTest, CtrlCStopsAnAnswerAndTheTalkGoesOn) {
  const ToyFile toy(kToyTemplate);
  // Without an end: only Ctrl-C ends the answer.
  TerminalProcess chat({"chat", "-m", toy.path(), "--temperature", "0", "--context-shift",
                        "--logit-bias", "2=-inf"});
  ASSERT_TRUE(chat.Expect(">>> "));
  chat.Send("hello\r");
  ASSERT_TRUE(chat.Expect("\r\n"));
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  chat.Send("\x03");  // through the terminal, which makes it a signal
  ASSERT_TRUE(chat.Expect("interrupted"));
  ASSERT_TRUE(chat.Expect(">>> "));
  chat.Send("/quit\r");
  EXPECT_EQ(chat.Wait(), 0);
}

}  // namespace
}  // namespace rocforge::testing
