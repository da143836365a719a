// `rocforge quantize` as a user meets it: killed half-way, at a narrow terminal, and back to
// floats.
#include <signal.h>

#include <chrono>
#include <filesystem>
#include <sstream>
#include <thread>

#include "tests/e2e/process.h"
#include "tests/e2e/toy_file.h"
#include "tests/testing.h"

namespace rocforge::testing {
namespace {

// Large enough that it can be killed while it is at work.
class QuantizeCommandTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ToyModelOptions options;
    options.n_layers = 8;
    options.d_model = 256;
    options.n_heads = 4;
    options.d_ff = 1024;
    ASSERT_OK(WriteToyModel(in_, options));
  }
  std::vector<std::string> Args(const std::string& out, const std::string& type) {
    return {"quantize", in_, out, type, "--threads", "1"};
  }

  TempDir dir_;
  std::string in_ = dir_.File("in.gguf");
};

TEST_F(QuantizeCommandTest, KilledInTheMiddleLeavesNothingHalfWrittenAndContinues) {
  const std::string whole = dir_.File("whole.gguf");
  const std::string out = dir_.File("out.gguf");
  const std::string partial = out + ".partial";
  const Finished direct = RunRocforge(Args(whole, "Q4_K_M"));
  ASSERT_EQ(direct.exit_code, 0) << direct.err;
  const auto size = std::filesystem::file_size(whole);
  {
    PipedProcess process(Args(out, "Q4_K_M"));
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    std::error_code error;
    while (std::chrono::steady_clock::now() < limit) {
      const auto written = std::filesystem::file_size(partial, error);
      if (!error && written > size / 4) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    process.Signal(SIGKILL);
    process.WaitUnread();
  }
  EXPECT_FALSE(std::filesystem::exists(out));
  ASSERT_TRUE(std::filesystem::exists(partial)) << "it was to be killed before its end";
  const Finished again = RunRocforge(Args(out, "Q4_K_M"));
  ASSERT_EQ(again.exit_code, 0) << again.err;
  EXPECT_NE(again.err.find("continuing after"), std::string::npos) << again.err;
  EXPECT_FALSE(std::filesystem::exists(partial));
  EXPECT_EQ(ReadFileOrFail(out), ReadFileOrFail(whole));
}

TEST_F(QuantizeCommandTest, FitsANarrowTerminal) {
  TerminalProcess terminal(Args(dir_.File("out.gguf"), "Q3_K_M"));
  EXPECT_TRUE(terminal.Expect("bits per weight"));
  EXPECT_EQ(terminal.Wait(), 0);
  // What stays on the screen: of each line the part after the last carriage return.
  std::istringstream lines(terminal.written());
  for (std::string line; std::getline(lines, line);) {
    if (line.ends_with('\r')) line.pop_back();
    if (line.find('\r') != std::string::npos || line.find('\x1b') != std::string::npos) continue;
    if (line.find(dir_.path()) != std::string::npos) continue;  // the path may be of any length
    EXPECT_LE(line.size(), 80u) << line;
  }
}

TEST_F(QuantizeCommandTest, QuantisedWeightsBecomeFloatsWithoutAFlag) {
  const std::string small = dir_.File("small.gguf");
  ASSERT_EQ(RunRocforge(Args(small, "Q8_0")).exit_code, 0);
  in_ = small;
  const Finished twice = RunRocforge(Args(dir_.File("smaller.gguf"), "Q4_0"));
  EXPECT_EQ(twice.exit_code, 1);
  EXPECT_NE(twice.err.find("--allow-requantize"), std::string::npos) << twice.err;
  const Finished floats = RunRocforge(Args(dir_.File("floats.gguf"), "F32"));
  EXPECT_EQ(floats.exit_code, 0) << floats.err;
}

}  // namespace
}  // namespace rocforge::testing
