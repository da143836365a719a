// `rocforge profile --import`: what AMD's profilers wrote, in the tables of `rocforge profile`.
#pragma once

#include <string>
#include <vector>

#include "rocforge/status.h"

namespace rocforge::apps {

struct ImportOptions {
  std::vector<std::string> files;  // of the same work; counters join the times (rocm_import.h)
  // Whose measured ceilings to divide by ("gpu:0", as CeilingsOf takes it); empty: none.
  std::string device;
  bool all = false;  // all rows, not only the first 20 of each table
  bool json = false;
};

// Prints the tables, or one JSON object.
Status ImportProfiles(const ImportOptions& options);

}  // namespace rocforge::apps
