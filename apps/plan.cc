// `rocforge plan`: what a model will compute, op by op, before and after the passes, and what that
// must cost at least.
#include <cstdio>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "apps/command.h"
#include "apps/engine_options.h"
#include "apps/output.h"
#include "apps/plan_cost.h"
#include "apps/pull/model_path.h"
#include "apps/table.h"
#include "apps/terminal/terminal.h"
#include "base/format.h"
#include "base/thread_pool.h"
#include "graph/plan.h"
#include "model/model.h"
#include "prof/memory_bandwidth.h"

namespace rocforge::apps {
namespace {

using Json = nlohmann::ordered_json;

struct PlanFlags {
  EngineFlags engine;
  int64_t n_tokens = 1;
  int64_t n_context = 0;
  bool all = false;
  bool json = false;
};

// Everything that is shown.
struct PlanReport {
  model::ModelInfo info;
  StepShape step;
  std::vector<OpRow> before;
  std::vector<OpRow> after;
  std::vector<graph::PassReport> passes;
  int64_t arena_bytes = 0;
  int64_t batch = 0;
  int64_t n_ctx = 0;
  int64_t kv_bytes_per_token = 0;
  std::optional<double> read_bytes_per_s;
  int n_threads = 0;
};

// 1234 -> "1.23 k", with the unit of a thousand.
std::string FormatCount(double value) {
  static constexpr const char* kUnits[] = {"", " k", " M", " G", " T", " P"};
  size_t unit = 0;
  while (value >= 1000 && unit + 1 < std::size(kUnits)) {
    value /= 1000;
    ++unit;
  }
  const int decimals = unit == 0 ? 0 : value < 10 ? 2 : value < 100 ? 1 : 0;
  return Format("{:.{}f}{}", value, decimals, kUnits[unit]);
}

std::string BytesText(double bytes) { return FormatBytes(static_cast<uint64_t>(bytes)); }

// Where the lines do not fit `columns`, the column of the kind of op is left out: the names say
// nearly the same.
std::string OpTable(const std::vector<OpRow>& rows, const PlanFlags& flags, int columns) {
  for (const bool with_op : {true, false}) {
    std::vector<Align> align(with_op ? 5 : 4, Align::kLeft);
    align.insert(align.end(), 2, Align::kRight);
    Table table(std::move(align));
    const auto add = [&](const std::string& name, const std::string& op,
                         std::vector<std::string> cells) {
      if (with_op) cells.insert(cells.begin(), op);
      cells.insert(cells.begin(), name);
      table.AddRow(std::move(cells));
    };
    add("name", "op", {"output", "weights", "type", "bytes", "ops"});
    bool first = true;
    for (const OpGroup& group : GroupRows(rows, !flags.all)) {
      table.AddTitle(GroupTitle(group, first));
      first = false;
      for (const OpRow& row : group.rows) {
        add("  " + EscapeForTerminal(row.name), row.op,
            {row.output, row.weights, row.types, BytesText(row.cost.bytes()),
             FormatCount(row.cost.ops)});
      }
    }
    const op::Cost sum = SumOf(rows);
    add(Format("all {} ops", rows.size()), "",
        {"", "", "", BytesText(sum.bytes()), FormatCount(sum.ops)});
    if (!with_op || table.width() <= columns) return table.ToString();
  }
  return {};
}

std::string PassTable(const std::vector<graph::PassReport>& passes) {
  Table table({Align::kLeft, Align::kRight, Align::kRight, Align::kRight});
  table.AddRow({"pass", "rewrites", "ops", "time"});
  for (const graph::PassReport& pass : passes) {
    if (!pass.enabled) {
      table.AddRow({pass.pass, "off", "", ""});
      continue;
    }
    table.AddRow({pass.pass, Format("{}", pass.rewrites),
                  Format("{} -> {}", pass.nodes_before, pass.nodes_after),
                  FormatSeconds(static_cast<double>(pass.time_ns) * 1e-9)});
    for (const std::string& note : pass.notes) table.AddTitle("  " + EscapeForTerminal(note));
  }
  return table.ToString();
}

std::string SummaryText(const PlanReport& r) {
  const op::Cost sum = SumOf(r.after);
  std::string out =
      Format("This step ({} token{} after {}) moves at least {} and computes {} operations.\n",
             r.step.n_tokens, r.step.n_tokens == 1 ? "" : "s", r.step.n_context,
             BytesText(sum.bytes()), FormatCount(sum.ops));
  if (r.read_bytes_per_s) {
    const double seconds = sum.bytes() / *r.read_bytes_per_s;
    out += Format(
        "At the {:.1f} GB/s measured here ({} thread{}) that takes {} or more: at most "
        "{:.0f} tok/s.\n",
        *r.read_bytes_per_s / 1e9, r.n_threads, r.n_threads == 1 ? "" : "s", FormatSeconds(seconds),
        static_cast<double>(r.step.n_tokens) / seconds);
  }
  out += Format("Activations {} (steps of up to {} tokens).  KV cache {} per token, {} for {}.\n",
                BytesText(static_cast<double>(r.arena_bytes)), r.batch,
                BytesText(static_cast<double>(r.kv_bytes_per_token)),
                BytesText(static_cast<double>(r.kv_bytes_per_token * r.n_ctx)), r.n_ctx);
  return out;
}

Json RowsJson(const std::vector<OpRow>& rows) {
  Json ops = Json::array();
  for (const OpRow& row : rows) {
    ops.push_back({{"name", row.name},
                   {"layer", row.layer},
                   {"op", row.op},
                   {"output", row.output},
                   {"weights", row.weights},
                   {"type", row.types},
                   {"bytes_read", row.cost.bytes_read},
                   {"bytes_written", row.cost.bytes_written},
                   {"ops", row.cost.ops}});
  }
  const op::Cost sum = SumOf(rows);
  return {{"n_ops", rows.size()},
          {"bytes_read", sum.bytes_read},
          {"bytes_written", sum.bytes_written},
          {"ops", sum.ops},
          {"nodes", std::move(ops)}};
}

std::string ToJson(const PlanReport& r) {
  Json passes = Json::array();
  for (const graph::PassReport& pass : r.passes) {
    passes.push_back({{"pass", pass.pass},
                      {"enabled", pass.enabled},
                      {"rewrites", pass.rewrites},
                      {"ops_before", pass.nodes_before},
                      {"ops_after", pass.nodes_after},
                      {"time_ns", pass.time_ns},
                      {"notes", pass.notes}});
  }
  Json json = {{"architecture", r.info.architecture}, {"name", r.info.name},
               {"n_layers", r.info.n_layers},         {"n_tokens", r.step.n_tokens},
               {"n_context", r.step.n_context},       {"before", RowsJson(r.before)},
               {"passes", std::move(passes)},         {"after", RowsJson(r.after)},
               {"activation_bytes", r.arena_bytes},   {"kv_bytes_per_token", r.kv_bytes_per_token},
               {"weight_bytes", r.info.weight_bytes}};
  if (r.read_bytes_per_s) {
    json["memory_bytes_per_second"] = *r.read_bytes_per_s;
    json["lower_bound_seconds"] = SumOf(r.after).bytes() / *r.read_bytes_per_s;
  }
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string ToText(const PlanReport& r, const PlanFlags& flags) {
  const int columns = IsTerminal(stdout) ? TerminalColumns() : std::numeric_limits<int>::max();
  return Format("{}\n\nBefore the passes: {} ops\n\n", DescribeModel(r.info), r.before.size()) +
         OpTable(r.before, flags, columns) + "\n" + PassTable(r.passes) +
         Format("\nAfter the passes: {} ops\n\n", r.after.size()) +
         OpTable(r.after, flags, columns) + "\n" + SummaryText(r);
}

Status ShowPlan(const PlanFlags& flags) {
  ROCFORGE_ASSIGN_OR_RETURN(const engine::EngineOptions options, ToEngineOptions(flags.engine));
  ROCFORGE_ASSIGN_OR_RETURN(const gguf::File file, gguf::File::Open(options.model_path));
  Result<model::Model> model = model::BuildModel(file, options.n_ctx);
  if (!model.ok()) return model.status().WithContext(EscapeForTerminal(options.model_path));
  PlanReport r;
  r.info = model->info;
  r.n_ctx =
      options.n_ctx > 0 ? options.n_ctx : std::min(r.info.n_ctx_train, model::kDefaultContext);
  r.step = {flags.n_tokens, flags.n_context, options.kv_type};
  // What generate and chat would reserve; a larger step needs its own size.
  r.batch = std::max<int64_t>(options.max_batch_tokens, flags.n_tokens);
  r.before = CostTable(model->graph, r.step);
  ROCFORGE_ASSIGN_OR_RETURN(const graph::Plan plan, graph::BuildPlan(std::move(model->graph),
                                                                     options.passes, {r.batch, 1}));
  r.after = CostTable(plan.graph, r.step);
  r.passes = plan.passes;
  r.arena_bytes = plan.arena_bytes;
  r.kv_bytes_per_token = KvBytesPerToken(plan.graph, options.kv_type);
  r.n_threads = options.n_threads > 0 ? options.n_threads : UsablePhysicalCores();
  if (const Result<std::string> folder = CacheFolder(); folder.ok()) {
    const Result<prof::MemoryBandwidth> measured =
        prof::CachedMemoryBandwidth(*folder, r.n_threads, /*measure_again=*/true);
    if (measured.ok()) r.read_bytes_per_s = measured->read_bytes_per_s;
  }
  return WriteStdout(flags.json ? ToJson(r) : ToText(r, flags));
}

}  // namespace

void RegisterPlan(Command app, std::function<Status()>* run) {
  Command command =
      app.AddSubcommand("plan", "Show what a model computes, op by op, and its least cost");
  auto flags = std::make_shared<PlanFlags>();
  AddEngineFlags(command, &flags->engine);
  AddContextFlag(command, &flags->engine);
  constexpr int64_t kMaxTokens = 1 << 20;
  command.AddOption("--tokens", flags->n_tokens, "tokens of the step: 1 is decoding")
      .TypeName("N")
      .ShowDefault()
      .Range(int64_t{1}, kMaxTokens);
  command.AddOption("--context", flags->n_context, "tokens in the cache before it")
      .TypeName("N")
      .ShowDefault()
      .Range(int64_t{0}, int64_t{1} << 30);
  command.AddFlag("--all", flags->all, "every layer, not each kind of layer once");
  command.AddFlag("--json", flags->json, "print one JSON object");
  command.OnParsed([flags, run] { *run = [flags] { return ShowPlan(*flags); }; });
}

}  // namespace rocforge::apps
