// For the few outcomes that have an exit code of their own.
#pragma once

#include "rocforge/status.h"

namespace rocforge::apps {

// `status` (not ok), with which the process shall exit with `code` instead of the usual one.
Status ExitWith(int code, Status status);

// The code of the last ExitWith; `usual` if there was none.
int ExitCodeOr(int usual);

}  // namespace rocforge::apps
