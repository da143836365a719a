// Format("{} of {:.1f} GiB", a, b): fmt's checked formatting at the price of its small core header.
#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace rocforge {

std::string VFormat(fmt::string_view format, fmt::format_args args);

// Formats as fmt::format does; a malformed format string does not compile.
template <typename... Args>
std::string Format(fmt::format_string<Args...> format, Args&&... args) {
  return VFormat(format, fmt::make_format_args(args...));
}

// "1.50 GiB", "12.3 MiB", "512 B": binary units, three significant digits.
std::string FormatBytes(uint64_t bytes);

// "1.2 s", "15 ms", "3 min 20 s": a duration for people.
std::string FormatSeconds(double seconds);

// A to Z in lower case; other bytes stay.
std::string AsciiLowercase(std::string_view text);

// Replaces bytes that are not printable UTF-8 text (controls, broken sequences) by escapes such as
// \x1b, so that strings from files can be shown in a terminal. Cuts after max_bytes of input with
// "...".
std::string EscapeForTerminal(std::string_view text, size_t max_bytes = SIZE_MAX);

}  // namespace rocforge
