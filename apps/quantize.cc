// `rocforge quantize`: writes a model again with smaller types.
#include <sys/stat.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "apps/command.h"
#include "apps/output.h"
#include "apps/pull/model_path.h"
#include "apps/quantize_convert.h"
#include "apps/quantize_importance.h"
#include "apps/quantize_plan.h"
#include "apps/run_stats.h"
#include "apps/table.h"
#include "apps/terminal/interrupt.h"
#include "apps/terminal/progress.h"
#include "apps/terminal/terminal.h"
#include "base/format.h"
#include "base/log.h"
#include "base/thread_pool.h"

namespace rocforge::apps {
namespace {

using Clock = std::chrono::steady_clock;

// Without a terminal, a line this often says that the work goes on.
constexpr double kLineSeconds = 10;

struct QuantizeFlags {
  std::string input;
  std::string output;
  std::string type;
  std::string importance;
  std::string token_embedding;
  std::string output_tensor;
  bool pure = false;
  bool force = false;
  bool allow_requantize = false;
  bool dry_run = false;
  int threads = 0;
};

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

Result<QuantizeOptions> ReadOptions(const QuantizeFlags& flags) {
  QuantizeOptions options;
  ROCFORGE_ASSIGN_OR_RETURN(options.mix.type, quant::ParseFileType(flags.type));
  options.mix.pure = flags.pure;
  if (!flags.token_embedding.empty()) {
    ROCFORGE_ASSIGN_OR_RETURN(options.mix.token_embedding, ParseDType(flags.token_embedding));
  }
  if (!flags.output_tensor.empty()) {
    ROCFORGE_ASSIGN_OR_RETURN(options.mix.output, ParseDType(flags.output_tensor));
  }
  options.allow_requantize = flags.allow_requantize;
  options.dry_run = flags.dry_run;
  options.importance_path = flags.importance;
  return options;
}

Status CheckOutput(const QuantizeFlags& flags, const gguf::File& file) {
  std::error_code error;
  if (!std::filesystem::exists(flags.output, error)) return {};
  for (const std::string& path : file.paths()) {
    if (std::filesystem::equivalent(path, flags.output, error)) {
      return InvalidArgument("the output would replace its own input");
    }
  }
  if (flags.force) return {};
  return FailedPrecondition(
      Format("{} exists; pass --force to replace it", EscapeForTerminal(flags.output)));
}

// "3 F32, 12 Q4_K, 2 Q6_K"
std::string TypeCounts(const QuantizePlan& plan) {
  std::map<std::string_view, int> counts;
  for (const TensorPlan& tensor : plan.tensors) ++counts[Name(tensor.dtype)];
  std::string text;
  for (const auto& [name, count] : counts) {
    text += Format("{}{} {}", text.empty() ? "" : ", ", count, name);
  }
  return text;
}

// "513 MiB -> 98.9 MiB (19.3 %)", "6.17 bits per weight", "272 tensors: 61 F32, 16 Q4_K"
std::vector<std::string> SizeParts(const QuantizePlan& plan) {
  return {Format("{} -> {} ({:.1f} %)", FormatBytes(plan.source_bytes), FormatBytes(plan.bytes),
                 100.0 * static_cast<double>(plan.bytes) /
                     static_cast<double>(std::max<uint64_t>(1, plan.source_bytes))),
          Format("{:.2f} bits per weight", plan.bits_per_weight()),
          Format("{} tensors: {}", plan.tensors.size(), TypeCounts(plan))};
}

// Lines of at most the terminal's width where `stream` is one.
int ColumnsOf(std::FILE* stream) { return IsTerminal(stream) ? TerminalColumns() : 0; }

Status PrintPlan(const QuantizePlan& plan) {
  Table table({Align::kLeft, Align::kLeft, Align::kLeft, Align::kLeft, Align::kRight});
  table.AddRow({"tensor", "shape", "from", "to", "size"});
  for (const TensorPlan& tensor : plan.tensors) {
    const bool same = tensor.dtype == tensor.source->dtype;
    table.AddRow({EscapeForTerminal(tensor.source->name, 80), tensor.source->shape.ToString(),
                  Name(tensor.source->dtype), same ? "(kept)" : Name(tensor.dtype),
                  FormatBytes(tensor.bytes)});
  }
  return WriteStdout(table.ToString() + "\n" + JoinParts(SizeParts(plan), ColumnsOf(stdout)));
}

// Draws the bar, or where there is no terminal writes a line from time to time.
class Reporter {
 public:
  explicit Reporter(const QuantizePlan& plan) : plan_(plan), bar_("quantize") {}

  void Update(const ConvertProgress& progress) {
    if (!begun_) {
      begun_ = progress.source_bytes;
      last_line_ = start_ = Clock::now();
    }
    const double seconds = SecondsSince(start_);
    const double speed =
        seconds > 0 ? static_cast<double>(progress.source_bytes - *begun_) / seconds : 0;
    const double fraction = static_cast<double>(progress.source_bytes) /
                            static_cast<double>(std::max<uint64_t>(1, plan_.source_bytes));
    const std::string detail =
        Format("{} of {} tensors, {:.0f} MB/s", progress.tensor, plan_.tensors.size(), speed / 1e6);
    bar_.Update(fraction, detail);
    if (IsTerminal(stderr) || SecondsSince(last_line_) < kLineSeconds) return;
    last_line_ = Clock::now();
    std::fprintf(stderr, "quantize: %.0f %%, %s\n", 100 * fraction, detail.c_str());
  }
  void Finish() { bar_.Finish(); }

  // Of input converted by this run.
  uint64_t bytes_converted() const { return plan_.source_bytes - begun_.value_or(0); }
  double seconds() const { return begun_ ? SecondsSince(start_) : 0; }

 private:
  const QuantizePlan& plan_;
  ProgressBar bar_;
  std::optional<uint64_t> begun_;  // source bytes that an earlier run had done
  Clock::time_point start_;
  Clock::time_point last_line_;
};

Status Interruption(const QuantizeFlags& flags, size_t done, size_t all) {
  if (done == 0) return Cancelled("interrupted before the first tensor was complete: nothing kept");
  return Cancelled(
      Format("interrupted: {} of {} tensors are in {}.partial; run the same command again to "
             "continue, or delete that file",
             done, all, EscapeForTerminal(flags.output)));
}

Status WriteModel(const QuantizeFlags& flags, const QuantizePlan& plan) {
  const gguf::WriterOptions options{.resumable = true, .identity = plan.identity};
  ROCFORGE_ASSIGN_OR_RETURN(gguf::Writer writer, gguf::Writer::Create(flags.output, plan.metadata,
                                                                      plan.Specs(), options));
  if (writer.tensors_done() > 0) {
    std::fprintf(stderr, "continuing after %zu of %zu tensors from %s.partial\n",
                 writer.tensors_done(), plan.tensors.size(),
                 EscapeForTerminal(flags.output).c_str());
  }
  ThreadPool pool(flags.threads);
  InterruptScope interrupt;
  Reporter reporter(plan);
  const ConvertHooks hooks{[&](const ConvertProgress& progress) { reporter.Update(progress); },
                           Interrupted};
  const Status status = Convert(plan, hooks, &pool, &writer);
  reporter.Finish();
  if (status.code() == StatusCode::kCancelled) {
    return Interruption(flags, writer.tensors_done(), plan.tensors.size());
  }
  ROCFORGE_RETURN_IF_ERROR(status);
  const double seconds = reporter.seconds();
  std::vector<std::string> parts = SizeParts(plan);
  parts.front() = EscapeForTerminal(flags.output) + ": " + parts.front();
  const double speed = static_cast<double>(reporter.bytes_converted()) / std::max(seconds, 1e-9);
  parts.push_back(Format("{} with {} thread{}, {:.0f} MB/s", FormatSeconds(seconds), pool.size(),
                         pool.size() == 1 ? "" : "s", speed / 1e6));
  std::fputs(JoinParts(parts, ColumnsOf(stderr)).c_str(), stderr);
  return {};
}

Status RunQuantize(const QuantizeFlags& flags) {
  ROCFORGE_ASSIGN_OR_RETURN(const QuantizeOptions options, ReadOptions(flags));
  ROCFORGE_ASSIGN_OR_RETURN(const std::string input, ResolveModel(flags.input));
  ROCFORGE_ASSIGN_OR_RETURN(const gguf::File file, gguf::File::Open(input));
  if (!flags.dry_run) ROCFORGE_RETURN_IF_ERROR(CheckOutput(flags, file));
  std::optional<ImportanceMatrix> importance;
  if (!flags.importance.empty()) {
    ROCFORGE_ASSIGN_OR_RETURN(importance, LoadImportance(flags.importance));
  }
  ROCFORGE_ASSIGN_OR_RETURN(const QuantizePlan plan,
                            PlanQuantize(file, options, importance ? &*importance : nullptr));
  for (const std::string& warning : plan.warnings) LogMessage(LogLevel::kWarn, warning);
  return flags.dry_run ? PrintPlan(plan) : WriteModel(flags, plan);
}

std::string TypeHelp() {
  std::string text = "Type of the weights: a type or a usual mix of types\n";
  for (const quant::FileTypeInfo& info : quant::AllFileTypes()) {
    text += Format("  {:<10} {}\n", info.name, info.about);
  }
  return text;
}

}  // namespace

void RegisterQuantize(Command app, std::function<Status()>* run) {
  auto flags = std::make_shared<QuantizeFlags>();
  Command command = app.AddSubcommand(
      "quantize", "Write a model with smaller weights (interrupted, it continues next time)");
  command.AddOption("IN", flags->input, "GGUF file (any part of a split one)").Required();
  command.AddOption("OUT", flags->output, "GGUF file to write").Required();
  command.AddOption("TYPE", flags->type, TypeHelp()).Required();
  command
      .AddOption("--imatrix", flags->importance,
                 "Importance matrix of the model, as llama-imatrix writes it (GGUF or .dat)")
      .TypeName("FILE");
  command.AddFlag("--pure", flags->pure, "The one type for every matrix, no mix");
  command
      .AddOption("--token-embedding-type", flags->token_embedding,
                 "Type of the token embedding, whatever the mix says")
      .TypeName("T");
  command
      .AddOption("--output-tensor-type", flags->output_tensor,
                 "Type of the output matrix, whatever the mix says")
      .TypeName("T");
  command.AddFlag(
      "--allow-requantize", flags->allow_requantize,
      "Accept weights that are quantized already (worse than from F16 or F32; turning them into "
      "floats needs no flag)");
  command.AddFlag("--force,--overwrite", flags->force, "Replace OUT if it exists");
  command.AddOption("-t,--threads", flags->threads, "Threads (default: one per core)")
      .Range(0, 4096)
      .TypeName("N");
  command.AddFlag("--dry-run", flags->dry_run,
                  "Print every tensor's type and the sizes, write nothing");
  command.OnParsed([flags, run] { *run = [flags] { return RunQuantize(*flags); }; });
}

}  // namespace rocforge::apps
