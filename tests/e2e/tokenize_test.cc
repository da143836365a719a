// `rocforge tokenize`: every form of its input and output.
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/e2e/process.h"
#include "tests/e2e/toy_file.h"
#include "tests/testing.h"

namespace rocforge::testing {
namespace {

using nlohmann::json;

class TokenizeCommandTest : public ::testing::Test {
 protected:
  Finished Run(std::vector<std::string> args, const std::string& in = {}) {
    args.insert(args.begin(), {"tokenize", "-m", toy_.path()});
    return RunRocforge(args, in);
  }

  ToyFile toy_;
};

// Ids of the toy vocabulary: 3 + byte, 259 for the space in front, 260 + letter; 1 is <s>, 2 </s>.
TEST_F(TokenizeCommandTest, TextFileAndPipeGiveTheSameIds) {
  EXPECT_EQ(Run({"--ids", "ab"}).out, "[1, 259, 260, 261]\n");
  EXPECT_EQ(Run({"--ids", "-p", "ab"}).out, "[1, 259, 260, 261]\n");
  EXPECT_EQ(Run({"--ids"}, "ab").out, "[1, 259, 260, 261]\n");
  EXPECT_EQ(Run({"--ids", "-f", "-"}, "ab").out, "[1, 259, 260, 261]\n");
  const std::string file = toy_.dir().File("text");
  std::ofstream(file, std::ios::binary) << "ab\n";
  EXPECT_EQ(Run({"--ids", "-f", file}).out, "[1, 259, 260, 261, 13]\n") << "to the last byte";
}

TEST_F(TokenizeCommandTest, SpecialTokens) {
  EXPECT_EQ(Run({"--ids", "--no-bos", "ab"}).out, "[259, 260, 261]\n");
  EXPECT_EQ(Run({"--ids", "--no-bos", "</s>"}).out, "[2]\n");
  const std::string plain = Run({"--ids", "--no-bos", "--no-special", "</s>"}).out;
  EXPECT_EQ(plain, "[259, 63, 50, 278, 65]\n");
}

TEST_F(TokenizeCommandTest, LinesHaveEscapes) {
  const Finished f = Run({"--lines", "--no-bos"}, "ab\n\na\\x41\\n\n");
  EXPECT_EQ(f.out, "[259, 260, 261]\n[]\n[259, 260, 68, 13]\n");
  EXPECT_EQ(f.exit_code, 0);
  EXPECT_NE(f.err.find("3 texts"), std::string::npos) << f.err;
  const Finished bad = Run({"--lines"}, "a\nb\\xZZ\n");
  EXPECT_EQ(bad.exit_code, 1);
  EXPECT_NE(bad.err.find("line 2: "), std::string::npos) << bad.err;
}

TEST_F(TokenizeCommandTest, PiecesForPeopleAndPrograms) {
  const Finished table = Run({"--no-bos", "a\x1b"});
  EXPECT_EQ(table.out, "   259 -> ' '\n   260 -> 'a'\n    30 -> '\\x1b'\n");
  EXPECT_NE(table.err.find("3 tokens from 2 bytes in "), std::string::npos) << table.err;
  const json o = json::parse(Run({"--json", "a\xff"}).out, nullptr, false);
  ASSERT_TRUE(o.is_object());
  EXPECT_EQ(o["count"], 4);
  EXPECT_EQ(o["tokens"][0]["type"], "control");
  EXPECT_EQ(o["tokens"][3]["bytes"], "ff");
}

TEST_F(TokenizeCommandTest, WrongUsage) {
  EXPECT_EQ(Run({"--ids", "--json", "a"}).exit_code, 2);
  EXPECT_EQ(Run({"a", "-f", "b"}).exit_code, 2);
  EXPECT_EQ(Run({"-f", toy_.dir().File("absent")}).exit_code, 1);
}

}  // namespace
}  // namespace rocforge::testing
