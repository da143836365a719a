// The page of `rocforge profile --html`: one file, nothing loaded from elsewhere.
#pragma once

#include <string>

#include "apps/profile/profile.h"
#include "apps/profile/summary.h"

namespace rocforge::apps {

// Time line, roofline, bars of the ops, memory over time, and the tables. The time line has whole
// steps until kMaxTimelineOps ops; the page says how many that are. Light and dark follow the
// reader's system.
inline constexpr size_t kMaxTimelineOps = 8000;
std::string ToHtml(const Profile& profile, const Summary& summary);

}  // namespace rocforge::apps
