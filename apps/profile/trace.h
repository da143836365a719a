// The trace of `rocforge profile --trace`: the JSON of chrome://tracing, which Perfetto opens too.
#pragma once

#include <string>

#include "apps/profile/profile.h"

namespace rocforge::apps {

// Process 1 has the threads "host" (what the program did), "GPU stream" or "CPU team" (every op),
// and "request" (the one request with its prompt and its text), and counters for memory by
// part, cache, tokens a second and bandwidth. Times are microseconds from the begin of the run. A
// GPU's ops are placed so that the step's last one ends when the host had its result, less the
// download. (Trace Event Format, Google, "Complete Events", "Counter Events", "Metadata Events")
std::string ToTrace(const Profile& profile);

}  // namespace rocforge::apps
