// A remark on the context that the user asked for.
#pragma once

#include "session/session.h"

namespace rocforge::apps {

// Warns if the context is longer than the one that the model was trained for.
void WarnOfLongContext(const session::TextModel& model);

}  // namespace rocforge::apps
