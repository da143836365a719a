// Any bytes, parsed as a chat template and rendered on a fixed conversation: text or one line of
// error, within the limits, and the same again the second time.
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "text/chat/template.h"

namespace {

using rocforge::Result;
using rocforge::StatusCode;
using rocforge::text::chat::DateTime;
using rocforge::text::chat::RenderOptions;
using rocforge::text::chat::Template;
using Json = nlohmann::ordered_json;

// A broken promise, as a crash that libFuzzer reports.
void Require(bool condition) {
  if (!condition) std::abort();
}

const Json& Variables() {
  static const Json variables = Json::parse(R"({
    "messages": [
      {"role": "system", "content": "Be brief. Gr\u00fc\u00dfe \ud83d\ude00"},
      {"role": "user", "content": [{"type": "text", "text": "Hi <b>"}, {"type": "image"}]},
      {"role": "assistant", "content": null, "tool_calls": [{"id": "c1", "type": "function",
        "function": {"name": "f", "arguments": {"a": 1, "b": [1.5, null, true]}}}]},
      {"role": "tool", "tool_call_id": "c1", "content": "{\"x\": 18446744073709551615}"}],
    "tools": [{"type": "function", "function": {"name": "f", "description": "d \"q\"",
      "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}}}}],
    "documents": null, "add_generation_prompt": true, "bos_token": "<s>", "eos_token": "</s>",
    "n": -3, "x": 1e300, "big": 18446744073709551615, "list": [3, 1, 2], "empty": {}
  })");
  return variables;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view source(reinterpret_cast<const char*>(data), size);
  const Result<Template> parsed = Template::Parse(source);
  if (!parsed.ok()) {
    Require(!parsed.status().message().empty());
    Require(parsed.status().code() != StatusCode::kInternal);
    return 0;
  }
  RenderOptions options;
  options.now = DateTime{2026, 9, 28, 0, 41, 12};
  options.max_steps = 50'000;
  options.max_memory_bytes = size_t{4} << 20;
  options.max_output_bytes = size_t{1} << 20;
  const Result<std::string> first = parsed->Render(Variables(), options);
  const Result<std::string> second = parsed->Render(Variables(), options);
  Require(first.ok() == second.ok());
  if (first.ok()) {
    Require(*first == *second);
    Require(first->size() <= options.max_output_bytes);
  } else {
    Require(first.status().code() == second.status().code());
    Require(first.status().message() == second.status().message());
    Require(first.status().code() != StatusCode::kInternal);
  }
  return 0;
}
