#include "prof/rocm_tools.h"

#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "tests/testing.h"

namespace rocforge::prof {
namespace {

TEST(RocmTools, Names) {
  for (const RocmTool tool : kRocmTools) EXPECT_EQ(*ParseRocmTool(RocmToolName(tool)), tool);
  for (const CardFamily card : kCardFamilies)
    EXPECT_EQ(*ParseCardFamily(CardFamilyName(card)), card);
  EXPECT_EQ(*ParseRocmTool("omniperf"), RocmTool::kRocprofCompute);
  EXPECT_EQ(*ParseCardFamily("gfx1032"), CardFamily::kRdna2);
  EXPECT_EQ(*ParseCardFamily("gfx11-generic"), CardFamily::kRdna3);
  EXPECT_EQ(*ParseCardFamily("gfx1201"), CardFamily::kRdna4);
  EXPECT_EQ(*ParseCardFamily("gfx942:sramecc+:xnack-"), CardFamily::kCdna3);
  EXPECT_EQ(ParseCardFamily("gfx900").status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(ParseRocmTool("nsys").status().code(), StatusCode::kInvalidArgument);
}

TEST(RocmTools, ShellQuote) {
  EXPECT_EQ(ShellQuote("rocforge"), "rocforge");
  EXPECT_EQ(ShellQuote("a b"), "'a b'");
  EXPECT_EQ(ShellQuote("it's"), "'it'\\''s'");
  EXPECT_EQ(ShellQuote(""), "''");
  EXPECT_EQ(ShellQuote("$(rm x)"), "'$(rm x)'");
}

// Every tool has lines for a family or says why not; the command stands in each of them that runs
// it.
TEST(RocmTools, EveryToolAndFamily) {
  const std::vector<std::string> command = {"rocforge", "generate", "-p", "two words"};
  std::string lines;
  for (const RocmTool tool : kRocmTools) {
    for (const CardFamily card : kCardFamilies) {
      SCOPED_TRACE(std::string(RocmToolName(tool)) + " " + CardFamilyName(card));
      const RocmGuide guide = MakeRocmGuide(tool, card, command);
      EXPECT_FALSE(guide.notes.empty());
      for (const RocmCommand& c : guide.commands) {
        if (c.line.starts_with("rocprof-compute analyze")) continue;
        EXPECT_NE(c.line.find("rocforge generate -p 'two words'"), std::string::npos) << c.line;
        lines += c.line + "\n";
      }
    }
  }
  // A shell can parse them all.
  ::rocforge::testing::TempDir dir;
  std::ofstream(dir.File("lines.sh")) << lines;
  EXPECT_EQ(std::system(("sh -n " + dir.File("lines.sh")).c_str()), 0);
  EXPECT_TRUE(MakeRocmGuide(RocmTool::kRocprof, CardFamily::kRdna4, command).commands.empty());
  EXPECT_TRUE(
      MakeRocmGuide(RocmTool::kRocprofCompute, CardFamily::kRdna3, command).commands.empty());
}

// Names that differ by family, as AMD's definitions have them.
TEST(RocmTools, CountersByFamily) {
  const std::vector<std::string> command = {"x"};
  const auto has = [&](CardFamily card, const std::string& counter) {
    for (const RocmCommand& c : MakeRocmGuide(RocmTool::kRocprofv3, card, command).commands) {
      if (c.line.find(counter + " ") != std::string::npos) return true;
    }
    return false;
  };
  EXPECT_TRUE(has(CardFamily::kCdna3, "TCC_HIT_sum"));
  EXPECT_FALSE(has(CardFamily::kCdna3, "L2CacheHit"));
  EXPECT_TRUE(has(CardFamily::kRdna3, "L2CacheHit"));
  EXPECT_FALSE(has(CardFamily::kRdna4, "WRITE_SIZE"));
  EXPECT_TRUE(has(CardFamily::kRdna2, "ALUStalledByLDS"));
}

}  // namespace
}  // namespace rocforge::prof
