#include "apps/bench/report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "apps/output.h"
#include "apps/table.h"
#include "base/format.h"

namespace rocforge::apps {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kBusy = 0.02;  // share of the time

// Three significant digits, without an exponent: "1234", "12.3", "0.123".
std::string Digits(double value) {
  if (!(value > 0)) return value == 0 ? "0" : Format("{:.3g}", value);
  const int decimals = std::clamp(2 - static_cast<int>(std::floor(std::log10(value))), 0, 6);
  return Format("{:.{}f}", value, decimals);
}

std::string ValueText(double value, const std::string& unit) {
  if (unit == "s") return TimeText(value);
  if (unit == "bytes") return FormatBytes(static_cast<uint64_t>(std::llround(value)));
  return Digits(value) + (unit.empty() ? "" : " " + unit);
}

Json ToJson(const prof::Facts& facts) {
  Json json = Json::object();
  for (const auto& [name, value] : facts) json[name] = value;
  return json;
}

Json ToJson(const BenchResult& r) {
  Json json{{"name", r.test->name}};
  for (const auto& [key, value] : r.test->about.items()) json[key] = value;
  if (!r.ok()) {
    json["error"] = r.status.message();
    return json;
  }
  const prof::Summary& s = r.summary;
  json["unit"] = r.test->unit;
  json["exact"] = r.test->exact;
  json["n"] = s.n;
  json["avg"] = s.avg;
  json["min"] = s.min;
  json["max"] = s.max;
  json["p50"] = s.p50;
  json["p95"] = s.p95;
  json["p99"] = s.p99;
  if (!r.test->exact) json["waited"] = r.waited;
  if (r.test->bytes > 0) json["bytes_per_second"] = r.bytes_per_s();
  if (r.test->operations > 0) json["operations_per_second"] = r.ops_per_s();
  if (r.test->items > 0) json["items_per_second"] = r.items_per_s();
  if (r.ceiling_share() > 0) {
    json["ceiling_share"] = r.ceiling_share();
    json["limit"] = r.limit();
  }
  for (const auto& [key, value] : r.details.items()) json[key] = value;
  return json;
}

std::string Dump(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Status PrintJson(const Suite& suite, bool complete, const std::vector<BenchResult>& results) {
  Json json{{"suite", suite.name},
            {"complete", complete},
            {"hardware", ToJson(suite.machine.hardware)},
            {"context", ToJson(suite.machine.context)},
            {"results", Json::array()}};
  for (const BenchResult& r : results) json["results"].push_back(ToJson(r));
  return WriteStdout(Dump(json));
}

// Names hold no quotes; errors may.
std::string CsvField(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + '"';
}

Status PrintCsv(const std::vector<BenchResult>& results) {
  std::string text =
      "name,unit,n,avg,min,max,p50,p95,p99,bytes_per_second,operations_per_second,"
      "items_per_second,ceiling_share,limit,error\n";
  const auto rate = [](double value) { return value > 0 ? Format("{:.6g}", value) : ""; };
  for (const BenchResult& r : results) {
    text += CsvField(r.test->name) + ',' + r.test->unit + ',';
    if (!r.ok()) {
      text += "0,,,,,,,,,,,," + CsvField(r.status.message()) + '\n';
      continue;
    }
    const prof::Summary& s = r.summary;
    text += Format("{},{:.9g},{:.9g},{:.9g},{:.9g},{:.9g},{:.9g},", s.n, s.avg, s.min, s.max, s.p50,
                   s.p95, s.p99);
    text += rate(r.bytes_per_s()) + ',' + rate(r.ops_per_s()) + ',' + rate(r.items_per_s()) + ',' +
            rate(r.ceiling_share()) + ',' + r.limit() + ",\n";
  }
  return WriteStdout(text);
}

// Which columns a suite's results fill.
struct Columns {
  bool times = false;
  bool bytes = false;
  bool operations = false;
  bool items = false;
  bool share = false;
};

Columns ColumnsOf(const std::vector<BenchResult>& results) {
  Columns c;
  for (const BenchResult& r : results) {
    c.times |= !r.test->exact;
    c.bytes |= r.test->bytes > 0;
    c.operations |= r.test->operations > 0;
    c.items |= r.test->items > 0;
    c.share |= r.ok() && r.ceiling_share() > 0;
  }
  return c;
}

std::vector<std::string> Head(const Suite& suite, const Columns& c) {
  std::vector<std::string> head = {suite.name, c.times ? "p50" : "value"};
  if (c.times) {
    for (const char* name : {"avg", "min", "p95", "p99", "n"}) head.emplace_back(name);
  }
  if (c.bytes) head.emplace_back("GB/s");
  if (c.operations) head.emplace_back("GFLOP/s");
  if (c.share) head.emplace_back("ceiling");
  if (c.items) head.push_back(suite.item);
  return head;
}

std::vector<std::string> Row(const BenchResult& r, const Columns& c) {
  std::vector<std::string> row = {r.test->name};
  if (!r.ok()) {
    row.emplace_back("failed");
    return row;
  }
  const prof::Summary& s = r.summary;
  row.push_back(ValueText(s.p50, r.test->unit));
  if (c.times) {
    if (r.test->exact) {
      row.insert(row.end(), 5, "");
    } else {
      for (const double value : {s.avg, s.min, s.p95, s.p99})
        row.push_back(ValueText(value, r.test->unit));
      row.push_back(Format("{}", s.n));
    }
  }
  if (c.bytes) row.push_back(r.test->bytes > 0 ? Digits(r.bytes_per_s() / 1e9) : "");
  if (c.operations) row.push_back(r.test->operations > 0 ? Digits(r.ops_per_s() / 1e9) : "");
  if (c.share)
    row.push_back(r.ceiling_share() > 0 ? Format("{:.0f} % {}", 100 * r.ceiling_share(), r.limit())
                                        : "");
  if (c.items) row.push_back(r.test->items > 0 ? Digits(r.items_per_s()) : "");
  return row;
}

Status PrintTable(const Suite& suite, const std::vector<BenchResult>& results) {
  std::string text = suite.machine.Line() + "\n";
  if (!suite.preface.empty()) text += suite.preface + "\n";
  if (results.empty()) return WriteStdout(text);
  const Columns columns = ColumnsOf(results);
  const std::vector<std::string> head = Head(suite, columns);
  std::vector<Align> align(head.size(), Align::kRight);
  align[0] = Align::kLeft;
  Table table(align);
  table.AddRow(head);
  std::vector<const BenchResult*> order;
  for (const BenchResult& r : results) order.push_back(&r);
  if (suite.before) {
    std::stable_sort(order.begin(), order.end(), [&](const BenchResult* a, const BenchResult* b) {
      return a->ok() && (!b->ok() || suite.before(*a, *b));
    });
  }
  for (const BenchResult* r : order) table.AddRow(Row(*r, columns));
  text += table.ToString();
  const auto busy = std::count_if(results.begin(), results.end(), [](const BenchResult& r) {
    return !r.test->exact && r.waited > kBusy;
  });
  if (busy > 0)
    text += Format("{} of {} cases waited for a core: other programs run here; see min\n", busy,
                   results.size());
  if (suite.remarks) text += suite.remarks(results);
  return WriteStdout(text);
}

}  // namespace

std::string TimeText(double seconds) {
  if (seconds < 1e-6) return Digits(seconds * 1e9) + " ns";
  if (seconds < 1e-3) return Digits(seconds * 1e6) + " us";
  if (seconds < 1) return Digits(seconds * 1e3) + " ms";
  return Digits(seconds) + " s";
}

std::string ChangeText(double ratio) { return Format("{:+.1f} %", 100 * (ratio - 1)); }

Status PrintResults(const Suite& suite, const BenchOptions& options, bool complete,
                    const std::vector<BenchResult>& results) {
  if (options.json) return PrintJson(suite, complete, results);
  if (options.csv) return PrintCsv(results);
  return PrintTable(suite, results);
}

Status PrintComparison(const prof::Comparison& c, const BenchOptions& options) {
  using prof::Verdict;
  std::string text = Format("\nagainst {}\n", EscapeForTerminal(options.compare_baseline));
  for (const std::string& line : c.mismatches) text += "other hardware: " + line + "\n";
  for (const std::string& line : c.notes) text += "note: " + EscapeForTerminal(line) + "\n";
  for (const std::string& line : c.warnings) text += "warning: " + line + "\n";
  Table table({Align::kLeft, Align::kLeft, Align::kLeft, Align::kRight, Align::kRight,
               Align::kRight, Align::kRight, Align::kLeft});
  table.AddRow({"case", "verdict", "by", "before", "now", "change", "95 % interval", ""});
  for (const prof::Change& change : c.changes) {
    const bool both = change.in_baseline && change.measured;
    const auto side = [&](const prof::Summary& s, bool there) {
      return there ? ValueText(prof::ValueOf(s, change.metric), change.unit) : "-";
    };
    const bool judged = both && change.verdict != Verdict::kHardwareMismatch;
    table.AddRow(
        {change.name, prof::VerdictName(change.verdict), prof::MetricName(change.metric),
         side(change.before, change.in_baseline), side(change.after, change.measured),
         judged ? ChangeText(change.ratio) : "",
         judged && change.interval.low < change.interval.high
             ? Format("{} to {}", ChangeText(change.interval.low), ChangeText(change.interval.high))
             : "",
         change.note});
  }
  text += table.ToString();
  const char* separator = "";
  for (const Verdict v : {Verdict::kOk, Verdict::kImproved, Verdict::kRegression, Verdict::kNoisy,
                          Verdict::kHardwareMismatch, Verdict::kMissing}) {
    if (c.Count(v) == 0) continue;
    text += separator + Format("{} {}", c.Count(v), prof::VerdictName(v));
    separator = ", ";
  }
  text += "\n";
  if (!options.json && !options.csv) return WriteStdout(text);
  std::fputs(text.c_str(), stderr);
  return {};
}

}  // namespace rocforge::apps
