#include "apps/bench/against.h"

#include <string>
#include <vector>

#include "apps/bench/options.h"
#include "tests/testing.h"

namespace rocforge::apps {
namespace {

using Words = std::vector<std::string>;

TEST(ChildArguments, LeavesOutWhatOnlyTheComparisonWants) {
  const Words own = {"bench",    "matmul", "--against=old", "--rounds", "3",
                     "--gate",   "7",      "--types",       "Q4_K",     "--json",
                     "--filter", "b1",     "--threshold",   "5",        "--full"};
  EXPECT_EQ(ChildArguments(own), (Words{"bench", "matmul", "--types", "Q4_K", "--filter", "b1",
                                        "--full", "--json", "--min-time", "0.05"}));
}

TEST(ChildArguments, KeepsAMinTimeThatWasGiven) {
  EXPECT_EQ(ChildArguments({"bench", "dequant", "--min-time", "1", "--against", "old"}),
            (Words{"bench", "dequant", "--min-time", "1", "--json"}));
  EXPECT_EQ(ChildArguments({"bench", "dequant", "--min-time=1"}),
            (Words{"bench", "dequant", "--min-time=1", "--json"}));
}

TEST(Selected, WantsEveryWordWhateverItsCase) {
  BenchOptions options;
  EXPECT_TRUE(Selected(options, "cpu Q4_K 4096x4096 b1"));
  options.filter = " q4_k  B1 ";
  EXPECT_TRUE(Selected(options, "cpu Q4_K 4096x4096 b1"));
  EXPECT_FALSE(Selected(options, "cpu Q6_K 4096x4096 b1"));
}

}  // namespace
}  // namespace rocforge::apps
