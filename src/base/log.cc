#include "base/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <array>
#include <memory>

namespace rocforge {
namespace {

constexpr std::array<std::string_view, 6> kNames = {"trace", "debug", "info",
                                                    "warn",  "error", "off"};

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kTrace:
      return spdlog::level::trace;
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarn:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
    case LogLevel::kOff:
      return spdlog::level::off;
  }
  return spdlog::level::off;
}

spdlog::logger& Sink() {
  static const std::shared_ptr<spdlog::logger> logger = [] {
    auto made = std::make_shared<spdlog::logger>(
        "rocforge", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
    made->set_pattern("[%^%l%$] %v");
    made->set_level(spdlog::level::warn);
    return made;
  }();
  return *logger;
}

}  // namespace

Result<LogLevel> ParseLogLevel(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (name == kNames[i]) return static_cast<LogLevel>(i);
  }
  return InvalidArgument(
      Format("unknown log level '{}'; use trace, debug, info, warn, error or off", name));
}

void SetLogLevel(LogLevel level) { Sink().set_level(ToSpdlog(level)); }
bool LogEnabled(LogLevel level) { return Sink().should_log(ToSpdlog(level)); }
void LogMessage(LogLevel level, std::string_view message) {
  Sink().log(ToSpdlog(level), spdlog::string_view_t(message.data(), message.size()));
}

}  // namespace rocforge
