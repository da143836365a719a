#include "apps/profile/html.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "apps/profile/html_page.h"

namespace rocforge::apps {
namespace {

using Json = nlohmann::ordered_json;

// Tenths of a microsecond are enough for a picture, and whole numbers of them are short.
int64_t Ticks(double seconds) { return std::llround(seconds * 1e7); }

Json Timeline(const Profile& p) {
  Json spans = Json::array();
  for (const HostSpan& span : p.spans)
    spans.push_back(Json::array({span.name, Ticks(span.begin_s), Ticks(span.seconds)}));
  Json ops = Json::array();
  size_t shown = 0;
  for (const StepRecord& step : p.steps) {
    const exec::StepTimes& t = step.times;
    if (shown > 0 && ops.size() + t.ops.size() > kMaxTimelineOps) break;
    ++shown;
    const double tail = static_cast<double>(t.choose_ns + t.download_ns + t.ops_ns) * 1e-9;
    const double begin =
        p.on_gpu ? step.begin_s + std::max(0.0, step.seconds - tail) : step.begin_s;
    for (const exec::OpTime& op : t.ops) {
      ops.push_back(Json::array({p.kind_of_node[op.node],
                                 Ticks(begin + static_cast<double>(op.begin_ns) * 1e-9),
                                 Ticks(static_cast<double>(op.time_ns) * 1e-9)}));
    }
  }
  return {{"spans", std::move(spans)},
          {"ops", std::move(ops)},
          {"shown", shown},
          {"total", p.steps.size()}};
}

Json Rows(const Summary& s) {
  Json rows = Json::array();
  for (const ProfileRow& row : s.rows) {
    Json one = {{"phase", row.phase}, {"name", row.kind.name}, {"seconds", row.seconds}};
    if (row.is_op()) {
      one["op"] = row.kind.op;
      one["types"] = row.kind.types;
      one["bytes"] = row.cost.bytes();
      one["ops"] = row.cost.ops;
      one["memory"] = row.memory_s;
      one["compute"] = row.compute_s;
      one["limit"] = LimitName(row.limit);
    }
    rows.push_back(std::move(one));
  }
  return rows;
}

Json Worst(const Profile& p, const Summary& s) {
  Json worst = Json::array();
  for (const size_t i : s.worst) {
    const ProfileRow& row = s.rows[i];
    double phase = 0;
    for (const ProfileRow& other : s.rows) phase += other.phase == row.phase ? other.seconds : 0;
    worst.push_back(Json{{"name", row.kind.name + " " + row.kind.types},
                         {"phase", row.phase},
                         {"lost", row.lost_s()},
                         {"share", phase > 0 ? row.seconds / phase : 0},
                         {"text", LimitText(row, p)}});
  }
  return worst;
}

Json Phases(const Summary& s) {
  Json phases = Json::array();
  for (const PhaseSummary& phase : s.phases) {
    const exec::StepCounters& c = phase.counters;
    phases.push_back(Json{{"name", phase.name},
                          {"calls", phase.calls},
                          {"seconds", phase.seconds},
                          {"tokens", phase.tokens},
                          {"bytes", phase.cost.bytes()},
                          {"ops", phase.cost.ops},
                          {"kernels", c.launches + c.graph_kernels},
                          {"graphs", c.graph_launches},
                          {"syncs", c.synchronisations},
                          {"allocs", c.allocations}});
  }
  return phases;
}

// What the engine held (from each time on), what the GPU's driver said, and the process's memory.
Json Memory(const Profile& p) {
  Json held = Json::array(), used = Json::array(), resident = Json::array();
  const auto hold = [&](double at_s, const engine::MemoryUse& m) {
    held.push_back(Json::array({Ticks(at_s), m.weights, m.kv, m.activations, m.scratch}));
  };
  hold(0, {});
  double at_s = 0;
  for (const LoadSpan& part : p.load) hold(at_s += part.seconds, part.held);
  for (const MemorySample& m : p.memory) {
    resident.push_back(Json::array({Ticks(m.at_s), m.resident_bytes}));
    if (m.held.total() > 0 && m.at_s >= at_s) hold(m.at_s, m.held);
    if (m.device_used_bytes > 0) used.push_back(Json::array({Ticks(m.at_s), m.device_used_bytes}));
  }
  return {{"held", std::move(held)}, {"used", std::move(used)}, {"resident", std::move(resident)}};
}

}  // namespace

std::string ToHtml(const Profile& p, const Summary& s) {
  Json data = {{"model", p.model},
               {"device", p.device},
               {"kv", p.kv_type},
               {"gpu", p.on_gpu},
               {"interrupted", p.interrupted},
               {"read", p.ceilings.read_bytes_per_s},
               {"flops", p.ceilings.float_ops_per_s},
               {"first", p.first_token_seconds},
               {"run", p.run_seconds > 0 ? p.run_seconds : 1},
               {"runBegin", p.run_begin_s},
               {"loadSeconds", p.load_seconds},
               {"covered", s.covered}};
  data["kinds"] = Json::array();
  for (const OpKind& kind : p.kinds) {
    data["kinds"].push_back(Json{
        {"name", kind.name}, {"op", kind.op}, {"weights", kind.weights}, {"types", kind.types}});
  }
  data["timeline"] = Timeline(p);
  data["rows"] = Rows(s);
  data["worst"] = Worst(p, s);
  data["phases"] = Phases(s);
  data["load"] = Json::array();
  for (const LoadSpan& part : p.load) {
    data["load"].push_back(
        Json{{"name", part.name}, {"seconds", part.seconds}, {"bytes", part.bytes}});
  }
  data["memory"] = Memory(p);
  // ASCII only, so that no character of a model's name ends the script element or a line of it.
  std::string json = data.dump(-1, ' ', true, Json::error_handler_t::replace);
  for (size_t at = 0; (at = json.find('<', at)) != std::string::npos; ++at)
    json.replace(at, 1, "\\u003c");
  return std::string(kPageHead) + json + std::string(kPageTail);
}

}  // namespace rocforge::apps
