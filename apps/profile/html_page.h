// The page of `rocforge profile --html` around its data.
#pragma once

#include <string_view>

namespace rocforge::apps {

// HTML before and after the JSON object with the data.
extern const std::string_view kPageHead;
extern const std::string_view kPageTail;

}  // namespace rocforge::apps
