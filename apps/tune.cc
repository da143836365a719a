// `rocforge tune`: measures on this machine which launches are quickest for a model's shapes, and
// keeps them for the next load. `tune show | export | import | clear` look after what was kept.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "apps/command.h"
#include "apps/engine_options.h"
#include "apps/output.h"
#include "apps/table.h"
#include "apps/terminal/interrupt.h"
#include "apps/terminal/progress.h"
#include "base/format.h"
#include "engine/tune.h"
#include "kernels/gpu/tune/tuning_file.h"

namespace rocforge::apps {
namespace {

using gpu::TuningEntry;
using Json = nlohmann::ordered_json;

struct TuneFlags {
  EngineFlags engine;
  double budget_s = 60;
  std::vector<std::string> ops;
  std::vector<int32_t> rows = {1, 512, 8, 32, 64, 128, 4, 2, 16, 256};
  std::vector<int32_t> depths = {512, 2048, 4096};
  bool dry_run = false;
  bool json = false;
};

Result<std::string> CachePath() {
  ROCFORGE_ASSIGN_OR_RETURN(std::string path, TuningPath(""));
  if (path.empty()) return NotFound("no cache folder: set ROCFORGE_CACHE or HOME");
  return path;
}

std::string Micros(double seconds) { return Format("{:.2f}", seconds * 1e6); }

std::string Gain(double before, double after) {
  return after <= 0 ? std::string() : Format("{:+.1f} %", 100 * (before / after - 1));
}

std::string ConfigText(const TuningEntry& e) {
  if (e.cpu_threads != 0) return Format("threads={} isa={}", e.cpu_threads, e.cpu_isa);
  const std::string text = gpu::ToText(e.config);
  return text.empty() ? "as it was" : text;
}

std::string ToText(const engine::TuneReport& report) {
  std::string text = Format("{}, driver {}\n", EscapeForTerminal(report.device_key, 80),
                            EscapeForTerminal(report.driver_key, 40));
  Table ops({Align::kLeft, Align::kRight, Align::kRight, Align::kRight, Align::kRight,
             Align::kRight, Align::kLeft});
  ops.AddRow({"op", "size", "in a step", "before us", "after us", "gain", "choice"});
  int32_t wrong = 0;
  for (const exec::TunedOp& t : report.ops) {
    const std::string choice = gpu::ToText(t.config);
    ops.AddRow({t.op, Format("{}", t.size), Format("{}", t.per_step), Micros(t.before_s),
                Micros(t.after_s), choice.empty() ? "" : Gain(t.before_s, t.after_s),
                choice.empty() ? "as it was" : choice});
    wrong += t.wrong;
  }
  if (!report.ops.empty()) text += ops.ToString();
  if (report.ops.empty()) {
    for (const TuningEntry& e : report.entries) text += Format("{}: {}\n", e.op, ConfigText(e));
  }
  if (wrong > 0) text += Format("{} candidates computed something else and were left out\n", wrong);
  for (const engine::TunedStep& s : report.steps) {
    text += Format("{}: {:.3f} ms before, {:.3f} ms after ({})\n", s.what, s.before_s * 1e3,
                   s.after_s * 1e3, Gain(s.before_s, s.after_s));
  }
  return text;
}

Json ToJson(const engine::TuneReport& report) {
  Json ops = Json::array(), steps = Json::array();
  for (const exec::TunedOp& t : report.ops) {
    ops.push_back({{"op", t.op},
                   {"size", t.size},
                   {"in_a_step", t.per_step},
                   {"before_s", t.before_s},
                   {"after_s", t.after_s},
                   {"choice", gpu::ToText(t.config)},
                   {"candidates", t.candidates},
                   {"wrong", t.wrong}});
  }
  for (const engine::TunedStep& s : report.steps)
    steps.push_back({{"step", s.what}, {"before_s", s.before_s}, {"after_s", s.after_s}});
  Json entries = Json::array();
  for (const TuningEntry& e : report.entries) {
    entries.push_back({{"op", e.op},
                       {"bucket", e.bucket},
                       {"choice", ConfigText(e)},
                       {"before_ns", e.before_ns},
                       {"after_ns", e.after_ns}});
  }
  return {{"device", report.device_key}, {"driver", report.driver_key},
          {"complete", report.complete}, {"ops", std::move(ops)},
          {"steps", std::move(steps)},   {"entries", std::move(entries)}};
}

// New findings join what the cache has. A broken cache is said and begun anew.
Status Keep(const std::vector<TuningEntry>& found) {
  ROCFORGE_ASSIGN_OR_RETURN(const std::string path, CachePath());
  Result<std::vector<TuningEntry>> old = gpu::ReadTuningFile(path);
  std::vector<TuningEntry> entries;
  if (old.ok()) {
    entries = std::move(*old);
  } else {
    std::fprintf(stderr, "warning: %s; it is replaced\n", old.status().message().c_str());
  }
  gpu::MergeTuning(found, &entries);
  return gpu::WriteTuningFile(path, entries);
}

Status Tune(const TuneFlags& flags) {
  ROCFORGE_ASSIGN_OR_RETURN(engine::EngineOptions options, ToEngineOptions(flags.engine));
  exec::TuneOptions tune;
  const auto wanted = [&](const char* op) {
    return flags.ops.empty() ||
           std::find(flags.ops.begin(), flags.ops.end(), op) != flags.ops.end();
  };
  if (wanted("matmul")) tune.rows = flags.rows;
  if (wanted("attention")) tune.depths = flags.depths;
  tune.budget_s = flags.budget_s;
  options.max_outputs = 1;
  const InterruptScope interrupt;
  tune.cancelled = Interrupted;
  Result<engine::TuneReport> tuned = Internal("not tuned");
  {
    ProgressBar loading("loading");
    options.on_load_progress = [&](double fraction) { loading.Update(fraction); };
    ProgressBar bar("tuning");
    tune.on_progress = [&](double fraction, std::string_view what) {
      loading.Finish();
      bar.Update(fraction, what);
    };
    tuned = engine::TuneModel(options, tune);
  }
  if (!tuned.ok()) return tuned.status();
  const engine::TuneReport& report = tuned.value();
  if (!flags.dry_run) ROCFORGE_RETURN_IF_ERROR(Keep(report.entries));
  ROCFORGE_RETURN_IF_ERROR(WriteStdout(
      flags.json ? ToJson(report).dump(2, ' ', false, Json::error_handler_t::replace) + "\n"
                 : ToText(report)));
  if (report.complete) return {};
  const std::string kept =
      Format("{} findings so far {}", report.entries.size(), flags.dry_run ? "" : "are kept");
  if (Interrupted()) return Cancelled(Format("tuning was stopped; {}", kept));
  std::fprintf(stderr, "the budget of %.0f s is used up; %s; --budget gives more\n", flags.budget_s,
               kept.c_str());
  return {};
}

Status Show(bool json) {
  ROCFORGE_ASSIGN_OR_RETURN(const std::string path, CachePath());
  ROCFORGE_ASSIGN_OR_RETURN(std::vector<TuningEntry> entries, gpu::ReadTuningFile(path));
  if (json) return WriteStdout(gpu::WriteTuning(entries));
  if (entries.empty()) {
    std::fprintf(stderr, "nothing is tuned yet: rocforge tune -m MODEL\n");
    return {};
  }
  std::stable_sort(entries.begin(), entries.end(), [](const TuningEntry& a, const TuningEntry& b) {
    return std::pair(a.device, a.driver) < std::pair(b.device, b.driver);
  });
  Table table(
      {Align::kLeft, Align::kRight, Align::kRight, Align::kRight, Align::kRight, Align::kLeft});
  std::string last;
  for (const TuningEntry& e : entries) {
    const std::string device =
        Format("{}, driver {}", EscapeForTerminal(e.device, 80), EscapeForTerminal(e.driver, 40));
    if (device != last) {
      table.AddTitle(device);
      table.AddRow({"op", "up to", "before us", "after us", "gain", "choice"});
      last = device;
    }
    // Rows, or positions of attention.
    const uint64_t size = (e.op.starts_with("Attention") ? uint64_t{64} : uint64_t{1}) << e.bucket;
    const auto before = static_cast<double>(e.before_ns), after = static_cast<double>(e.after_ns);
    table.AddRow({EscapeForTerminal(e.op, 80),
                  e.driver == "cpu"                   ? ""
                  : e.bucket + 1 == gpu::kSizeBuckets ? "more"
                                                      : Format("{}", size),
                  Micros(before * 1e-9), Micros(after * 1e-9), Gain(before, after),
                  EscapeForTerminal(ConfigText(e), 80)});
  }
  return WriteStdout(table.ToString());
}

Status Export(const std::string& file) {
  ROCFORGE_ASSIGN_OR_RETURN(const std::string path, CachePath());
  ROCFORGE_ASSIGN_OR_RETURN(const std::vector<TuningEntry> entries, gpu::ReadTuningFile(path));
  if (entries.empty()) return NotFound("nothing is tuned yet: rocforge tune -m MODEL");
  if (file == "-") return WriteStdout(gpu::WriteTuning(entries));
  return gpu::WriteTuningFile(file, entries);
}

Status ImportFile(const std::string& file) {
  std::error_code error;
  if (!std::filesystem::exists(file, error))
    return NotFound(Format("{}: no such file", EscapeForTerminal(file)));
  ROCFORGE_ASSIGN_OR_RETURN(const std::vector<TuningEntry> entries, gpu::ReadTuningFile(file));
  ROCFORGE_RETURN_IF_ERROR(Keep(entries));
  std::fprintf(stderr, "%zu entries imported\n", entries.size());
  return {};
}

Status Clear() {
  ROCFORGE_ASSIGN_OR_RETURN(const std::string path, CachePath());
  std::error_code error;
  const bool removed = std::filesystem::remove(path, error);
  if (error) return Unavailable(Format("{}: {}", EscapeForTerminal(path), error.message()));
  std::fprintf(stderr, removed ? "tuning is forgotten\n" : "nothing was tuned\n");
  return {};
}

void AddKeepers(Command tune, std::function<Status()>* run) {
  Command show = tune.AddSubcommand("show", "Show what was found on which device");
  auto json = std::make_shared<bool>(false);
  show.AddFlag("--json", *json, "print the file");
  show.OnParsed([json, run] { *run = [json] { return Show(*json); }; });
  Command save = tune.AddSubcommand("export", "Write it to a file (- for stdout)");
  auto to = std::make_shared<std::string>();
  save.AddOption("file", *to, "where to").TypeName("FILE").Required();
  save.OnParsed([to, run] { *run = [to] { return Export(*to); }; });
  Command load = tune.AddSubcommand("import", "Join a file of tune export with what is kept");
  auto from = std::make_shared<std::string>();
  load.AddOption("file", *from, "where from").TypeName("FILE").Required();
  load.OnParsed([from, run] { *run = [from] { return ImportFile(*from); }; });
  Command clear = tune.AddSubcommand("clear", "Forget everything that was found");
  clear.OnParsed([run] { *run = Clear; });
}

}  // namespace

void RegisterTune(Command app, std::function<Status()>* run) {
  Command command =
      app.AddSubcommand("tune", "Measure which launches are quickest here, and keep them");
  auto flags = std::make_shared<TuneFlags>();
  AddEngineFlags(command, &flags->engine);
  command.AddOption("--budget", flags->budget_s, "seconds to measure for, at most")
      .TypeName("SECONDS")
      .ShowDefault();
  command.AddOption("--ops", flags->ops, "on a GPU only these: matmul, attention")
      .TypeName("OP,...")
      .Delimiter(',')
      .OneOf({"matmul", "attention"});
  command.AddOption("--rows", flags->rows, "tokens of the steps to tune for, first things first")
      .TypeName("N,...")
      .Delimiter(',')
      .AtLeast(1);
  command.AddOption("--depths", flags->depths, "positions in the cache to tune attention at")
      .TypeName("N,...")
      .Delimiter(',')
      .AtLeast(1);
  command.AddFlag("--dry-run", flags->dry_run, "show what was found and keep nothing");
  command.AddFlag("--json", flags->json, "print one JSON object");
  AddKeepers(command, run);
  command.OnParsed([flags, run, command] {
    if (command.HasParsedSubcommand()) return;
    *run = [flags] { return Tune(*flags); };
  });
}

}  // namespace rocforge::apps
