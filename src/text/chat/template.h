// Jinja templates as chat models ship them: parse once, render many times, in a sandbox.
//
// The language is Jinja 3.1 under the settings of Hugging Face transformers (trim_blocks,
// lstrip_blocks, no autoescape, loop controls, the `generation` tag, tojson without HTML escapes,
// immutable lists and dicts); docs/CHAT_TEMPLATES.md lists what is there and what is not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "rocforge/status.h"

namespace rocforge::text::chat {

// A civil date and time of the proleptic Gregorian calendar, without a zone.
struct DateTime {
  int year = 1970;
  int month = 1;  // 1..12
  int day = 1;    // 1..31
  int hour = 0;
  int minute = 0;
  int second = 0;
};

// Reads "YYYY-mm-dd HH:MM:SS". kInvalidArgument for any other form and for dates that do not exist.
Result<DateTime> ParseDateTime(std::string_view text);

// What one rendering may use. A template that wants more fails with kResourceExhausted; nothing a
// template says can make Render run longer or take more memory than this allows.
struct RenderOptions {
  // What strftime_now() sees; nullopt: the system clock in local time.
  std::optional<DateTime> now;
  // Expressions evaluated and statements run, plus work on long values (one step per 16 bytes or
  // per element). A step takes some 20 to 100 ns; a conversation of 100 messages about 10,000
  // steps.
  uint64_t max_steps = 50'000'000;
  // Bytes of values that the template creates. Counted without ever giving back: garbage counts.
  size_t max_memory_bytes = size_t{256} << 20;
  size_t max_output_bytes = size_t{64} << 20;
};

// A parsed template. Immutable; copying is cheap (shared); every member is thread-safe.
class Template {
 public:
  // kInvalidArgument ("line N: ...") for a syntax error, kUnsupported for the tags that need other
  // templates (include, import, extends, block). The source must be UTF-8 of at most 1 MiB.
  static Result<Template> Parse(std::string_view source);

  // Renders with the members of the object `variables` as the template's variables. Returns UTF-8.
  //   kInvalidArgument     raise_exception() was called: the template's own message, verbatim
  //   kFailedPrecondition  the template cannot be run on these variables: "line N: ..."
  //   kResourceExhausted   a limit of `options` was reached: "line N: ..."
  Result<std::string> Render(const nlohmann::ordered_json& variables,
                             const RenderOptions& options = {}) const;

 private:
  struct Impl;
  explicit Template(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

}  // namespace rocforge::text::chat
