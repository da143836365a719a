// Reads what AMD's profilers write, into one table of kernels, copies and API calls.
//
// Formats, by their sources (sample files of the tests are written by hand from these):
//   rocprofv3 CSV    kernel_trace, memory_copy_trace, *_api_trace, *_stats, counter_collection
//                    (ROCprofiler-SDK 0.5 to ROCm 7; columns are found by name, so that more may
//                    follow)
//   rocprofv3 JSON   {"rocprofiler-sdk-tool": [...]} (rocprofv3-schema.json)
//   rocpd            SQLite with tables rocpd_kernel_dispatch*, rocpd_memory_copy* (schema version
//                    3, with times in the rows or in rocpd_timestamp*)
//   legacy rocprof   results.csv (KernelName, BeginNs, EndNs, counters), *.stats.csv, the Chrome
//                    trace of --hip-trace, and the CSV of rocprofv2's file plug-in
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rocforge/status.h"

namespace rocforge::prof {

// All calls of one name.
struct ProfileRow {
  std::string name;  // any bytes: escape before showing
  int64_t calls = 0;
  int64_t total_ns = 0;
  int64_t min_ns = 0;
  int64_t max_ns = 0;
  std::map<std::string, double> counters;  // by name: mean of a call
};

struct ImportedProfile {
  std::vector<std::string> formats;  // of each file, for people: "rocprofv3 kernel trace (CSV)"
  // The longest first.
  std::vector<ProfileRow> kernels;
  std::vector<ProfileRow> copies;
  std::vector<ProfileRow> api;
  // From the first kernel's begin to the last one's end, and the part of it in which a kernel ran;
  // 0 where the file has no single calls.
  int64_t span_ns = 0;
  int64_t busy_ns = 0;
  bool counter_times = false;  // times are those of a counter run, whose kernels ran one at a time
};

// Files are told apart by their content. kDataLoss names the file, the line and what is wrong;
// kUnsupported for SQLite without libsqlite3 on the machine, and for formats with another name
// (Perfetto, OTF2); kNotFound, kUnavailable as the system says.
Result<ImportedProfile> ImportRocmFile(const std::string& path);

// The same for text in memory: CSV or JSON.
Result<ImportedProfile> ImportRocmText(std::string_view text);

// Several files of the same work as one: counters join the kernels of equal names; times come from
// traces where there are any, else from the counter runs.
ImportedProfile MergeProfiles(std::span<const ImportedProfile> profiles);

}  // namespace rocforge::prof
