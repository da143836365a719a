// `rocforge profile commands` and `rocforge profile import`: AMD's own profilers.
#include <algorithm>
#include <initializer_list>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "apps/command.h"
#include "apps/output.h"
#include "apps/table.h"
#include "base/format.h"
#include "device/gpu/discovery.h"
#include "prof/rocm_import.h"
#include "prof/rocm_tools.h"

namespace rocforge::apps {
namespace {

using Json = nlohmann::ordered_json;
using prof::CardFamily;
using prof::ImportedProfile;
using prof::ProfileRow;
using prof::RocmCommand;
using prof::RocmGuide;
using prof::RocmTool;

struct CommandFlags {
  std::string tool = "rocprofv3";
  std::string card;
  std::vector<std::string> command;
  bool json = false;
};

// The family of the first AMD card here, else a refusal that says what to type.
Result<CardFamily> FamilyHere() {
  const gpu::Discovery found = gpu::Discover();
  for (const gpu::DeviceProbe& probe : found.devices) {
    if (probe.driver->vendor() != gpu::Vendor::kAmd) continue;
    const auto device = gpu::Device::Open(probe.driver, probe.ordinal);
    if (device.ok()) return prof::ParseCardFamily(device.value()->info().architecture);
  }
  return InvalidArgument("no AMD card here: name the family with --card rdna2|rdna3|rdna4|cdna3");
}

Json ToJson(RocmTool tool, CardFamily card, const RocmGuide& guide) {
  Json commands = Json::array();
  for (const RocmCommand& c : guide.commands)
    commands.push_back({{"question", c.question}, {"command", c.line}, {"answer", c.answer}});
  return {{"tool", prof::RocmToolName(tool)},
          {"card", prof::CardFamilyName(card)},
          {"commands", std::move(commands)},
          {"notes", guide.notes}};
}

// Shell text: comments, and lines that can be pasted.
std::string ToText(RocmTool tool, CardFamily card, const RocmGuide& guide) {
  std::string text =
      Format("# {} on {} cards\n", prof::RocmToolName(tool), prof::CardFamilyName(card));
  for (const std::string& note : guide.notes) text += Format("# note: {}\n", note);
  for (const RocmCommand& c : guide.commands)
    text += Format("\n# {}\n{}\n#   -> {}\n", c.question, c.line, c.answer);
  if (!guide.commands.empty()) text += "\n# then: rocforge profile import FILE...\n";
  return text;
}

Status PrintCommands(const CommandFlags& flags) {
  ROCFORGE_ASSIGN_OR_RETURN(const RocmTool tool, prof::ParseRocmTool(flags.tool));
  CardFamily card = CardFamily::kRdna3;
  if (flags.card.empty()) {
    ROCFORGE_ASSIGN_OR_RETURN(card, FamilyHere());
  } else {
    ROCFORGE_ASSIGN_OR_RETURN(card, prof::ParseCardFamily(flags.card));
  }
  const RocmGuide guide = prof::MakeRocmGuide(tool, card, flags.command);
  return WriteStdout(
      flags.json
          ? ToJson(tool, card, guide).dump(2, ' ', false, Json::error_handler_t::replace) + "\n"
          : ToText(tool, card, guide));
}

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
                                         {"top_tokens", "Choice"}};
  for (const Prefix& p : kPrefixes) {
    if (kernel.starts_with(p.kernel)) return p.op;
  }
  return "";
}

double Mean(const ProfileRow& row) {
  return row.calls == 0 ? 0 : static_cast<double>(row.total_ns) / static_cast<double>(row.calls);
}

// KiB a call, where the counter is there, as GB/s; negative where it is not.
double Bandwidth(const ProfileRow& row, std::initializer_list<const char*> counters) {
  for (const char* name : counters) {
    const auto at = row.counters.find(name);
    if (at != row.counters.end() && Mean(row) > 0) return at->second * 1024 / Mean(row);
  }
  return -1;
}
double ReadRate(const ProfileRow& row) { return Bandwidth(row, {"FETCH_SIZE", "FetchSize"}); }
double WriteRate(const ProfileRow& row) { return Bandwidth(row, {"WRITE_SIZE", "WriteSize"}); }

int64_t Total(const std::vector<ProfileRow>& rows) {
  int64_t sum = 0;
  for (const ProfileRow& row : rows) sum += row.total_ns;
  return sum;
}

std::string RateCell(double rate) { return rate < 0 ? "" : Format("{:.1f}", rate); }

std::string RowsTable(const char* title, const std::vector<ProfileRow>& rows, size_t most) {
  if (rows.empty()) return {};
  const double total = static_cast<double>(Total(rows));
  Table table({Align::kLeft, Align::kLeft, Align::kRight, Align::kRight, Align::kRight,
               Align::kRight, Align::kRight, Align::kRight, Align::kRight, Align::kRight});
  table.AddRow(
      {title, "op", "calls", "ms", "share", "us a call", "min", "max", "read GB/s", "write GB/s"});
  for (size_t i = 0; i < std::min(rows.size(), most); ++i) {
    const ProfileRow& row = rows[i];
    table.AddRow(
        {EscapeForTerminal(row.name, 60), OpOf(row.name), Format("{}", row.calls),
         Format("{:.3f}", static_cast<double>(row.total_ns) * 1e-6),
         total > 0 ? Format("{:.1f} %", 100 * static_cast<double>(row.total_ns) / total) : "",
         Format("{:.1f}", Mean(row) * 1e-3),
         Format("{:.1f}", static_cast<double>(row.min_ns) * 1e-3),
         Format("{:.1f}", static_cast<double>(row.max_ns) * 1e-3), RateCell(ReadRate(row)),
         RateCell(WriteRate(row))});
  }
  std::string text = table.ToString();
  if (rows.size() > most) text += Format("and {} more (--all)\n", rows.size() - most);
  return text + "\n";
}

std::string CountersTable(const std::vector<ProfileRow>& kernels, size_t most) {
  Table table({Align::kLeft, Align::kLeft, Align::kRight});
  table.AddRow({"counters", "", "mean of a call"});
  bool any = false;
  for (size_t i = 0; i < std::min(kernels.size(), most); ++i) {
    std::string name = EscapeForTerminal(kernels[i].name, 60);
    for (const auto& [counter, value] : kernels[i].counters) {
      any = true;
      table.AddRow(
          {std::exchange(name, ""), EscapeForTerminal(counter, 60), Format("{:.6g}", value)});
    }
  }
  return any ? table.ToString() + "\n" : std::string();
}

std::string ToText(const ImportedProfile& p, bool all) {
  const size_t most = all ? p.kernels.size() + p.copies.size() + p.api.size() : 20;
  std::string text;
  for (const std::string& format : p.formats) text += format + "\n";
  text += "\n" + RowsTable("kernels", p.kernels, most) + RowsTable("copies", p.copies, most) +
          RowsTable("host calls", p.api, most) + CountersTable(p.kernels, most);
  if (p.span_ns > 0) {
    text += Format("a kernel ran for {:.3f} of {:.3f} ms; gap {:.1f} %\n",
                   static_cast<double>(p.busy_ns) * 1e-6, static_cast<double>(p.span_ns) * 1e-6,
                   100 - 100 * static_cast<double>(p.busy_ns) / static_cast<double>(p.span_ns));
  }
  if (p.counter_times && Total(p.kernels) > 0)
    text += "times are those of a counter run, whose kernels ran one at a time\n";
  return text;
}

Json ToJson(const std::vector<ProfileRow>& rows, bool kernels) {
  Json list = Json::array();
  for (const ProfileRow& row : rows) {
    Json one{{"name", row.name}};
    if (kernels) one["op"] = OpOf(row.name);
    one["calls"] = row.calls;
    one["total_ns"] = row.total_ns;
    one["min_ns"] = row.min_ns;
    one["max_ns"] = row.max_ns;
    if (ReadRate(row) >= 0) one["read_bytes_per_s"] = ReadRate(row) * 1e9;
    if (WriteRate(row) >= 0) one["write_bytes_per_s"] = WriteRate(row) * 1e9;
    if (!row.counters.empty()) one["counters"] = row.counters;
    list.push_back(std::move(one));
  }
  return list;
}

struct ImportFlags {
  std::vector<std::string> files;
  bool json = false;
  bool all = false;
};

Status Import(const ImportFlags& flags) {
  std::vector<ImportedProfile> parts;
  for (const std::string& path : flags.files) {
    ROCFORGE_ASSIGN_OR_RETURN(ImportedProfile part, prof::ImportRocmFile(path));
    parts.push_back(std::move(part));
  }
  const ImportedProfile p = parts.size() == 1 ? std::move(parts[0]) : prof::MergeProfiles(parts);
  if (!flags.json) return WriteStdout(ToText(p, flags.all));
  const Json out{{"formats", p.formats},
                 {"kernels", ToJson(p.kernels, true)},
                 {"copies", ToJson(p.copies, false)},
                 {"host_calls", ToJson(p.api, false)},
                 {"span_ns", p.span_ns},
                 {"busy_ns", p.busy_ns},
                 {"counter_times", p.counter_times}};
  return WriteStdout(out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

}  // namespace

void RegisterProfileRocm(Command app, std::function<Status()>* run) {
  const Command profile =
      app.Subcommand("profile", "AMD's profilers: their command lines, their outputs");
  Command commands = profile.AddSubcommand(
      "commands", "Print command lines for AMD's profilers (nothing is started)");
  auto print = std::make_shared<CommandFlags>();
  commands.AddOption("--tool", print->tool, "rocprofv3, rocprof, rocprof-compute or rocprof-sys")
      .TypeName("TOOL");
  commands
      .AddOption("--card", print->card,
                 "rdna2, rdna3, rdna4, cdna3 or a target such as gfx1100 (default: the card "
                 "of this machine)")
      .TypeName("CARD");
  commands.AddFlag("--json", print->json, "print one JSON object");
  commands
      .AddOption("command", print->command,
                 "after --: what to profile (default: rocforge bench inference)")
      .TypeName("COMMAND");
  commands.OnParsed([print, run] {
    if (print->command.empty())
      print->command = {"rocforge", "bench", "inference", "-m", "MODEL", "-r", "1"};
    *run = [print] { return PrintCommands(*print); };
  });

  Command import = profile.AddSubcommand(
      "import", "Show what AMD's profilers wrote: CSV, JSON, rocpd; several files as one");
  auto flags = std::make_shared<ImportFlags>();
  import.AddOption("files", flags->files, "output of rocprofv3 or rocprof")
      .TypeName("FILE")
      .Required()
      .Expected(1, 16);
  import.AddFlag("--json", flags->json, "print one JSON object");
  import.AddFlag("--all", flags->all, "all rows, not only the first 20 of each table");
  import.OnParsed([flags, run] { *run = [flags] { return Import(*flags); }; });
}

}  // namespace rocforge::apps
