// Text with C-style escapes, one text a line.
#pragma once

#include <string>
#include <string_view>

#include "rocforge/status.h"

namespace rocforge::apps {

// Resolves \n \t \r \a \b \e \f \v \0 \\ \" \' \/ \xHH (a byte), \uHHHH (two make a surrogate pair)
// and \UHHHHHHHH (a code point, as UTF-8); all other bytes stay. kDataLoss, saying where and what,
// for anything else behind a backslash.
Result<std::string> ResolveEscapes(std::string_view text);

}  // namespace rocforge::apps
