#include "apps/help.h"

#include <memory>
#include <sstream>

#include "apps/command.h"
#include "tests/testing.h"

namespace rocforge::apps {
namespace {

TEST(HelpTest, WrapText) {
  EXPECT_EQ(WrapText("one two three", 7), "one two\nthree");
  EXPECT_EQ(WrapText("one two three", 8), "one two\nthree");
  EXPECT_EQ(WrapText("a loooooooong b", 4), "a\nloooooooong\nb");
  EXPECT_EQ(WrapText("", 4), "");
  EXPECT_EQ(WrapText("as it\n  was laid out", 14), "as it\n  was laid out");
}

// The help of every command fits a terminal of 80 columns.
TEST(HelpTest, EveryCommandFitsEightyColumns) {
  CLI::App app("Rocforge", "rocforge");
  app.formatter(std::make_shared<HelpFormatter>());
  std::function<Status()> run;
  for (const Register add : Commands()) add(app, &run);
  ASSERT_GT(app.get_subcommands(nullptr).size(), 8u);
  for (CLI::App* command : app.get_subcommands(nullptr)) {
    std::istringstream lines(command->help());
    for (std::string line; std::getline(lines, line);) {
      EXPECT_LE(line.size(), 80u) << command->get_name() << ": " << line;
    }
  }
}

}  // namespace
}  // namespace rocforge::apps
