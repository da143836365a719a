#include "prof/rocm_tools.h"

#include <algorithm>
#include <cctype>

#include "base/format.h"

namespace rocforge::prof {
namespace {

// Counters that answer a question, at most four of a block, so that one pass collects them.
struct CounterSet {
  const char* file;  // a word for the output's name
  const char* question;
  const char* counters;
  const char* answer;
};

// Questions; each card's counters and what their numbers say.
CounterSet Ask(const char* file, const char* counters, const char* answer) {
  struct Question {
    const char* file;
    const char* text;
  };
  static constexpr Question kQuestions[] = {
      {"read", "How much does each kernel read from memory?"},
      {"write", "How much does it write?"},
      {"cache", "What does the L2 cache serve?"},
      {"cache0", "What does the L0 cache serve?"},
      {"occupancy", "How many waves are resident?"},
      {"wait", "What do waves wait for?"},
      {"units", "Which unit holds them up?"},
      {"matrix", "How busy are the matrix cores?"},
  };
  for (const Question& q : kQuestions) {
    if (std::string_view(q.file) == file) return {file, q.text, counters, answer};
  }
  return {file, "", counters, answer};
}

// Sets that several tables have.
CounterSet Read() {
  return Ask("read", "FETCH_SIZE",
             "FETCH_SIZE: KiB a call; over the call's time of the kernel trace it is the "
             "bandwidth");
}
CounterSet Write() { return Ask("write", "WRITE_SIZE", "WRITE_SIZE: KiB a call"); }
CounterSet Cache() { return Ask("cache", "L2CacheHit", "L2CacheHit: percent of requests"); }
CounterSet Occupancy(const char* counters) {
  return Ask("occupancy", counters, "OccupancyPercent: of the most waves that fit");
}
CounterSet RdnaWait() {
  return Ask("wait", "WAVE_DEP_WAIT WAVE_ISSUE_WAIT",
             "percent of the waves' cycles: WAVE_DEP_WAIT for anything, WAVE_ISSUE_WAIT for an "
             "instruction to issue");
}
CounterSet RdnaUnits() {
  return Ask("units", "MemUnitBusy ALUStalledByLDS LDSBankConflict",
             "percent of the time: memory unit busy, ALU stalled by LDS, LDS bank conflicts");
}
CounterSet Matrix() { return Ask("matrix", "MfmaUtil", "MfmaUtil: percent of the time"); }

using CounterSets = std::vector<CounterSet>;

CounterSets SetsOf(CardFamily card) {
  constexpr const char* kRdnaOccupancy = "OccupancyPercent MeanOccupancyPerActiveCU SQ_WAVES";
  switch (card) {
    case CardFamily::kRdna2:
      return {Read(),     Write(),    Cache(), Occupancy("OccupancyPercent SQ_WAVES"),
              RdnaWait(), RdnaUnits()};
    case CardFamily::kRdna3:
      return {Read(), Write(), Cache(), Occupancy(kRdnaOccupancy), RdnaWait(), RdnaUnits()};
    case CardFamily::kRdna4:
      return {Read(),
              Ask("write", "GL2C_EA_WRREQ_sum GL2C_EA_WRREQ_64B_sum",
                  "bytes a call: 64 x GL2C_EA_WRREQ_64B_sum + 32 x the other GL2C_EA_WRREQ_sum"),
              Cache(),
              Ask("cache0", "L0CacheHit", "L0CacheHit: percent of reads"),
              Occupancy(kRdnaOccupancy),
              RdnaWait(),
              Ask("units", "MemUnitBusy LDSBankConflict",
                  "percent of the time: memory unit busy, LDS bank conflicts")};
    case CardFamily::kCdna3:
      return {Read(),
              Write(),
              Ask("cache", "TCC_HIT_sum TCC_MISS_sum",
                  "the hit rate is TCC_HIT_sum / (TCC_HIT_sum + TCC_MISS_sum)"),
              Occupancy("OccupancyPercent SQ_WAVES"),
              Ask("wait", "SQ_WAIT_ANY SQ_WAIT_INST_ANY SQ_WAVE_CYCLES",
                  "SQ_WAIT_ANY / SQ_WAVE_CYCLES: waiting for anything; SQ_WAIT_INST_ANY: for an "
                  "instruction to issue"),
              Ask("units", "MemUnitStalled", "MemUnitStalled: percent of the time"),
              Matrix()};
  }
  return {};
}

// What the legacy rocprof's own definitions have.
CounterSets LegacySetsOf(CardFamily card) {
  const CounterSet rdna_write =
      Ask("write", "GL2C_MC_WRREQ_sum GL2C_EA_WRREQ_64B_sum",
          "bytes a call: 64 x GL2C_EA_WRREQ_64B_sum + 32 x the other GL2C_MC_WRREQ_sum");
  switch (card) {
    case CardFamily::kRdna2:
      return {Read(),
              rdna_write,
              Cache(),
              Ask("occupancy", "MeanOccupancyPerCU", "waves on a compute unit, in the mean"),
              RdnaWait(),
              RdnaUnits()};
    case CardFamily::kRdna3:
      return {Read(),
              rdna_write,
              Cache(),
              Occupancy("OccupancyPercent"),
              RdnaWait(),
              Ask("units", "WriteUnitStalled LDSBankConflict",
                  "percent of the time: write unit stalled, LDS bank conflicts")};
    case CardFamily::kCdna3:
      return {Read(),
              Write(),
              Cache(),
              Occupancy("OccupancyPercent"),
              Ask("units", "MemUnitBusy MemUnitStalled",
                  "percent of the time: memory unit busy, stalled"),
              Matrix()};
    case CardFamily::kRdna4:
      break;
  }
  return {};
}

std::string Join(std::span<const std::string> command) {
  std::string text;
  for (const std::string& word : command) text += (text.empty() ? "" : " ") + ShellQuote(word);
  return text;
}

void AddClockNote(CardFamily card, RocmGuide& guide) {
  if (card != CardFamily::kRdna3 && card != CardFamily::kRdna4) return;
  guide.notes.emplace_back(
      "at the performance level AUTO the counters' clock is off in some blocks and they read 0: "
      "first `sudo amd-smi set --perf-level STABLE_STD`, afterwards the same with AUTO");
}

// Which cards' counters rocprofv3 knows.
const char* DefinedFor(CardFamily card) {
  switch (card) {
    case CardFamily::kRdna2:
      return "counters are defined for gfx1030, gfx1031 and gfx1032; the APUs gfx1033 to gfx1036 "
             "have traces only";
    case CardFamily::kRdna3:
      return "counters are defined for gfx1100 to gfx1102, and from 2025 on for gfx1150 and "
             "gfx1151 (without WAVE_DEP_WAIT and WAVE_ISSUE_WAIT); gfx1103 came in 2026";
    case CardFamily::kRdna4:
      return "counters are defined for gfx1200 and gfx1201 from ROCm 6.4 on; WRITE_SIZE and "
             "ALUStalledByLDS are not";
    case CardFamily::kCdna3:
      return "L2CacheHit, MemUnitBusy and ALUStalledByLDS are not defined for gfx942; FETCH_SIZE "
             "was counted in 128-byte requests before ROCm 6.4, so compare within one version only";
  }
  return "";
}

RocmGuide Rocprofv3(CardFamily card, const std::string& command) {
  RocmGuide guide;
  const auto line = [&](const std::string& options, const char* name) {
    return Format("rocprofv3 {} --output-format csv -d rocforge_profile -o {} -- {}", options, name,
                  command);
  };
  guide.commands = {
      {"Which kernels take the time?", line("--kernel-trace --stats", "kernels"),
       "rocforge_profile/kernels_kernel_trace.csv"},
      {"What are copies, allocations and HIP calls between them?",
       line("--hip-trace --memory-copy-trace --memory-allocation-trace --kernel-trace", "hip"),
       "rocforge_profile/hip_hip_api_trace.csv, hip_memory_copy_trace.csv"},
      {"What does the runtime below HIP do?", line("--hsa-trace --kernel-trace", "hsa"),
       "rocforge_profile/hsa_hsa_api_trace.csv"},
      {"A time line for ui.perfetto.dev",
       Format("rocprofv3 --runtime-trace --output-format pftrace -d rocforge_profile -o line -- {}",
              command),
       "rocforge_profile/line_results.pftrace"},
  };
  for (const CounterSet& set : SetsOf(card))
    guide.commands.push_back(
        {set.question, line(Format("--pmc {}", set.counters), set.file), set.answer});
  AddClockNote(card, guide);
  guide.notes.emplace_back(DefinedFor(card));
  guide.notes.emplace_back(
      "a set that the card cannot collect in one pass makes the run fail: `rocprofv3-avail "
      "pmc-check COUNTERS` (ROCm 7) tells before, one counter a run always works");
  guide.notes.emplace_back(
      "while counters are collected kernels run one at a time: take times from the kernel trace");
  guide.notes.emplace_back(
      "from ROCm 7 on the default output is rocpd (SQLite); `rocforge profile --import` reads CSV, "
      "JSON and rocpd");
  return guide;
}

RocmGuide Rocprof(CardFamily card, const std::string& command) {
  RocmGuide guide;
  guide.notes.emplace_back("rocprof is deprecated and ROCm 7 is moving off it: prefer rocprofv3");
  if (card == CardFamily::kRdna4) {
    guide.notes.emplace_back(
        "its documented cards end at gfx1100: there is no line for RDNA4; use rocprofv3");
    return guide;
  }
  const auto line = [&](const std::string& options, const char* name) {
    return Format("rocprof {} -o rocforge_{}.csv {}", options, name, command);
  };
  guide.commands = {
      {"Which kernels take the time?", line("--stats --timestamp on", "kernels"),
       "rocforge_kernels.csv, rocforge_kernels.stats.csv"},
      {"What are copies and HIP calls between them?", line("--hip-trace", "hip"),
       "rocforge_hip.json, rocforge_hip.hip_stats.csv"},
      {"What does the runtime below HIP do?", line("--hsa-trace", "hsa"),
       "rocforge_hsa.json, rocforge_hsa.hsa_stats.csv"},
  };
  for (const CounterSet& set : LegacySetsOf(card)) {
    guide.commands.push_back(
        {set.question,
         Format("printf 'pmc: {}\\n' > rocforge_{}.txt && ", set.counters, set.file) +
             line(Format("-i rocforge_{}.txt --timestamp on", set.file), set.file),
         set.answer});
  }
  AddClockNote(card, guide);
  guide.notes.emplace_back(
      "whether a counter exists for the card: `rocprof --list-basic` and `--list-derived`");
  return guide;
}

RocmGuide RocprofCompute(CardFamily card, const std::string& command) {
  RocmGuide guide;
  if (card != CardFamily::kCdna3) {
    guide.notes.push_back(
        Format("rocprof-compute serves Instinct cards (MI100 to MI300), and newer versions the "
               "Ryzen APUs gfx115x; no line for {} cards: use rocprofv3",
               CardFamilyName(card)));
    return guide;
  }
  guide.commands = {
      {"Collect all its metrics (it runs the command many times)",
       Format("rocprof-compute profile -n rocforge --no-roof -- {}", command),
       "workloads/rocforge/"},
      {"The same with the roofline", Format("rocprof-compute profile -n rocforge -- {}", command),
       "workloads/rocforge/, empirRoof*.pdf"},
      {"Only the kernels of the decode step",
       Format("rocprof-compute profile -n rocforge_matvec --no-roof -k matvec -- {}", command),
       "workloads/rocforge_matvec/"},
      {"Read them: speed of light, L2, memory chart",
       "rocprof-compute analyze -p workloads/rocforge/*", "panels 2, 4 and 17"},
  };
  guide.notes.emplace_back("called omniperf before ROCm 6.3, with the same options");
  guide.notes.emplace_back(
      "every pass runs the whole command again: keep it short (`-n 8` tokens, a fixed --seed)");
  return guide;
}

RocmGuide RocprofSys(const std::string& command) {
  RocmGuide guide;
  guide.commands = {
      {"A time line of host threads, HIP calls and kernels",
       Format("rocprof-sys-sample --trace --host -- {}", command),
       "rocprofsys-*-output/*/perfetto-trace*.proto, for ui.perfetto.dev"},
      {"Where the host's time goes, by call stack",
       Format("rocprof-sys-sample --profile -- {}", command),
       "rocprofsys-*-output/*/wall_clock*.txt"},
      {"Counters of device 0 beside the time line",
       Format("ROCPROFSYS_USE_ROCPROFILER=ON ROCPROFSYS_ROCM_EVENTS=SQ_WAVES:device=0 "
              "rocprof-sys-sample --trace -- {}",
              command),
       "the same file"},
  };
  guide.notes.emplace_back("called omnitrace before ROCm 6.3 (omnitrace-sample)");
  guide.notes.emplace_back(
      "`rocprof-sys-avail -G ~/.rocprof-sys.cfg` writes its settings, `rocprof-sys-avail -H -c "
      "GPU` "
      "lists the card's counters");
  return guide;
}

}  // namespace

const char* RocmToolName(RocmTool tool) {
  switch (tool) {
    case RocmTool::kRocprofv3:
      return "rocprofv3";
    case RocmTool::kRocprof:
      return "rocprof";
    case RocmTool::kRocprofCompute:
      return "rocprof-compute";
    case RocmTool::kRocprofSys:
      return "rocprof-sys";
  }
  return "";
}

const char* CardFamilyName(CardFamily card) {
  switch (card) {
    case CardFamily::kRdna2:
      return "RDNA2";
    case CardFamily::kRdna3:
      return "RDNA3";
    case CardFamily::kRdna4:
      return "RDNA4";
    case CardFamily::kCdna3:
      return "CDNA3";
  }
  return "";
}

Result<RocmTool> ParseRocmTool(std::string_view name) {
  for (const RocmTool tool : kRocmTools) {
    if (name == RocmToolName(tool)) return tool;
  }
  if (name == "omniperf") return RocmTool::kRocprofCompute;
  if (name == "omnitrace") return RocmTool::kRocprofSys;
  return InvalidArgument(
      Format("unknown tool '{}'; use rocprofv3, rocprof, rocprof-compute or rocprof-sys",
             EscapeForTerminal(name, 40)));
}

Result<CardFamily> ParseCardFamily(std::string_view name) {
  const std::string lower = AsciiLowercase(name);
  for (const CardFamily card : kCardFamilies) {
    if (lower == AsciiLowercase(CardFamilyName(card))) return card;
  }
  if (lower.starts_with("gfx103") || lower == "gfx10-3-generic") return CardFamily::kRdna2;
  if (lower.starts_with("gfx11")) return CardFamily::kRdna3;
  if (lower.starts_with("gfx12")) return CardFamily::kRdna4;
  if (lower.starts_with("gfx94")) return CardFamily::kCdna3;
  return InvalidArgument(
      Format("unknown card family '{}'; use rdna2, rdna3, rdna4, cdna3 or a target such as gfx1100",
             EscapeForTerminal(name, 40)));
}

RocmGuide MakeRocmGuide(RocmTool tool, CardFamily card, std::span<const std::string> command) {
  const std::string text = Join(command);
  switch (tool) {
    case RocmTool::kRocprofv3:
      return Rocprofv3(card, text);
    case RocmTool::kRocprof:
      return Rocprof(card, text);
    case RocmTool::kRocprofCompute:
      return RocprofCompute(card, text);
    case RocmTool::kRocprofSys:
      return RocprofSys(text);
  }
  return {};
}

std::string ShellQuote(std::string_view word) {
  const auto plain = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           std::string_view("-_./:=,+@%").find(c) != std::string_view::npos;
  };
  if (!word.empty() && std::all_of(word.begin(), word.end(), plain)) return std::string(word);
  std::string out = "'";
  for (const char c : word) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + "'";
}

}  // namespace rocforge::prof
