// What `rocforge profile` says of given times: limits, sums, names from hostile files.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "apps/profile/html.h"
#include "apps/profile/summary.h"
#include "apps/profile/trace.h"

namespace rocforge::apps {
namespace {

using nlohmann::json;

// A machine of 100 GB/s, 1 TFLOP/s and 10 us (graph: 1 us) a launch.
Profile Machine(bool on_gpu) {
  Profile p;
  p.model = "model </script><b>\xff";
  p.device = "device";
  p.on_gpu = on_gpu;
  p.ceilings.key = {"device", "driver"};
  p.ceilings.read_bytes_per_s = p.ceilings.write_bytes_per_s = 100e9;
  p.ceilings.float_ops_per_s = 1e12;
  p.ceilings.launch_ns = 10000;
  p.ceilings.graph_node_ns = on_gpu ? 1000 : 0;
  p.kinds = {{"ffn_up", "matmul", "8 x 8", "Q4_K"}, {"<norm>", "norm", "8", "F32"}};
  p.kind_of_node = {0, 1, 0};
  return p;
}

// One decode step of three ops in which everything is accounted for but `gap_ns`.
StepRecord Step(const std::vector<exec::OpTime>& ops, int64_t gap_ns) {
  StepRecord step;
  step.tokens = 1;
  step.times.ops = ops;
  for (const exec::OpTime& op : ops) step.times.ops_ns += op.time_ns;
  step.times.wall_ns = step.times.ops_ns;
  step.seconds = static_cast<double>(step.times.wall_ns + gap_ns) * 1e-9;
  return step;
}

exec::OpTime Op(size_t node, int64_t begin_ns, int64_t time_ns, double bytes, double ops,
                int64_t launches) {
  return {node, begin_ns, time_ns, {bytes, 0, ops}, launches};
}

const ProfileRow& RowOf(const Summary& s, const std::string& name) {
  for (const ProfileRow& row : s.rows) {
    if (row.kind.name == name) return row;
  }
  ADD_FAILURE() << name;
  return s.rows.front();
}

TEST(ProfileSummaryTest, EachLimitIsNamed) {
  struct Case {
    double bytes, ops;
    int64_t launches;
    Limit limit;
  };
  // An op of 20 us.
  for (const Case& c : {Case{1.9e6, 1e6, 1, Limit::kMemory}, Case{1e3, 1.8e7, 1, Limit::kCompute},
                        Case{1e3, 1e3, 2, Limit::kLaunch}, Case{1e3, 1e3, 0, Limit::kLatency}}) {
    Profile p = Machine(false);
    p.steps = {Step({Op(0, 0, 20000, c.bytes, c.ops, c.launches)}, 0)};
    const Summary s = Summarise(p);
    const ProfileRow& row = RowOf(s, "ffn_up");
    EXPECT_EQ(row.limit, c.limit) << LimitName(c.limit);
    EXPECT_EQ(LimitText(row, p).find(LimitName(c.limit)), 0u) << LimitText(row, p);
  }
  // The same launches are cheap in a captured graph.
  Profile p = Machine(true);
  p.steps = {Step({Op(0, 0, 20000, 1e3, 1e3, 2)}, 0)};
  p.steps[0].times.graph = true;
  EXPECT_EQ(RowOf(Summarise(p), "ffn_up").limit, Limit::kLatency);
}

TEST(ProfileSummaryTest, RowsAndPhasesAddUpAndTheRestIsGap) {
  Profile p = Machine(true);
  StepRecord step = Step(
      {Op(0, 0, 5000, 1e5, 1e5, 1), Op(1, 5000, 1000, 10, 10, 1), Op(2, 6000, 3000, 1e5, 1e5, 1)},
      500);
  step.times.upload_ns = 700;
  step.times.choose_ns = 300;
  step.times.download_ns = 200;
  step.times.ops_ns += 60;  // stamps
  step.times.wall_ns += 60 + 1200 + 440;
  step.seconds = static_cast<double>(step.times.wall_ns + 500) * 1e-9;
  p.steps = {step};
  p.spans = {{"tokenise", 0, 1e-6}, {"decode", 2e-6, step.seconds}};
  p.run_seconds = step.seconds + 3e-6;
  const Summary s = Summarise(p);
  EXPECT_EQ(RowOf(s, "ffn_up").calls, 2);
  EXPECT_NEAR(RowOf(s, "ffn_up").seconds, 8e-6, 1e-12);
  EXPECT_NEAR(RowOf(s, "stamps of the profiler").seconds, 60e-9, 1e-12);
  EXPECT_NEAR(RowOf(s, "driver and host").seconds, 440e-9, 1e-12);
  EXPECT_NEAR(RowOf(s, "gap").seconds, 500e-9, 1e-12);
  double rows = 0;
  for (const ProfileRow& row : s.rows) rows += row.seconds;
  EXPECT_NEAR(rows, step.seconds, 1e-12);
  double phases = 0;
  for (const PhaseSummary& phase : s.phases) phases += phase.seconds;
  EXPECT_NEAR(phases, p.run_seconds, 1e-12);
  EXPECT_EQ(s.phases.back().name, "gap");
  EXPECT_NEAR(s.phases.back().seconds, 2e-6, 1e-12);
  // ffn_up could take 2 us at best, the norm next to nothing: most is to be won at the first.
  ASSERT_EQ(s.worst.size(), 2u);
  EXPECT_EQ(s.rows[s.worst[0]].kind.name, "ffn_up");
}

TEST(ProfileSummaryTest, AProfileOfNothingIsStillAReport) {
  Profile p = Machine(false);
  p.interrupted = true;
  const Summary s = Summarise(p);
  EXPECT_TRUE(s.worst.empty());
  EXPECT_NE(ToText(p, s, false).find("interrupted"), std::string::npos);
  EXPECT_TRUE(ToJson(p, s).is_object());
  EXPECT_TRUE(json::parse(ToTrace(p), nullptr, false).is_object());
  EXPECT_NE(ToHtml(p, s).find("</html>"), std::string::npos);
}

TEST(ProfileSummaryTest, NamesFromFilesCannotLeaveTheirPlace) {
  Profile p = Machine(false);
  p.steps = {Step({Op(1, 0, 20000, 1e3, 1e3, 1)}, 0)};
  p.spans = {{"decode", 0, 20e-6}};
  p.run_seconds = 20e-6;
  const Summary s = Summarise(p);
  const std::string page = ToHtml(p, s);
  EXPECT_EQ(page.find("</script><b>"), std::string::npos);
  EXPECT_EQ(page.find("<norm>"), std::string::npos);
  const json trace = json::parse(ToTrace(p), nullptr, false);
  ASSERT_TRUE(trace.is_object());
  bool found = false;
  for (const json& e : trace["traceEvents"]) {
    found = found || (e["ph"] == "X" && e["name"] == "<norm> F32" && e["dur"] == 20.0);
  }
  EXPECT_TRUE(found);
  EXPECT_EQ(ToText(p, s, true).find('\xff'), std::string::npos);
}

}  // namespace
}  // namespace rocforge::apps
