// Command lines for AMD's profilers. Text only: nothing here starts a process.
//
// Options, counter names and limits are those of these sources, none of which we could run on a
// card:
//   rocprofv3       ROCprofiler-SDK 0.5.0 (ROCm 6.3) and its documentation up to ROCm 7.14;
//                   counters: its counter_defs.yaml of 2026, by gfx target
//   rocprof         rocprofiler of ROCm 6.3 (bin/rpl_run.sh, README, derived metrics.xml)
//   rocprof-compute ROCm Compute Profiler 3.0.0 (once Omniperf) and its documentation up to 7.14
//   rocprof-sys     ROCm Systems Profiler 0.1.0 (once Omnitrace), docs/how-to
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rocforge/status.h"

namespace rocforge::prof {

enum class RocmTool : uint8_t { kRocprofv3, kRocprof, kRocprofCompute, kRocprofSys };
enum class CardFamily : uint8_t { kRdna2, kRdna3, kRdna4, kCdna3 };

inline constexpr RocmTool kRocmTools[] = {RocmTool::kRocprofv3, RocmTool::kRocprof,
                                          RocmTool::kRocprofCompute, RocmTool::kRocprofSys};
inline constexpr CardFamily kCardFamilies[] = {CardFamily::kRdna2, CardFamily::kRdna3,
                                               CardFamily::kRdna4, CardFamily::kCdna3};

const char* RocmToolName(RocmTool tool);      // "rocprofv3"
const char* CardFamilyName(CardFamily card);  // "RDNA3"

// "rocprofv3", ..., and the former names "omniperf" and "omnitrace". kInvalidArgument names the
// choices.
Result<RocmTool> ParseRocmTool(std::string_view name);
// "rdna3" in any case, or a target of that family ("gfx1100", "gfx11-generic", "gfx942").
// kInvalidArgument names the choices.
Result<CardFamily> ParseCardFamily(std::string_view name);

struct RocmCommand {
  std::string question;  // "Which kernels take the time?"
  std::string line;      // for a POSIX shell
  std::string answer;    // which file or number to look at
};

struct RocmGuide {
  std::vector<RocmCommand> commands;  // empty: the tool does not serve this family; notes say why
  std::vector<std::string> notes;     // what is known not to work, what to set before
};

// Lines that run `command` (program and arguments; quoted for the shell where they need it) under
// the tool. Each counter command is one pass of few counters; output goes to ./rocforge_profile.
RocmGuide MakeRocmGuide(RocmTool tool, CardFamily card, std::span<const std::string> command);

// As one word of a POSIX shell: itself, or in single quotes.
std::string ShellQuote(std::string_view word);

}  // namespace rocforge::prof
