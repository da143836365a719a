// Numbers as text under Python's two formatting languages.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "text/chat/runtime.h"
#include "text/chat/value.h"

namespace rocforge::text::chat {

// The format specification mini-language:
// [[fill]align][sign][#][0][width][grouping][.precision][type]
struct FormatSpec {
  std::string fill = " ";
  char align = 0;  // one of < > = ^, 0: the type's default
  char sign = '-';
  bool alternate = false;
  char grouping = 0;  // ',' or '_'
  int64_t width = 0;
  int64_t precision = -1;
  char type = 0;
};

// |d| as digits: type one of e E f F g G. `precision` >= 0.
std::string FormatMagnitude(double d, char type, int64_t precision);

// Digits of |i| in a base of 2, 8, 10 or 16 (16: lower case).
std::string FormatMagnitude(Int i, int base);

// Appends `body`, padded to the width of `spec` in code points; '=' is treated as '>'.
void AppendPadded(TextBuilder& out, std::string_view body, const FormatSpec& spec,
                  char default_align);

// format(v, spec): appends. Fails like Python for types that take no specification.
void AppendFormatted(TextBuilder& out, Runtime& rt, const Value& v, std::string_view spec);

// Widths and precisions beyond this are refused.
inline constexpr int64_t kMaxFormatWidth = 1'000'000;

}  // namespace rocforge::text::chat
