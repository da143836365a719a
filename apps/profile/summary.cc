#include "apps/profile/summary.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>

namespace rocforge::apps {
namespace {

// A ceiling that explains less of the time than this does not limit the op.
constexpr double kExplains = 0.5;

void Add(op::Cost& sum, const op::Cost& cost) {
  sum.bytes_read += cost.bytes_read;
  sum.bytes_written += cost.bytes_written;
  sum.ops += cost.ops;
}

void Add(exec::StepCounters& sum, const exec::StepCounters& c) {
  sum.launches += c.launches;
  sum.graph_launches += c.graph_launches;
  sum.graph_kernels += c.graph_kernels;
  sum.captures += c.captures;
  sum.synchronisations += c.synchronisations;
  sum.allocations += c.allocations;
  sum.bytes_to_device += c.bytes_to_device;
  sum.bytes_to_host += c.bytes_to_host;
}

double Seconds(int64_t ns) { return static_cast<double>(ns) * 1e-9; }

// What the ceilings say of the row.
void Judge(const Profile& profile, bool graph, ProfileRow* row) {
  const prof::Ceilings& c = profile.ceilings;
  const auto over = [](double amount, double rate) { return rate > 0 ? amount / rate : 0; };
  const double write_rate = c.write_bytes_per_s > 0 ? c.write_bytes_per_s : c.read_bytes_per_s;
  row->memory_s =
      over(row->cost.bytes_read, c.read_bytes_per_s) + over(row->cost.bytes_written, write_rate);
  row->compute_s = over(row->cost.ops, c.float_ops_per_s);
  const double launch_ns = graph && c.graph_node_ns > 0 ? c.graph_node_ns : c.launch_ns;
  row->launch_s = static_cast<double>(row->launches) * launch_ns * 1e-9;
  const double most = std::max({row->memory_s, row->compute_s, row->launch_s});
  if (most < kExplains * row->seconds) {
    row->limit = Limit::kLatency;
  } else if (most == row->launch_s) {
    row->limit = Limit::kLaunch;
  } else {
    row->limit = most == row->memory_s ? Limit::kMemory : Limit::kCompute;
  }
}

ProfileRow Other(const char* phase, const char* name, int64_t calls, double seconds) {
  ProfileRow row;
  row.phase = phase;
  row.kind.name = name;
  row.calls = calls;
  row.seconds = seconds;
  return row;
}

// Rows of all steps of a phase: its ops, then what else the steps spent time on. They add up to
// the steps' wall time.
std::vector<ProfileRow> RowsOf(const Profile& profile, bool prefill) {
  const char* phase = prefill ? "prefill" : "decode";
  std::map<size_t, ProfileRow> by_kind;
  int64_t calls = 0;
  double upload = 0, choose = 0, download = 0, stamps = 0, host = 0, covered = 0, wall = 0;
  double to_device = 0, to_host = 0;
  bool graph = false;
  for (const StepRecord& step : profile.steps) {
    if (step.prefill != prefill) continue;
    ++calls;
    to_device += static_cast<double>(step.counters.bytes_to_device);
    to_host += static_cast<double>(step.counters.bytes_to_host);
    graph = graph || step.times.graph;
    double ops = 0;
    for (const exec::OpTime& op : step.times.ops) {
      const size_t kind = profile.kind_of_node[op.node];
      ProfileRow& row = by_kind[kind];
      row.phase = phase;
      row.kind = profile.kinds[kind];
      row.calls += 1;
      row.launches += op.launches;
      row.seconds += Seconds(op.time_ns);
      ops += Seconds(op.time_ns);
      Add(row.cost, op.cost);
    }
    upload += Seconds(step.times.upload_ns);
    choose += Seconds(step.times.choose_ns);
    download += Seconds(step.times.download_ns);
    stamps += std::max(0.0, Seconds(step.times.ops_ns) - ops);
    host += std::max(0.0, Seconds(step.times.host_ns()));
    wall += step.seconds;
  }
  std::vector<ProfileRow> rows;
  for (auto& [kind, row] : by_kind) {
    Judge(profile, graph, &row);
    covered += row.seconds;
    rows.push_back(std::move(row));
  }
  std::stable_sort(rows.begin(), rows.end(),
                   [](const ProfileRow& a, const ProfileRow& b) { return a.seconds > b.seconds; });
  const auto add = [&](const char* name, double seconds, double bytes = 0) {
    covered += seconds;
    if (!(seconds > 0)) return;
    rows.push_back(Other(phase, name, calls, seconds));
    rows.back().cost.bytes_read = bytes;
  };
  add("upload and launch", upload, to_device);
  add("choose among logits", choose);
  add("download", download, to_host);
  add(profile.on_gpu ? "stamps of the profiler" : "clock of the profiler", stamps);
  add(profile.on_gpu ? "driver and host" : "host", host);
  if (calls > 0) rows.push_back(Other(phase, "gap", calls, wall - covered));
  return rows;
}

PhaseSummary StepsOf(const Profile& profile, bool prefill) {
  PhaseSummary phase;
  phase.name = prefill ? "prefill" : "decode";
  for (const StepRecord& step : profile.steps) {
    if (step.prefill != prefill) continue;
    phase.calls += 1;
    phase.tokens += step.tokens;
    phase.seconds += step.seconds;
    for (const exec::OpTime& op : step.times.ops) Add(phase.cost, op.cost);
    Add(phase.counters, step.counters);
  }
  if (!profile.on_gpu) {
    for (const StepRecord& step : profile.steps) {
      if (step.prefill != prefill) continue;
      for (const exec::OpTime& op : step.times.ops) phase.counters.launches += op.launches;
    }
  }
  return phase;
}

PhaseSummary SpansOf(const Profile& profile, const char* name) {
  PhaseSummary phase;
  phase.name = name;
  for (const HostSpan& span : profile.spans) {
    if (span.name != name) continue;
    phase.calls += 1;
    phase.seconds += span.seconds;
  }
  return phase;
}

}  // namespace

const char* LimitName(Limit limit) {
  switch (limit) {
    case Limit::kMemory:
      return "memory";
    case Limit::kCompute:
      return "compute";
    case Limit::kLaunch:
      return "launch";
    case Limit::kLatency:
      return "latency";
  }
  return "";
}

Summary Summarise(const Profile& profile) {
  Summary s;
  s.phases.push_back(SpansOf(profile, "tokenise"));
  s.phases.back().tokens = s.phases.back().calls > 0 ? profile.prompt_tokens : 0;
  s.phases.push_back(StepsOf(profile, true));
  s.phases.push_back(StepsOf(profile, false));
  s.phases.push_back(SpansOf(profile, "sample"));
  s.phases.push_back(SpansOf(profile, "detokenise"));
  double sum = 0;
  for (const PhaseSummary& phase : s.phases) sum += phase.seconds;
  PhaseSummary gap;
  gap.name = "gap";
  gap.calls = 1;
  gap.seconds = profile.run_seconds - sum;
  s.phases.push_back(std::move(gap));
  s.covered = profile.run_seconds > 0 ? sum / profile.run_seconds : 0;

  double steps = 0;
  double gaps = 0;
  for (const bool prefill : {true, false}) {
    for (ProfileRow& row : RowsOf(profile, prefill)) {
      if (row.kind.name == "gap" && !row.is_op()) gaps += row.seconds;
      steps += row.seconds;
      s.rows.push_back(std::move(row));
    }
  }
  s.ops_covered = steps > 0 ? 1 - std::abs(gaps) / steps : 0;
  for (size_t i = 0; i < s.rows.size(); ++i) {
    if (s.rows[i].is_op()) s.worst.push_back(i);
  }
  std::stable_sort(s.worst.begin(), s.worst.end(),
                   [&](size_t a, size_t b) { return s.rows[a].lost_s() > s.rows[b].lost_s(); });
  if (s.worst.size() > 3) s.worst.resize(3);
  double fastest = 0;
  for (const StepRecord& step : profile.steps) {
    if (!step.prefill && (fastest == 0 || step.seconds < fastest)) fastest = step.seconds;
  }
  if (profile.plain_step_seconds > 0 && fastest > 0 && !profile.interrupted)
    s.overhead = fastest / profile.plain_step_seconds - 1;
  return s;
}

}  // namespace rocforge::apps
