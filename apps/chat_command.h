// The /commands of `rocforge chat`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "apps/run_stats.h"
#include "rocforge/status.h"
#include "sample/sampler.h"
#include "session/conversation.h"

namespace rocforge::apps {

// What /set changes.
struct ChatSettings {
  sample::SamplerParams sampling;
  int64_t max_tokens = session::kNoTokenLimit;
};

// What the loop does after a command.
struct ChatAction {
  std::string remark;  // to show
  bool reply = false;  // the last question wants an answer
  bool leave = false;
};

// Runs a line that begins with '/'. `last`: the last answer, for /stats. kInvalidArgument for an
// unknown command or a wrong argument; errors of files are theirs.
Result<ChatAction> RunChatCommand(const std::string& line, session::Conversation& conversation,
                                  ChatSettings& settings, const std::optional<RunReport>& last);

}  // namespace rocforge::apps
