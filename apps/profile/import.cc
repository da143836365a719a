#include "apps/profile/import.h"

#include <algorithm>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>

#include "apps/devices_measure.h"
#include "apps/output.h"
#include "apps/pull/model_path.h"
#include "apps/table.h"
#include "base/format.h"
#include "prof/rocm_import.h"

namespace rocforge::apps {
namespace {

using Json = nlohmann::ordered_json;
using prof::ImportedProfile;
using Row = prof::ProfileRow;

// Which op a kernel of ours serves, by the beginning of its name.
const char* OpOf(std::string_view kernel) {
  struct Prefix {
    const char* kernel;
    const char* op;
  };
  static constexpr Prefix kPrefixes[] = {{"matvec", "MatMul"},
                                         {"gemm", "MatMul"},
                                         {"unpack", "MatMul"},
                                         {"weight_magnitude", "MatMul"},
                                         {"pack_rows", "MatMul"},
                                         {"group_rows", "MatMul"},
                                         {"quantize_rows", "MatMul"},
                                         {"attention", "Attention"},
                                         {"norm", "Norm"},
                                         {"rope", "Rope"},
                                         {"kv_append", "KvAppend"},
                                         {"moe", "Moe"},
                                         {"embed_rows", "EmbedRows"},
                                         {"elementwise", "Elementwise"},
                                         {"best_token", "Choice"},
                                         {"choose_", "Choice"}};
  for (const Prefix& p : kPrefixes) {
    if (kernel.starts_with(p.kernel)) return p.op;
  }
  return "";
}

double Mean(const Row& row) {
  return row.calls == 0 ? 0 : static_cast<double>(row.total_ns) / static_cast<double>(row.calls);
}

// Bytes a call of a counter in KiB; negative where it is not there.
double BytesOf(const Row& row, std::initializer_list<const char*> counters) {
  for (const char* name : counters) {
    const auto at = row.counters.find(name);
    if (at != row.counters.end()) return at->second * 1024;
  }
  return -1;
}
double ReadBytes(const Row& row) { return BytesOf(row, {"FETCH_SIZE", "FetchSize"}); }
double WrittenBytes(const Row& row) { return BytesOf(row, {"WRITE_SIZE", "WriteSize"}); }
// Of a call, by the counters that there are; 0 where there are none.
double Bytes(const Row& row) {
  return std::max(0.0, ReadBytes(row)) + std::max(0.0, WrittenBytes(row));
}

int64_t Total(const std::vector<Row>& rows) {
  int64_t sum = 0;
  for (const Row& row : rows) sum += row.total_ns;
  return sum;
}

std::string NsAsMs(double ns) { return Format("{:.3f}", ns * 1e-6); }
std::string Us(double ns) { return Format("{:.1f}", ns * 1e-3); }
std::string Percent(double part, double whole) {
  return whole > 0 ? Format("{:.1f} %", 100 * part / whole) : std::string();
}

// The columns of the model's own profile, as far as AMD's tools know them. The rows end with the
// gap, if `gap_ns` is not negative, and the total.
std::string RowsTable(const char* title, const std::vector<Row>& rows, size_t most, int64_t gap_ns,
                      const prof::Ceilings* ceilings) {
  if (rows.empty()) return {};
  constexpr Align L = Align::kLeft;
  constexpr Align R = Align::kRight;
  const auto total = static_cast<double>(Total(rows) + std::max<int64_t>(0, gap_ns));
  Table table({L, L, R, R, R, R, R, R, R, R, R});
  table.AddRow({title, "op", "calls", "ms", "share", "bytes", "GB/s", "% memory", "us a call",
                "min", "max"});
  Row rest;
  for (size_t i = 0; i < rows.size(); ++i) {
    const Row& row = rows[i];
    if (i >= most) {
      rest.calls += row.calls;
      rest.total_ns += row.total_ns;
      continue;
    }
    const auto ns = static_cast<double>(row.total_ns);
    const double bytes = Bytes(row) * static_cast<double>(row.calls);
    const double rate = ns > 0 ? bytes / ns : 0;  // GB/s
    const bool known = rate > 0 && ceilings != nullptr && ceilings->read_bytes_per_s > 0;
    table.AddRow({"  " + EscapeForTerminal(row.name, 60), OpOf(row.name), Format("{}", row.calls),
                  NsAsMs(ns), Percent(ns, total),
                  bytes > 0 ? FormatBytes(static_cast<uint64_t>(bytes)) : "-",
                  rate > 0 ? Format("{:.1f}", rate) : "-",
                  known ? Percent(rate * 1e9, ceilings->read_bytes_per_s) : "-", Us(Mean(row)),
                  Us(static_cast<double>(row.min_ns)), Us(static_cast<double>(row.max_ns))});
  }
  if (rest.calls > 0) {
    const auto ns = static_cast<double>(rest.total_ns);
    table.AddRow({Format("  {} others (--all)", rows.size() - most), "", Format("{}", rest.calls),
                  NsAsMs(ns), Percent(ns, total)});
  }
  if (gap_ns >= 0) {
    const auto ns = static_cast<double>(gap_ns);
    table.AddRow({"  gap", "", "", NsAsMs(ns), Percent(ns, total)});
  }
  table.AddRow({"  total", "", "", NsAsMs(total)});
  return table.ToString() + "\n";
}

std::string CountersTable(const std::vector<Row>& kernels, size_t most) {
  Table table({Align::kLeft, Align::kLeft, Align::kRight});
  table.AddRow({"counters", "", "mean of a call"});
  bool any = false;
  for (size_t i = 0; i < std::min(kernels.size(), most); ++i) {
    std::string name = "  " + EscapeForTerminal(kernels[i].name, 60);
    for (const auto& [counter, value] : kernels[i].counters) {
      any = true;
      table.AddRow(
          {std::exchange(name, ""), EscapeForTerminal(counter, 60), Format("{:.6g}", value)});
    }
  }
  return any ? table.ToString() + "\n" : std::string();
}

// Time of the span in which no kernel ran; -1 where the files do not tell.
int64_t GapNs(const ImportedProfile& p) { return p.span_ns > 0 ? p.span_ns - p.busy_ns : -1; }

std::string ToText(const ImportedProfile& p, const prof::Ceilings* ceilings, bool all) {
  const size_t most = all ? p.kernels.size() + p.copies.size() + p.api.size() : 20;
  std::string text;
  for (const std::string& format : p.formats) text += format + "\n";
  if (ceilings != nullptr) {
    text +=
        Format("ceilings: {} ({}), {:.0f} GB/s read\n", EscapeForTerminal(ceilings->key.device, 80),
               EscapeForTerminal(ceilings->key.driver, 80), ceilings->read_bytes_per_s * 1e-9);
  }
  text += "\n" + RowsTable("kernels", p.kernels, most, GapNs(p), ceilings) +
          RowsTable("copies", p.copies, most, -1, nullptr) +
          RowsTable("host calls", p.api, most, -1, nullptr) + CountersTable(p.kernels, most);
  if (p.span_ns > 0) {
    text += Format("a kernel ran for {} of {} ms; the rest is \"gap\"\n",
                   NsAsMs(static_cast<double>(p.busy_ns)), NsAsMs(static_cast<double>(p.span_ns)));
  }
  if (p.counter_times && Total(p.kernels) > 0)
    text += "times are those of a counter run, whose kernels ran one at a time\n";
  return text;
}

Json ToJson(const std::vector<Row>& rows, bool kernels) {
  Json list = Json::array();
  for (const Row& row : rows) {
    Json one{{"name", row.name}};
    if (kernels) one["op"] = OpOf(row.name);
    one["calls"] = row.calls;
    one["seconds"] = static_cast<double>(row.total_ns) * 1e-9;
    one["total_ns"] = row.total_ns;
    one["min_ns"] = row.min_ns;
    one["max_ns"] = row.max_ns;
    const auto calls = static_cast<double>(row.calls);
    if (ReadBytes(row) >= 0) one["bytes_read"] = ReadBytes(row) * calls;
    if (WrittenBytes(row) >= 0) one["bytes_written"] = WrittenBytes(row) * calls;
    if (!row.counters.empty()) one["counters"] = row.counters;
    list.push_back(std::move(one));
  }
  return list;
}

}  // namespace

Status ImportProfiles(const ImportOptions& options) {
  if (options.device == "cpu")
    return InvalidArgument("--device cpu: these are a GPU's kernels; name the GPU, or none");
  std::vector<ImportedProfile> parts;
  for (const std::string& path : options.files) {
    ROCFORGE_ASSIGN_OR_RETURN(ImportedProfile part, prof::ImportRocmFile(path));
    parts.push_back(std::move(part));
  }
  const ImportedProfile p = parts.size() == 1 ? std::move(parts[0]) : prof::MergeProfiles(parts);
  std::optional<prof::Ceilings> ceilings;
  if (!options.device.empty()) {
    ROCFORGE_ASSIGN_OR_RETURN(const std::string folder, CacheFolder());
    ROCFORGE_ASSIGN_OR_RETURN(ceilings, CeilingsOf(options.device, 1, folder));
  }
  const prof::Ceilings* const c = ceilings.has_value() ? &*ceilings : nullptr;
  if (!options.json) return WriteStdout(ToText(p, c, options.all));
  Json out{{"formats", p.formats},
           {"kernels", ToJson(p.kernels, true)},
           {"copies", ToJson(p.copies, false)},
           {"host_calls", ToJson(p.api, false)},
           {"span_ns", p.span_ns},
           {"busy_ns", p.busy_ns},
           {"counter_times", p.counter_times}};
  if (c != nullptr) out["ceilings"] = ToJson(MeasuredDevice{options.device, {}, *c});
  return WriteStdout(out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

}  // namespace rocforge::apps
