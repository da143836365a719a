// The methods of the builtin types.
#pragma once

#include <string_view>

#include "text/chat/value.h"

namespace rocforge::text::chat {

// The method `name` of values of this kind; nullptr if there is none. Methods that would change
// their object are not here: see IsMutator.
const MethodInfo* FindMethod(Kind kind, std::string_view name);
const MethodInfo* FindStringMethod(std::string_view name);

// Whether `name` is a Python method that changes a list or a dict, which the sandbox forbids.
bool IsMutator(Kind kind, std::string_view name);

}  // namespace rocforge::text::chat
