// `rocforge profile` and `rocforge devices --measure` as a user meets them.
#include <chrono>
#include <csignal>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "tests/e2e/process.h"
#include "tests/e2e/toy_file.h"
#include "tests/testing.h"

namespace rocforge::testing {
namespace {

using nlohmann::json;

json Parse(const std::string& text) { return json::parse(text, nullptr, false); }

const json& Phase(const json& profile, const std::string& name) {
  for (const json& phase : profile["phases"]) {
    if (phase["name"] == name) return phase;
  }
  static const json none;
  return none;
}

double Sum(const json& list) {
  double sum = 0;
  for (const json& one : list) sum += one["seconds"].get<double>();
  return sum;
}

// What the Trace Event Format asks of each event; the number of ops.
int CheckTrace(const json& events, bool gpu) {
  std::set<std::string> kinds, counters;
  std::map<int, double> end_of_thread;
  int ops = 0;
  for (const json& e : events) {
    const std::string kind = e["ph"];
    kinds.insert(kind);
    EXPECT_TRUE(e["name"].is_string() && e["pid"].is_number_integer()) << e.dump();
    if (kind == "M") continue;
    EXPECT_GE(e["ts"].get<double>(), 0) << e.dump();
    if (kind == "C") {
      counters.insert(e["name"]);
      EXPECT_FALSE(e["args"].empty()) << e.dump();
      for (const json& value : e["args"]) EXPECT_TRUE(value.is_number()) << e.dump();
      continue;
    }
    // Complete events: nothing to balance. Those of a thread follow each other, but for the
    // request, whose parts lie in it.
    EXPECT_TRUE(e["tid"].is_number_integer()) << e.dump();
    EXPECT_GE(e["dur"].get<double>(), 0) << e.dump();
    const int thread = e["tid"];
    ops += thread == 2 ? 1 : 0;
    if (thread == 3) continue;
    EXPECT_GE(e["ts"].get<double>(), end_of_thread[thread] - 0.21) << e.dump();  // rounded
    end_of_thread[thread] = e["ts"].get<double>() + e["dur"].get<double>();
  }
  EXPECT_EQ(kinds, (std::set<std::string>{"C", "M", "X"}));
  EXPECT_TRUE(counters.contains("KV cache") && counters.contains("tokens per second"));
  EXPECT_TRUE(counters.contains(gpu ? "memory of the GPU" : "memory of the engine"));
  return ops;
}

TEST(MeasureTest, TheSimulatorAndTheCpuHaveCeilings) {
  for (const char* device : {"sim32", "cpu"}) {
    const Finished f = RunRocforge({"devices", "--measure", "--device", device, "--json"});
    ASSERT_EQ(f.exit_code, 0) << f.err;
    const json all = Parse(f.out);
    ASSERT_TRUE(all.is_object()) << f.out;
    ASSERT_EQ(all["ceilings"].size(), 1u);
    const json& c = all["ceilings"][0];
    EXPECT_EQ(c["name"], device);
    for (const char* figure : {"read_bytes_per_s", "write_bytes_per_s", "copy_bytes_per_s",
                               "launch_ns", "int8_ops_per_s", "float_ops_per_s"})
      EXPECT_GT(c[figure].get<double>(), 0) << figure;
    EXPECT_EQ(c["graph_node_ns"].is_null(), std::string(device) == "cpu");
  }
  const Finished table = RunRocforge({"devices", "--measure", "--device", "sim64"});
  EXPECT_EQ(table.exit_code, 0);
  EXPECT_NE(table.out.find("memory read"), std::string::npos) << table.out;
  EXPECT_NE(table.out.find("node of a captured graph"), std::string::npos);
}

TEST(MeasureTest, CtrlCEndsItAndKeepsWhatWasMeasured) {
  PipedProcess process({"devices", "--measure", "--device", "cpu"});
  std::this_thread::sleep_for(std::chrono::milliseconds(300));  // of about two seconds
  process.Signal(SIGINT);
  const Finished f = process.Wait();
  EXPECT_EQ(f.exit_code, 130) << f.err;
  EXPECT_NE(f.err.find("is kept"), std::string::npos) << f.err;
  EXPECT_EQ(f.out, "");
}

TEST(MeasureTest, RefusesWhatIsNoDevice) {
  EXPECT_EQ(RunRocforge({"devices", "--measure", "--device", "quantum"}).exit_code, 2);
  EXPECT_EQ(RunRocforge({"devices", "--device", "cpu"}).exit_code, 2) << "without --measure";
  EXPECT_EQ(RunRocforge({"devices", "--measure", "--threads", "0"}).exit_code, 2);
  EXPECT_EQ(RunRocforge({"devices", "--measure", "--device", "gpu:4711"}).exit_code, 1);
}

TEST(ProfileTest, RowsAddUpAndFilesAreWhole) {
  const ToyFile toy;
  const std::string trace = toy.dir().File("t.json");
  const std::string html = toy.dir().File("p.html");
  for (const char* device : {"cpu", "sim32"}) {
    const Finished f =
        RunRocforge({"profile", "-m", toy.path(), "--device", device, "-p", "20", "-n", "6",
                     "--threads", "1", "--json", "--trace", trace, "--html", html});
    ASSERT_EQ(f.exit_code, 0) << f.err;
    const json p = Parse(f.out);
    ASSERT_TRUE(p.is_object()) << f.out;
    EXPECT_FALSE(p["interrupted"].get<bool>());
    EXPECT_EQ(p["generated_tokens"], 6);
    const double run = p["run_seconds"];
    EXPECT_NEAR(Sum(p["phases"]), run, 1e-6 * run);
    EXPECT_GT(p["phases_cover"].get<double>(), 0.5);
    EXPECT_LT(p["phases_cover"].get<double>(), 1.0001);
    EXPECT_EQ(Phase(p, "prefill")["tokens"], 20);
    EXPECT_EQ(Phase(p, "decode")["calls"], 5);
    double rows = 0;
    std::set<std::string> ops;
    for (const json& row : p["rows"]) {
      rows += row["seconds"].get<double>();
      if (row.contains("op")) {
        ops.insert(row["op"]);
        EXPECT_GT(row["calls"].get<int>(), 0);
        EXPECT_GT(row["bytes_read"].get<double>(), 0);
      }
    }
    EXPECT_NEAR(
        rows,
        Phase(p, "prefill")["seconds"].get<double>() + Phase(p, "decode")["seconds"].get<double>(),
        1e-6 * run);
    EXPECT_TRUE(ops.contains("matmul") && ops.contains("attention")) << f.out;
    EXPECT_EQ(p["worst"].size(), 3u);
    EXPECT_NEAR(Sum(p["load"]), p["load_seconds"].get<double>(), 1e-3);
    const bool gpu = std::string(device) != "cpu";
    EXPECT_EQ(p["timing"], gpu ? "stamps" : "clock");
    for (const char* part : {"weight_bytes", "kv_bytes", "kv_used_bytes", "activation_bytes",
                             "scratch_bytes", "most_resident_bytes"})
      EXPECT_GT(p["memory"][part].get<int64_t>(), 0) << part;
    const json& counters = Phase(p, "decode")["counters"];
    EXPECT_EQ(counters["allocations"], 0);
    EXPECT_EQ(counters["graph_launches"].get<int>() > 0, gpu) << "the captured graph was left";
    EXPECT_EQ(counters["synchronisations"], gpu ? 5 : 0);
    EXPECT_EQ(counters["bytes_to_host"].get<int>() > 0, gpu);

    const json events = Parse(ReadFileOrFail(trace));
    ASSERT_TRUE(events.is_object());
    const int op_events = CheckTrace(events["traceEvents"], gpu);
    EXPECT_GE(op_events, 6 * 10);
    const std::string page = ReadFileOrFail(html);
    EXPECT_NE(page.find("</html>"), std::string::npos);
    EXPECT_EQ(page.find("http"), std::string::npos) << "loads something from elsewhere";
  }
}

TEST(ProfileTest, TextNamesWhatLimits) {
  const ToyFile toy;
  const Finished f = RunRocforge(
      {"profile", "-m", toy.path(), "--device", "cpu", "-p", "8", "-n", "3", "--threads", "1"});
  ASSERT_EQ(f.exit_code, 0) << f.err;
  for (const char* word : {"load", "tokenise", "prefill", "decode", "gap", "attention", "limit",
                           "what holds it back most", "  1. "})
    EXPECT_NE(f.out.find(word), std::string::npos) << word << "\n" << f.out;
  const Finished events = RunRocforge({"profile", "-m", toy.path(), "--device", "sim32", "-p", "4",
                                       "-n", "2", "--timing", "events", "--json"});
  ASSERT_EQ(events.exit_code, 0) << events.err;
  EXPECT_EQ(Parse(events.out)["timing"], "events");
}

TEST(ProfileTest, RefusesBadArguments) {
  const ToyFile toy;
  const auto code = [&](std::vector<std::string> more) {
    std::vector<std::string> args = {"profile", "-m", toy.path(), "--device", "cpu"};
    args.insert(args.end(), more.begin(), more.end());
    return RunRocforge(args).exit_code;
  };
  EXPECT_EQ(code({"-p", "0"}), 2);
  EXPECT_EQ(code({"-n", "x"}), 2);
  EXPECT_EQ(code({"--timing", "guess"}), 2);
  EXPECT_EQ(code({"--trace", "/proc/rocforge-cannot/t"}), 2);
  EXPECT_EQ(code({"-p", "100", "-n", "20", "--ctx", "64"}), 2);
  EXPECT_EQ(RunRocforge({"profile", "-m", toy.dir().File("none.gguf")}).exit_code, 1);
}

TEST(ProfileTest, CtrlCLeavesAValidPartialResult) {
  const ToyFile toy;
  // Measured before, so that the signal comes while the model runs.
  ASSERT_EQ(RunRocforge({"profile", "-m", toy.path(), "--device", "cpu", "-p", "2", "-n", "1",
                         "--threads", "1"})
                .exit_code,
            0);
  const std::string trace = toy.dir().File("t.json");
  const std::string html = toy.dir().File("p.html");
  PipedProcess process({"profile", "-m", toy.path(), "--device", "cpu", "-p", "2", "-n", "200000",
                        "--ctx", "1000000", "--threads", "1", "--json", "--trace", trace, "--html",
                        html});
  sleep(1);
  process.Signal(SIGINT);
  const Finished f = process.Wait();
  EXPECT_EQ(f.exit_code, 130) << f.err;
  const json p = Parse(f.out);
  ASSERT_TRUE(p.is_object()) << f.out << f.err;
  EXPECT_TRUE(p["interrupted"].get<bool>());
  EXPECT_GT(Phase(p, "decode")["calls"].get<int>(), 0);
  EXPECT_LT(p["generated_tokens"].get<int>(), 200000);
  EXPECT_TRUE(Parse(ReadFileOrFail(trace)).is_object());
  EXPECT_NE(ReadFileOrFail(html).find("</html>"), std::string::npos);
  PipedProcess simulated({"profile", "-m", toy.path(), "--device", "sim32", "-p", "2", "-n", "5000",
                          "--ctx", "8192", "--json", "--html", html});
  sleep(1);
  simulated.Signal(SIGINT);
  const Finished s = simulated.Wait();
  EXPECT_EQ(s.exit_code, 130) << s.err;
  EXPECT_TRUE(Parse(s.out).is_object() && Parse(s.out)["interrupted"] == true) << s.out << s.err;
}

}  // namespace
}  // namespace rocforge::testing
