#include "apps/bench/against.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "apps/bench/report.h"
#include "apps/output.h"
#include "apps/table.h"
#include "apps/terminal/interrupt.h"
#include "apps/terminal/progress.h"
#include "base/format.h"
#include "prof/statistics.h"

namespace rocforge::apps {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kSelf = "/proc/self/exe";
constexpr const char* kChildMinTime = "0.05";

// Flags that are not for the runs; true: a value follows.
constexpr std::pair<std::string_view, bool> kOwnFlags[] = {
    {"--against", true},   {"--rounds", true},        {"--gate", true},
    {"--json", false},     {"--csv", false},          {"--save-baseline", true},
    {"--threshold", true}, {"--threshold-p95", true}, {"--threshold-p99", true},
};

std::vector<std::string> OwnArguments() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  std::vector<std::string> arguments;
  for (std::string argument; std::getline(file, argument, '\0');) arguments.push_back(argument);
  if (!arguments.empty()) arguments.erase(arguments.begin());
  return arguments;
}

// stdout of `binary ARGUMENTS`, which must exit with 0. kCancelled after Ctrl-C, which the child
// gets too.
Result<std::string> Output(const std::string& binary, const std::vector<std::string>& arguments) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return Unavailable(Format("pipe: {}", std::strerror(errno)));
  std::vector<char*> argv;
  argv.push_back(const_cast<char*>(binary.c_str()));
  for (const std::string& a : arguments) argv.push_back(const_cast<char*>(a.c_str()));
  argv.push_back(nullptr);
  const pid_t pid = fork();
  if (pid == 0) {
    dup2(ends[1], STDOUT_FILENO);
    execv(binary.c_str(), argv.data());
    _exit(127);
  }
  close(ends[1]);
  std::string text;
  if (pid > 0) {
    char buffer[1 << 16];
    for (;;) {
      const ssize_t n = read(ends[0], buffer, sizeof(buffer));
      if (n > 0) text.append(buffer, static_cast<size_t>(n));
      if (n == 0 || (n < 0 && errno != EINTR)) break;
      // A signal to this process alone: the child must not go on without us.
      if (n < 0 && Interrupted()) kill(pid, SIGINT);
    }
  }
  close(ends[0]);
  if (pid < 0) return Unavailable(Format("fork: {}", std::strerror(errno)));
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (Interrupted()) return Cancelled("");
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return text;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
    return NotFound(Format("cannot run {}", EscapeForTerminal(binary)));
  return FailedPrecondition(
      Format("{} failed; does it know this command?", EscapeForTerminal(binary)));
}

struct Sample {
  std::string name;
  std::string unit;
  bool exact = false;
  double best = 0;
};

Result<std::vector<Sample>> ParseRun(const std::string& text, const std::string& binary) {
  const Json json = Json::parse(text, nullptr, false);
  std::vector<Sample> samples;
  const Status foreign = FailedPrecondition(
      Format("{} printed no results that this build can read", EscapeForTerminal(binary)));
  if (!json.is_object() || !json.contains("results") || !json["results"].is_array()) return foreign;
  for (const Json& r : json["results"]) {
    if (!r.is_object()) return foreign;
    const auto name = r.find("name");
    const auto unit = r.find("unit");
    const auto exact = r.find("exact");
    const auto best = r.find("min");
    if (name == r.end() || !name->is_string()) return foreign;
    if (unit == r.end() || best == r.end()) continue;  // a case that failed
    if (!unit->is_string() || !best->is_number()) return foreign;
    if (exact == r.end() || !exact->is_boolean()) return foreign;
    samples.push_back({name->get<std::string>(), unit->get<std::string>(), exact->get<bool>(),
                       best->get<double>()});
  }
  return samples;
}

// One case over all rounds.
struct Duel {
  std::string name;
  std::string unit;
  bool exact = false;
  std::vector<double> a;  // the best of two runs, by round
  std::vector<double> b;
  prof::PairedRatio result;

  void Judge() {
    std::vector<double> ratios;
    for (size_t i = 0; i < a.size(); ++i) ratios.push_back(b[i] / a[i]);
    result = prof::MedianOfRatios(ratios);
    if (exact) result.interval = {result.ratio, result.ratio};
  }
  bool Slower(double gate) const { return result.ratio > 1 + gate && result.interval.low > 1; }
  bool Faster(double gate) const {
    return result.ratio < 1 / (1 + gate) && result.interval.high < 1;
  }
};

class Match {
 public:
  Match(std::string other, std::vector<std::string> arguments)
      : other_(std::move(other)), arguments_(std::move(arguments)) {}

  Status Round() {
    std::vector<std::vector<Sample>> runs;
    for (const bool self : {false, true, true, false}) {
      const std::string binary = self ? kSelf : other_;
      ROCFORGE_ASSIGN_OR_RETURN(const std::string text, Output(binary, arguments_));
      ROCFORGE_ASSIGN_OR_RETURN(auto run, ParseRun(text, self ? "this build" : other_));
      runs.push_back(std::move(run));
    }
    const auto find = [](const std::vector<Sample>& run, const std::string& name) {
      return std::find_if(run.begin(), run.end(), [&](const Sample& s) { return s.name == name; });
    };
    // What only one build has cannot be compared.
    for (const Sample& s : runs[1]) {
      double value[4] = {};
      bool all = true;
      for (size_t i = 0; i < runs.size(); ++i) {
        const auto found = find(runs[i], s.name);
        all = all && found != runs[i].end();
        if (all) value[i] = found->best;
      }
      if (!all) continue;
      Duel& duel = DuelOf(s);
      duel.a.push_back(std::min(value[0], value[3]));
      duel.b.push_back(std::min(value[1], value[2]));
    }
    return {};
  }

  std::vector<Duel>& duels() { return duels_; }

 private:
  Duel& DuelOf(const Sample& s) {
    for (Duel& duel : duels_) {
      if (duel.name == s.name) return duel;
    }
    return duels_.emplace_back(Duel{s.name, s.unit, s.exact, {}, {}, {}});
  }

  std::string other_;
  std::vector<std::string> arguments_;
  std::vector<Duel> duels_;
};

const char* VerdictText(const Duel& duel, double gate) {
  return duel.Slower(gate) ? "slower" : duel.Faster(gate) ? "faster" : "same";
}

Status PrintJson(const std::string& suite, const BenchOptions& options, bool complete,
                 const std::vector<Duel>& duels) {
  Json json{{"suite", suite},
            {"against", options.against},
            {"complete", complete},
            {"gate", options.gate},
            {"results", Json::array()}};
  for (const Duel& d : duels) {
    json["results"].push_back(Json{{"name", d.name},
                                   {"unit", d.unit},
                                   {"verdict", VerdictText(d, options.gate)},
                                   {"rounds", d.a.size()},
                                   {"ratio", d.result.ratio},
                                   {"low", d.result.interval.low},
                                   {"high", std::min(d.result.interval.high, 1e9)},
                                   {"before", d.a},
                                   {"now", d.b}});
  }
  return WriteStdout(json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

Status PrintTable(const BenchOptions& options, const std::vector<Duel>& duels) {
  Table table({Align::kLeft, Align::kLeft, Align::kRight, Align::kRight, Align::kRight});
  table.AddRow({"case", "now", "change", "99 % interval", "rounds"});
  for (const Duel& d : duels) {
    const prof::Interval& i = d.result.interval;
    table.AddRow({d.name, VerdictText(d, options.gate), ChangeText(d.result.ratio),
                  d.exact     ? "counted"
                  : i.low > 0 ? Format("{} to {}", ChangeText(i.low), ChangeText(i.high))
                              : "needs 8 rounds",
                  Format("{}", d.a.size())});
  }
  return WriteStdout(table.ToString());
}

}  // namespace

std::vector<std::string> ChildArguments(const std::vector<std::string>& own) {
  std::vector<std::string> arguments;
  bool min_time = false;
  for (size_t i = 0; i < own.size(); ++i) {
    const std::string flag = own[i].substr(0, own[i].find('='));
    const auto* dropped = std::find_if(std::begin(kOwnFlags), std::end(kOwnFlags),
                                       [&](const auto& known) { return known.first == flag; });
    if (dropped != std::end(kOwnFlags)) {
      if (dropped->second && flag == own[i]) ++i;
      continue;
    }
    min_time = min_time || flag == "--min-time";
    arguments.push_back(own[i]);
  }
  arguments.emplace_back("--json");
  if (!min_time) arguments.insert(arguments.end(), {"--min-time", kChildMinTime});
  return arguments;
}

Status RunAgainst(const std::string& suite, const BenchOptions& options) {
  if (access(options.against.c_str(), X_OK) != 0) {
    return NotFound(
        Format("cannot run {}: {}", EscapeForTerminal(options.against), std::strerror(errno)));
  }
  const InterruptScope interrupt;
  Match match(options.against, ChildArguments(OwnArguments()));
  bool complete = true;
  {
    ProgressBar bar("A B B A");
    for (int round = 0; round < options.rounds; ++round) {
      bar.Update(static_cast<double>(round) / options.rounds,
                 Format("round {} of {}", round + 1, options.rounds));
      const Status status = match.Round();
      complete = status.code() != StatusCode::kCancelled;
      if (!complete) break;
      ROCFORGE_RETURN_IF_ERROR(status);
    }
  }
  std::vector<Duel>& duels = match.duels();
  for (Duel& duel : duels) duel.Judge();
  ROCFORGE_RETURN_IF_ERROR(options.json ? PrintJson(suite, options, complete, duels)
                                        : PrintTable(options, duels));
  if (!complete) return Cancelled("interrupted: fewer rounds than asked for");
  if (duels.empty()) return FailedPrecondition("the two builds have no case in common");
  std::string names;
  for (const Duel& duel : duels) {
    if (duel.Slower(options.gate)) names += (names.empty() ? "" : "; ") + duel.name;
  }
  if (names.empty()) return {};
  return FailedPrecondition("slower than the other build: " + names);
}

}  // namespace rocforge::apps
