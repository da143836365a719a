// Runs another program without a shell.
#pragma once

#include <string>
#include <vector>

#include "rocforge/status.h"

namespace rocforge::apps {

struct ProcessOptions {
  bool quiet = false;  // its output goes nowhere; else both its streams go to our stderr
};

// argv[0] is searched in PATH. Waits for the end and returns the exit status (128 + number if a
// signal ended it). kNotFound if there is no such program. Its stdin is empty.
Result<int> RunProcess(const std::vector<std::string>& argv, const ProcessOptions& options);

}  // namespace rocforge::apps
