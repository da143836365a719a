#include "apps/run_stats.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

#include "apps/pull/model_path.h"
#include "apps/terminal/terminal.h"
#include "base/format.h"
#include "prof/memory_bandwidth.h"

namespace rocforge::apps {
namespace {

// More than kernels usually reach: perhaps the ceiling was measured on a busy machine.
constexpr double kSuspicious = 0.9;

// Three significant digits: "1234", "123", "12.3", "1.23".
std::string Significant(double value) {
  return Format("{:.{}f}", value, value < 10 ? 2 : value < 100 ? 1 : 0);
}

std::string Count(int64_t n, const char* noun) {
  return Format("{} {}{}", n, noun, n == 1 ? "" : "s");
}

std::string ReasonText(const session::GenerateOutcome& outcome) {
  using session::FinishReason;
  if (outcome.reason == FinishReason::kStop) {
    return outcome.stop_string.empty()
               ? "end of text"
               : Format("stopped at \"{}\"", EscapeForTerminal(outcome.stop_string, 30));
  }
  if (outcome.reason == FinishReason::kLength) return "token limit";
  if (outcome.reason == FinishReason::kContext) return "context full";
  return "interrupted";
}

bool SameDestination(int a, int b) {
  struct stat sa = {};
  struct stat sb = {};
  return fstat(a, &sa) == 0 && fstat(b, &sb) == 0 && sa.st_dev == sb.st_dev &&
         sa.st_ino == sb.st_ino;
}

std::string BandwidthText(const BandwidthUse& use) {
  std::string text = Significant(use.bytes_per_s / 1e9) + " GB/s";
  if (use.fraction) text += Format(", {:.0f} % of memory bandwidth", *use.fraction * 100);
  if (use.weights_fit_cache) text += " (weights fit the cache)";
  return text;
}

// What a decoded token asked of the GPU's driver, on average.
nlohmann::ordered_json PerTokenJson(const session::GenerateStats& stats) {
  const exec::StepCounters& c = stats.decode_counters;
  const auto each = [&](int64_t n) {
    return static_cast<double>(n) / static_cast<double>(stats.decode_steps);
  };
  return {{"kernels", each(c.launches + c.graph_kernels)},
          {"launches", each(c.launches + c.graph_launches)},
          {"synchronisations", each(c.synchronisations)},
          {"allocations", each(c.allocations)},
          {"bytes_to_device", each(c.bytes_to_device)},
          {"bytes_to_host", each(c.bytes_to_host)}};
}

}  // namespace

std::optional<BandwidthUse> MeasureBandwidthUse(const session::TextModel& model,
                                                const session::GenerateStats& stats) {
  if (stats.decode_steps == 0 || !(stats.decode_seconds > 0)) return std::nullopt;
  BandwidthUse use;
  use.bytes_per_s = stats.decode_bytes_per_second();
  use.bytes_per_token = stats.decode_bytes / static_cast<double>(stats.decode_steps);
  // The ceiling that is measured is the host's.
  if (model.engine().on_gpu()) return use;
  const Result<std::string> folder = CacheFolder();
  if (!folder.ok()) return use;
  const int n_threads = model.engine().options().n_threads;
  Result<prof::MemoryBandwidth> ceiling = prof::CachedMemoryBandwidth(*folder, n_threads);
  if (!ceiling.ok()) return use;
  use.weights_fit_cache =
      static_cast<uint64_t>(model.engine().info().weight_bytes) <= ceiling->last_cache_bytes;
  if (!use.weights_fit_cache && use.bytes_per_s > kSuspicious * ceiling->read_bytes_per_s) {
    ceiling = prof::CachedMemoryBandwidth(*folder, n_threads, /*measure_again=*/true);
    if (!ceiling.ok()) return use;
  }
  use.fraction = use.bytes_per_s / ceiling->read_bytes_per_s;
  return use;
}

std::vector<std::string> StatsParts(const RunReport& report) {
  const session::GenerateStats& s = report.outcome.stats;
  std::vector<std::string> parts;
  std::string prompt = "prompt " + Count(s.prompt_tokens, "token");
  if (s.reused_tokens > 0) prompt += Format(" ({} cached)", s.reused_tokens);
  if (s.prompt_tokens_per_second() > 0) {
    prompt += Format(", {} tok/s", Significant(s.prompt_tokens_per_second()));
  }
  parts.push_back(std::move(prompt));
  std::string generated = "generated " + Count(s.generated_tokens, "token");
  if (s.decode_steps > 0) {
    generated += Format(", {} tok/s", Significant(s.decode_tokens_per_second()));
  }
  parts.push_back(std::move(generated));
  if (s.first_token_seconds > 0) {
    parts.push_back("first token " + FormatSeconds(s.first_token_seconds));
  }
  if (report.bandwidth) parts.push_back(BandwidthText(*report.bandwidth));
  parts.push_back(ReasonText(report.outcome));
  if (s.context_shifts > 0) parts.push_back(Count(s.context_shifts, "context shift"));
  if (!report.prompt_kind.empty()) parts.push_back(report.prompt_kind);
  if (report.load_seconds > 0) parts.push_back("load " + FormatSeconds(report.load_seconds));
  if (report.seed) parts.push_back(Format("seed {}", *report.seed));
  return parts;
}

std::string JoinParts(const std::vector<std::string>& parts, int columns) {
  std::string text;
  int used = 0;
  for (const std::string& part : parts) {
    const int width = DisplayWidth(part);
    if (used > 0 && columns > 0 && used + 3 + width > columns) {
      text += '\n';
      used = 0;
    }
    if (used > 0) {
      text += " | ";
      used += 3;
    }
    text += part;
    used += width;
  }
  return text + '\n';
}

void PrintStats(const RunReport& report, bool text_line_open) {
  if (text_line_open && SameDestination(STDOUT_FILENO, STDERR_FILENO)) std::fputc('\n', stderr);
  const int columns = IsTerminal(stderr) ? TerminalColumns() : 0;
  std::fputs(JoinParts(StatsParts(report), columns).c_str(), stderr);
}

nlohmann::ordered_json StatsJson(const RunReport& report, const session::TextModel& model) {
  const session::GenerateStats& s = report.outcome.stats;
  nlohmann::ordered_json json = {
      {"device", model.engine().device_description()},
      {"prompt", report.prompt_kind},
      {"n_ctx", model.engine().options().n_ctx},
      {"prompt_tokens", s.prompt_tokens},
      {"reused_tokens", s.reused_tokens},
      {"generated_tokens", s.generated_tokens},
      {"context_shifts", s.context_shifts},
      {"load_seconds", report.load_seconds},
      {"prompt_seconds", s.prompt_seconds},
      {"prompt_tokens_per_second", s.prompt_tokens_per_second()},
  };
  if (!report.outcome.stop_string.empty()) json["stop_string"] = report.outcome.stop_string;
  if (s.generated_tokens > 0) json["first_token_seconds"] = s.first_token_seconds;
  if (s.decode_steps > 0) {
    json["generation_seconds"] = s.decode_seconds;
    json["generation_tokens_per_second"] = s.decode_tokens_per_second();
    if (model.engine().on_gpu()) json["per_token"] = PerTokenJson(s);
  }
  if (report.bandwidth) {
    json["bytes_per_token"] = report.bandwidth->bytes_per_token;
    json["bytes_per_second"] = report.bandwidth->bytes_per_s;
    if (report.bandwidth->fraction) json["memory_bandwidth_fraction"] = *report.bandwidth->fraction;
    json["weights_fit_cache"] = report.bandwidth->weights_fit_cache;
  }
  if (report.seed) json["seed"] = *report.seed;
  return json;
}

}  // namespace rocforge::apps
