// The tables and the JSON of `rocforge profile`.
#include <algorithm>
#include <cmath>
#include <utility>

#include "apps/devices_measure.h"
#include "apps/profile/summary.h"
#include "apps/table.h"
#include "base/format.h"

namespace rocforge::apps {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kShownOps = 12;

std::string Ms(double seconds) {
  const double ms = seconds * 1e3;
  return Format("{:.{}f}", ms, std::fabs(ms) < 10 ? 3 : std::fabs(ms) < 100 ? 2 : 1);
}
std::string Percent(double share) { return Format("{:.1f} %", share * 100); }
std::string PercentOf(double part, double whole) {
  return whole > 0 ? Percent(part / whole) : std::string("-");
}
std::string Rate(double amount, double seconds, double unit) {
  if (!(amount > 0) || !(seconds > 0)) return "-";
  const double value = amount / seconds / unit;
  return Format("{:.{}f}", value, value < 10 ? 2 : value < 100 ? 1 : 0);
}
std::string Count(int64_t n) { return n > 0 ? Format("{}", n) : std::string("-"); }
std::string Bytes(double n) {
  return n > 0 ? FormatBytes(static_cast<uint64_t>(n)) : std::string("-");
}

constexpr Align L = Align::kLeft;
constexpr Align R = Align::kRight;

std::string LoadTable(const Profile& p) {
  Table table({L, R, R, R, R});
  table.AddRow({"load", "ms", "share", "bytes", "GB/s"});
  for (const LoadSpan& part : p.load) {
    const auto bytes = static_cast<double>(part.bytes);
    // Memory that is only reserved is not moved.
    const bool moved = part.name == "weights";
    table.AddRow({Format("  {}", part.name), Ms(part.seconds),
                  PercentOf(part.seconds, p.load_seconds), Bytes(bytes),
                  moved ? Rate(bytes, part.seconds, 1e9) : "-"});
  }
  table.AddRow({"  total", Ms(p.load_seconds), "", "", ""});
  return table.ToString();
}

int64_t MostResident(const Profile& p) {
  int64_t most = 0;
  for (const MemorySample& m : p.memory) most = std::max(most, m.resident_bytes);
  return most;
}
int64_t MostUsed(const Profile& p) {
  int64_t most = 0;
  for (const MemorySample& m : p.memory) most = std::max(most, m.device_used_bytes);
  return most;
}

std::string MemoryTable(const Profile& p) {
  Table table({L, R, R});
  table.AddRow({p.on_gpu ? "memory of the GPU" : "memory", "bytes", "share"});
  const auto total = static_cast<double>(p.held.total());
  const auto add = [&](const char* name, int64_t bytes, bool part = true) {
    const auto n = static_cast<double>(bytes);
    table.AddRow({Format("  {}", name), Bytes(n), part ? PercentOf(n, total) : ""});
  };
  add("weights", p.held.weights);
  add("KV cache", p.held.kv);
  add("activations", p.held.activations);
  add("kernel scratch", p.held.scratch);
  add("total", p.held.total(), false);
  if (!p.memory.empty()) add("KV cache used at the end", p.memory.back().kv_bytes, false);
  if (MostUsed(p) > 0) add("in use by all programs, at most", MostUsed(p), false);
  add(p.on_gpu ? "this process on the host, at most" : "resident in this process, at most",
      MostResident(p), false);
  return table.ToString();
}

std::string PhaseTable(const Profile& p, const Summary& s) {
  Table table({L, R, R, R, R, R, R, R, R, R, R, R});
  table.AddRow({"run", "calls", "ms", "share", "tok/s", "GB/s", "GFLOP/s",
                p.on_gpu ? "kernels" : "jobs", "graphs", "syncs", "allocs", "to/from GPU"});
  for (const PhaseSummary& phase : s.phases) {
    const exec::StepCounters& c = phase.counters;
    std::string moved = "-";
    if (c.bytes_to_device + c.bytes_to_host > 0) {
      moved = Format("{} / {}", FormatBytes(static_cast<uint64_t>(c.bytes_to_device)),
                     FormatBytes(static_cast<uint64_t>(c.bytes_to_host)));
    }
    table.AddRow({Format("  {}", phase.name), phase.name == "gap" ? "" : Count(phase.calls),
                  Ms(phase.seconds), PercentOf(phase.seconds, p.run_seconds),
                  Rate(static_cast<double>(phase.tokens), phase.seconds, 1),
                  Rate(phase.cost.bytes(), phase.seconds, 1e9),
                  Rate(phase.cost.ops, phase.seconds, 1e9), Count(c.launches + c.graph_kernels),
                  Count(c.graph_launches), Count(c.synchronisations), Count(c.allocations), moved});
  }
  table.AddRow({"  total", "", Ms(p.run_seconds), "", "", "", "", "", "", "", "", ""});
  return table.ToString();
}

std::string OpTable(const Profile& p, const Summary& s, const char* phase, bool all) {
  double total = 0;
  size_t n_ops = 0;
  for (const ProfileRow& row : s.rows) {
    if (row.phase != phase) continue;
    total += row.seconds;
    n_ops += row.is_op() ? 1 : 0;
  }
  if (!(total > 0)) return "";
  Table table({L, L, L, R, R, R, R, R, R, R, R, L});
  table.AddRow({phase, "type", "weights", "calls", "ms", "share", "bytes", "GB/s", "GFLOP/s",
                "% memory", "% compute", "limit"});
  size_t shown = 0;
  ProfileRow rest;
  for (const ProfileRow& row : s.rows) {
    if (row.phase != phase) continue;
    if (row.is_op() && !all && shown == kShownOps && n_ops > kShownOps + 1) {
      rest.calls += row.calls;
      rest.seconds += row.seconds;
      rest.cost.bytes_read += row.cost.bytes_read;
      rest.cost.bytes_written += row.cost.bytes_written;
      rest.cost.ops += row.cost.ops;
      continue;
    }
    if (!row.is_op() && rest.calls > 0) {
      table.AddRow({Format("  {} other ops", n_ops - kShownOps), "", "", Count(rest.calls),
                    Ms(rest.seconds), PercentOf(rest.seconds, total), Bytes(rest.cost.bytes()),
                    Rate(rest.cost.bytes(), rest.seconds, 1e9),
                    Rate(rest.cost.ops, rest.seconds, 1e9)});
      rest = {};
    }
    shown += row.is_op() ? 1 : 0;
    const bool op = row.is_op();
    table.AddRow({Format("  {}", row.kind.name), row.kind.types, row.kind.weights,
                  op ? Count(row.calls) : "", Ms(row.seconds), PercentOf(row.seconds, total),
                  Bytes(row.cost.bytes()), Rate(row.cost.bytes(), row.seconds, 1e9),
                  Rate(row.cost.ops, row.seconds, 1e9),
                  op ? PercentOf(row.memory_s, row.seconds) : "",
                  op ? PercentOf(row.compute_s, row.seconds) : "", op ? LimitName(row.limit) : ""});
  }
  table.AddRow({"  total", "", "", "", Ms(total)});
  static_cast<void>(p);
  return table.ToString();
}

nlohmann::ordered_json ToJson(const exec::StepCounters& c) {
  return {{"launches", c.launches},
          {"graph_launches", c.graph_launches},
          {"graph_kernels", c.graph_kernels},
          {"captures", c.captures},
          {"synchronisations", c.synchronisations},
          {"allocations", c.allocations},
          {"bytes_to_device", c.bytes_to_device},
          {"bytes_to_host", c.bytes_to_host}};
}

nlohmann::ordered_json ToJson(const ProfileRow& row) {
  nlohmann::ordered_json json = {{"phase", row.phase}, {"name", row.kind.name}};
  json["calls"] = row.calls;
  json["seconds"] = row.seconds;
  if (!row.is_op()) {
    if (row.cost.bytes() > 0) json["bytes"] = row.cost.bytes();
    return json;
  }
  json["op"] = row.kind.op;
  json["weights"] = row.kind.weights;
  json["types"] = row.kind.types;
  json["launches"] = row.launches;
  json["bytes_read"] = row.cost.bytes_read;
  json["bytes_written"] = row.cost.bytes_written;
  json["ops"] = row.cost.ops;
  json["memory_seconds"] = row.memory_s;
  json["compute_seconds"] = row.compute_s;
  json["launch_seconds"] = row.launch_s;
  json["limit"] = LimitName(row.limit);
  return json;
}

}  // namespace

std::string LimitText(const ProfileRow& row, const Profile& profile) {
  const double bytes_per_s = row.seconds > 0 ? row.cost.bytes() / row.seconds : 0;
  const double ops_per_s = row.seconds > 0 ? row.cost.ops / row.seconds : 0;
  const double share = row.seconds > 0 ? row.memory_s / row.seconds : 0;
  const std::string memory = Format("{} of memory traffic, {:.0f} % of what this machine reaches",
                                    RateText(bytes_per_s, "B"), share * 100);
  switch (row.limit) {
    case Limit::kMemory:
      return share > 1.0 ? "memory: " + memory + " (the caches help)" : "memory: " + memory;
    case Limit::kCompute:
      return Format("compute: {}, {:.0f} % of what this machine reaches",
                    RateText(ops_per_s, "FLOP"), 100 * row.compute_s / row.seconds);
    case Limit::kLaunch:
      return Format(
          "launch: {} a call, and a launch costs {}",
          NsText(row.seconds * 1e9 / static_cast<double>(row.calls)),
          NsText(row.launch_s * 1e9 / static_cast<double>(std::max<int64_t>(1, row.launches))));
    case Limit::kLatency:
      break;
  }
  return Format("latency: {}, {:.0f} % of the arithmetic, {} a call: neither explains the time",
                memory, row.seconds > 0 ? 100 * row.compute_s / row.seconds : 0,
                NsText(row.seconds * 1e9 / static_cast<double>(std::max<int64_t>(1, row.calls)))) +
         (profile.on_gpu ? "" : " (decoding of weights, or waiting for the other threads)");
}

std::string ToText(const Profile& p, const Summary& s, bool all) {
  std::string text = Format(
      "{}\n{}, KV cache {}\nceilings: {} read, {} write, {}\n\n", EscapeForTerminal(p.model),
      EscapeForTerminal(p.device), p.kv_type, RateText(p.ceilings.read_bytes_per_s, "B"),
      RateText(p.ceilings.write_bytes_per_s, "B"), RateText(p.ceilings.float_ops_per_s, "FLOP"));
  if (p.interrupted) text += "interrupted: what follows is what was measured until then\n\n";
  text += LoadTable(p) + "\n" + MemoryTable(p) + "\n" + PhaseTable(p, s);
  for (const char* phase : {"prefill", "decode"}) {
    const std::string table = OpTable(p, s, phase, all);
    if (!table.empty()) text += "\n" + table;
  }
  if (p.first_token_seconds > 0) {
    text += Format("\nfirst token after {} ms (tokenise, prefill and sample)\n",
                   Ms(p.first_token_seconds));
  }
  text += Format("phases explain {} of the run, rows {} of the steps; the rest is \"gap\"\n",
                 Percent(s.covered), Percent(s.ops_covered));
  if (p.plain_step_seconds > 0 && !p.interrupted) {
    text +=
        Format("the fastest decode step takes {} ms without timing its ops, {:+.1f} % with it\n",
               Ms(p.plain_step_seconds), s.overhead * 100);
  }
  if (!p.host_times.empty()) {
    text += "host:";
    for (const prof::KernelTime& time : p.host_times)
      text += Format(" {} {} ms ({})", time.name, Ms(time.seconds), time.calls) +
              (&time == &p.host_times.back() ? "\n" : ",");
  }
  if (!s.worst.empty()) text += "\nwhat holds it back most\n";
  for (size_t i = 0; i < s.worst.size(); ++i) {
    const ProfileRow& row = s.rows[s.worst[i]];
    text +=
        Format("  {}. {} {} ({}): {} ms, {} above the ceiling\n     {}\n", i + 1, row.phase,
               row.kind.name, row.kind.types, Ms(row.seconds), Ms(row.lost_s()), LimitText(row, p));
  }
  return text;
}

nlohmann::ordered_json ToJson(const Profile& p, const Summary& s) {
  Json json = {{"model", p.model},
               {"device", p.device},
               {"kv_type", p.kv_type},
               {"interrupted", p.interrupted},
               {"timing", p.events   ? "events"
                          : p.on_gpu ? "stamps"
                                     : "clock"},
               {"ceilings", ToJson(MeasuredDevice{p.on_gpu ? "gpu" : "cpu", {}, p.ceilings})},
               {"load_seconds", p.load_seconds},
               {"run_seconds", p.run_seconds},
               {"profiler_seconds", p.profiler_seconds},
               {"first_token_seconds", p.first_token_seconds},
               {"prompt_tokens", p.prompt_tokens},
               {"generated_tokens", p.generated_tokens},
               {"plain_prefill_seconds", p.plain_prefill_seconds},
               {"plain_step_seconds", p.plain_step_seconds},
               {"timing_overhead", s.overhead},
               {"phases_cover", s.covered},
               {"rows_cover", s.ops_covered}};
  json["load"] = Json::array();
  for (const LoadSpan& part : p.load)
    json["load"].push_back(
        Json{{"name", part.name}, {"seconds", part.seconds}, {"bytes", part.bytes}});
  json["memory"] = Json{{"weight_bytes", p.held.weights},
                        {"kv_bytes", p.held.kv},
                        {"kv_used_bytes", p.memory.empty() ? 0 : p.memory.back().kv_bytes},
                        {"activation_bytes", p.held.activations},
                        {"scratch_bytes", p.held.scratch},
                        {"most_resident_bytes", MostResident(p)}};
  if (MostUsed(p) > 0) json["memory"]["most_used_on_device_bytes"] = MostUsed(p);
  json["host"] = Json::array();
  for (const prof::KernelTime& time : p.host_times) {
    json["host"].push_back(
        Json{{"name", time.name}, {"calls", time.calls}, {"seconds", time.seconds}});
  }
  json["phases"] = Json::array();
  for (const PhaseSummary& phase : s.phases) {
    Json one = {{"name", phase.name},     {"calls", phase.calls},        {"seconds", phase.seconds},
                {"tokens", phase.tokens}, {"bytes", phase.cost.bytes()}, {"ops", phase.cost.ops}};
    one["counters"] = ToJson(phase.counters);
    json["phases"].push_back(std::move(one));
  }
  json["rows"] = Json::array();
  for (const ProfileRow& row : s.rows) json["rows"].push_back(ToJson(row));
  json["worst"] = Json::array();
  for (const size_t i : s.worst) {
    json["worst"].push_back(Json{{"phase", s.rows[i].phase},
                                 {"name", s.rows[i].kind.name},
                                 {"limit", LimitName(s.rows[i].limit)},
                                 {"lost_seconds", s.rows[i].lost_s()},
                                 {"text", LimitText(s.rows[i], p)}});
  }
  return json;
}

}  // namespace rocforge::apps
