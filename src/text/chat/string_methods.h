// What the files with the methods of str share.
#pragma once

#include <span>
#include <string_view>

#include "text/chat/ops.h"
#include "text/chat/runtime.h"
#include "text/chat/value.h"

namespace rocforge::text::chat {

using Self = const Value&;

// A new string with self's mark of safety.
inline Value NewFrom(Runtime& rt, Self self, std::string_view s) {
  return rt.NewString(s, self.is_markup());
}
// A part of self: nothing is copied.
inline Value Part(Self self, std::string_view s) { return Value::String(s, self.is_markup()); }

inline std::string_view TextArg(Runtime& rt, const char* method, const Value& v) {
  if (v.is_undefined()) rt.FailUndefined(v);
  if (!v.is_string()) rt.Fail("{}() argument must be str, not {}", method, TypeName(v));
  return v.string();
}

// The methods about case and kinds of characters (string_case.cc).
std::span<const MethodInfo> StringCaseMethods();

}  // namespace rocforge::text::chat
