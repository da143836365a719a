// The one log sink. Libraries say what a user may want to know; only applications decide where it
// goes.
#pragma once

#include <string>
#include <string_view>

#include "base/format.h"
#include "rocforge/status.h"

namespace rocforge {

enum class LogLevel { kTrace, kDebug, kInfo, kWarn, kError, kOff };

// "trace", "debug", "info", "warn", "error", "off"; anything else is kInvalidArgument.
Result<LogLevel> ParseLogLevel(std::string_view name);

// Messages below `level` are dropped. Default: kWarn. Thread-safe.
void SetLogLevel(LogLevel level);
bool LogEnabled(LogLevel level);

// One line to stderr, "[level] message". Thread-safe.
void LogMessage(LogLevel level, std::string_view message);

template <typename... Args>
void Log(LogLevel level, fmt::format_string<Args...> format, Args&&... args) {
  if (LogEnabled(level)) LogMessage(level, VFormat(format, fmt::make_format_args(args...)));
}

}  // namespace rocforge
