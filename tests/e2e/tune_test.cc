// `rocforge tune` and its file.
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "tests/e2e/process.h"
#include "tests/e2e/toy_file.h"

namespace rocforge::testing {
namespace {

using nlohmann::json;

TEST(TuneCommand, FindsKeepsShowsExportsImportsForgets) {
  const ToyFile toy;
  RunRocforge({"tune", "clear"});
  Finished f = RunRocforge({"tune", "show"});
  EXPECT_EQ(f.exit_code, 0);
  EXPECT_NE(f.err.find("nothing is tuned yet"), std::string::npos) << f.err;
  EXPECT_EQ(RunRocforge({"tune", "export", "-"}).exit_code, 1);
  f = RunRocforge({"tune", "-m", toy.path(), "--device", "sim32", "--ops", "attention", "--depths",
                   "64", "--ctx", "64", "--json"});
  EXPECT_EQ(f.exit_code, 2) << "tune has no --ctx";
  f = RunRocforge({"tune", "-m", toy.path(), "--device", "sim32", "--ops", "attention", "--depths",
                   "64", "--batch", "8", "--json"});
  ASSERT_EQ(f.exit_code, 0) << f.err;
  const json report = json::parse(f.out, nullptr, false);
  ASSERT_EQ(report["ops"].size(), 1u) << f.out;
  EXPECT_EQ(report["complete"], true);
  f = RunRocforge({"tune", "show"});
  EXPECT_NE(f.out.find("Attention"), std::string::npos) << f.out;
  const std::string file = toy.dir().File("export.json");
  ASSERT_EQ(RunRocforge({"tune", "export", file}).exit_code, 0);
  ASSERT_EQ(RunRocforge({"tune", "clear"}).exit_code, 0);
  EXPECT_EQ(RunRocforge({"tune", "show"}).out, "");
  ASSERT_EQ(RunRocforge({"tune", "import", file}).exit_code, 0);
  f = RunRocforge({"tune", "export", "-"});
  EXPECT_EQ(f.out, ReadFileOrFail(file));
  f = RunRocforge({"generate", "-m", toy.path(), "--raw", "-p", "a", "-n", "2", "--device", "sim32",
                   "--tuning", file});
  EXPECT_EQ(f.exit_code, 0) << f.err;
  RunRocforge({"tune", "clear"});
}

TEST(TuneCommand, Refusals) {
  const ToyFile toy;
  const std::string bad = toy.dir().File("bad.json");
  std::ofstream(bad) << "{\"rocforge_tuning\": 1";
  Finished f = RunRocforge({"tune", "import", bad});
  EXPECT_EQ(f.exit_code, 1);
  EXPECT_NE(f.err.find("cut off"), std::string::npos) << f.err;
  EXPECT_EQ(RunRocforge({"tune", "import", "/nowhere"}).exit_code, 1);
  f = RunRocforge({"generate", "-m", toy.path(), "--raw", "-p", "a", "-n", "1", "--tuning", bad});
  EXPECT_EQ(f.exit_code, 1) << "a file that was asked for must be right";
  EXPECT_EQ(RunRocforge({"tune", "-m", toy.path(), "--ops", "norm"}).exit_code, 2);
  EXPECT_EQ(RunRocforge({"tune", "-m", toy.path(), "--rows", "0"}).exit_code, 2);
}

TEST(TuneCommand, CtrlCLeavesAValidPartialCache) {
  const ToyFile toy;
  RunRocforge({"tune", "clear"});
  // So many shapes that it cannot be done before the signal.
  PipedProcess process({"tune", "-m", toy.path(), "--device", "sim64", "--rows",
                        "16,12,8,4,3,2,1,32,64,128", "--budget", "100", "--json"});
  std::this_thread::sleep_for(std::chrono::milliseconds(2000));
  process.Signal(SIGINT);
  const Finished f = process.Wait();
  EXPECT_EQ(f.exit_code, 130) << f.err;
  EXPECT_NE(f.err.find("are kept"), std::string::npos) << f.err;
  const json report = json::parse(f.out, nullptr, false);
  ASSERT_TRUE(report.is_object()) << f.out;
  EXPECT_EQ(report["complete"], false);
  EXPECT_EQ(RunRocforge({"tune", "show"}).exit_code, 0);
  RunRocforge({"tune", "clear"});
}

TEST(ProfileRocm, CommandsAndImport) {
  Finished f = RunRocforge({"profile", "commands", "--card", "gfx1201", "--", "prog", "two words"});
  EXPECT_EQ(f.exit_code, 0) << f.err;
  EXPECT_NE(f.out.find("-- prog 'two words'"), std::string::npos) << f.out;
  EXPECT_EQ(RunRocforge({"profile", "commands", "--card", "voodoo"}).exit_code, 2);
  EXPECT_EQ(RunRocforge({"profile", "commands", "--tool", "nsys", "--card", "rdna2"}).exit_code, 2);
  const std::string samples = SourcePath("tests/prof/samples/");
  const std::string trace = samples + "kernel_trace.csv";
  const std::string counters = samples + "counter_collection.csv";
  f = RunRocforge({"profile", "--import", trace, counters, "--json"});
  ASSERT_EQ(f.exit_code, 0) << f.err;
  const json all = json::parse(f.out, nullptr, false);
  ASSERT_TRUE(all.is_object()) << f.out;
  EXPECT_EQ(all["kernels"][0]["op"], "MatMul");
  // 8193 KiB in each of two calls, 8 us together.
  EXPECT_EQ(all["kernels"][0]["bytes_read"], 2 * 8193 * 1024);
  EXPECT_NEAR(all["kernels"][0]["seconds"].get<double>(), 8e-6, 1e-12);
  // The columns of `rocforge profile`; shares of the ceiling where a device is named.
  f = RunRocforge({"profile", "--import", trace, counters});
  ASSERT_EQ(f.exit_code, 0) << f.err;
  for (const char* word : {"% memory", "share", "16.0 MiB  2097.4         -", "  gap", "  total"})
    EXPECT_NE(f.out.find(word), std::string::npos) << word << "\n" << f.out;
  f = RunRocforge({"profile", "--import", trace, counters, "--device", "sim32"});
  EXPECT_EQ(f.exit_code, 0) << f.err;
  EXPECT_NE(f.out.find("ceilings: "), std::string::npos) << f.out;
  EXPECT_EQ(f.out.find("16.0 MiB  2097.4         -"), std::string::npos) << f.out;
  EXPECT_EQ(RunRocforge({"profile", "--import", "/nowhere"}).exit_code, 1);
  EXPECT_EQ(RunRocforge({"profile", "--import", samples + "README.md"}).exit_code, 1);
  EXPECT_EQ(RunRocforge({"profile", "--import"}).exit_code, 2);
  EXPECT_EQ(RunRocforge({"profile", "--import", trace, "-m", "x"}).exit_code, 2);
  EXPECT_EQ(RunRocforge({"profile", "--import", trace, "--html", "x"}).exit_code, 2);
  EXPECT_EQ(RunRocforge({"profile", "--import", trace, "--device", "cpu"}).exit_code, 2);
}

}  // namespace
}  // namespace rocforge::testing
