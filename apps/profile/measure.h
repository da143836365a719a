// Runs a model for `rocforge profile`.
#pragma once

#include <functional>

#include "apps/profile/profile.h"
#include "rocforge/status.h"
#include "session/text_model.h"

namespace rocforge::apps {

struct ProfileOptions {
  int32_t n_prompt = 128;
  int32_t n_generate = 32;
  bool events = false;
};

// Reads a text of n_prompt tokens and writes n_generate more with the default sampler, twice: as
// `generate` would, and with the ops timed. Fills `profile`, which has the memory samples of the
// load already. After Ctrl-C: kCancelled, with what was measured so far in `profile` and marked
// there.
Status RunProfile(session::TextModel& model, const ProfileOptions& options,
                  const std::function<void(double fraction)>& progress, Profile* profile);

// Bytes of this process that are in memory; 0 where the system does not say.
int64_t ResidentBytes();

}  // namespace rocforge::apps
