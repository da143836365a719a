// The JSON of rocprofv3 and the Chrome trace of the legacy rocprof.
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/format.h"
#include "prof/rocm_builder.h"

namespace rocforge::prof {
namespace {

using Json = nlohmann::json;
using Kind = ProfileBuilder::Kind;

// A document of values takes about ten times its text.
constexpr size_t kMostBytes = size_t{1} << 30;

const Json& At(const Json& object, const char* key) {
  static const Json kNothing;
  if (!object.is_object()) return kNothing;
  const auto at = object.find(key);
  return at == object.end() ? kNothing : *at;
}

std::string Text(const Json& value) {
  return value.is_string() ? value.get_ref<const std::string&>() : std::string();
}

// A whole number, or a text that is one (the legacy trace quotes its numbers).
std::optional<int64_t> Whole(const Json& value) {
  if (value.is_number_unsigned()) {
    const auto n = value.get<uint64_t>();
    if (n > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return std::nullopt;
    return static_cast<int64_t>(n);
  }
  if (value.is_number_integer()) return value.get<int64_t>();
  if (!value.is_string()) return std::nullopt;
  const auto& text = value.get_ref<const std::string&>();
  int64_t n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return n;
}

// Microseconds of a Chrome trace in ns.
std::optional<int64_t> Micros(const Json& value) {
  double us = 0;
  if (value.is_number()) {
    us = value.get<double>();
  } else if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), us);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  } else {
    return std::nullopt;
  }
  if (!(us >= 0 && us < 4e15)) return std::nullopt;
  return std::llround(us * 1e3);
}

Status Missing(const char* what) {
  return DataLoss(Format("a record lacks {}; is it the output of rocprofv3?", what));
}

// One process of {"rocprofiler-sdk-tool": [...]}.
class Tool {
 public:
  Tool(const Json& tool, ProfileBuilder& builder) : tool_(tool), builder_(builder) {
    for (const Json& symbol : At(tool, "kernel_symbols")) {
      const std::optional<int64_t> id = Whole(At(symbol, "kernel_id"));
      std::string name = Text(At(symbol, "formatted_kernel_name"));
      if (name.empty()) name = Text(At(symbol, "kernel_name"));
      if (id) kernels_[*id] = std::move(name);
    }
    for (const Json& counter : At(tool, "counters")) {
      if (const auto id = Whole(At(At(counter, "id"), "handle")))
        counters_[*id] = Text(At(counter, "name"));
    }
  }

  Status Add() {
    const Json& buffers = At(tool_, "buffer_records");
    for (const Json& record : At(buffers, "kernel_dispatch")) {
      ROCFORGE_ASSIGN_OR_RETURN(const std::string name, KernelOf(At(record, "dispatch_info")));
      ROCFORGE_RETURN_IF_ERROR(AddTimed(Kind::kKernel, name, record));
    }
    for (const Json& record : At(buffers, "memory_copy"))
      ROCFORGE_RETURN_IF_ERROR(AddTimed(Kind::kCopy, OperationOf(record), record));
    for (const char* list : {"hip_api", "hsa_api"}) {
      for (const Json& record : At(buffers, list))
        ROCFORGE_RETURN_IF_ERROR(AddTimed(Kind::kApi, OperationOf(record), record));
    }
    const bool timed = !At(buffers, "kernel_dispatch").empty();
    for (const Json& record : At(At(tool_, "callback_records"), "counter_collection"))
      ROCFORGE_RETURN_IF_ERROR(AddCounters(record, timed));
    return {};
  }
  bool only_counters() const {
    return At(At(tool_, "buffer_records"), "kernel_dispatch").empty() &&
           !At(At(tool_, "callback_records"), "counter_collection").empty();
  }

 private:
  Result<std::string> KernelOf(const Json& info) const {
    const std::optional<int64_t> id = Whole(At(info, "kernel_id"));
    if (!id) return Missing("dispatch_info.kernel_id");
    const auto at = kernels_.find(*id);
    return at == kernels_.end() || at->second.empty() ? Format("kernel {}", *id) : at->second;
  }

  // strings.buffer_records[kind].operations[operation].
  std::string OperationOf(const Json& record) const {
    const std::optional<int64_t> kind = Whole(At(record, "kind"));
    const std::optional<int64_t> operation = Whole(At(record, "operation"));
    const Json& kinds = At(At(tool_, "strings"), "buffer_records");
    if (kind && operation && *kind >= 0 && *operation >= 0 && kinds.is_array() &&
        static_cast<size_t>(*kind) < kinds.size()) {
      const Json& names = At(kinds[static_cast<size_t>(*kind)], "operations");
      if (names.is_array() && static_cast<size_t>(*operation) < names.size())
        return Text(names[static_cast<size_t>(*operation)]);
    }
    return Format("operation {} of kind {}", operation.value_or(-1), kind.value_or(-1));
  }

  Status AddTimed(Kind kind, const std::string& name, const Json& record) {
    const std::optional<int64_t> begin = Whole(At(record, "start_timestamp"));
    const std::optional<int64_t> end = Whole(At(record, "end_timestamp"));
    if (!begin || !end) return Missing("start_timestamp or end_timestamp");
    return builder_.AddCall(kind, name, *begin, *end);
  }

  Status AddCounters(const Json& record, bool timed) {
    const Json& dispatch = At(record, "dispatch_data");
    ROCFORGE_ASSIGN_OR_RETURN(const std::string name, KernelOf(At(dispatch, "dispatch_info")));
    if (!timed && At(dispatch, "start_timestamp").is_number()) {
      ROCFORGE_RETURN_IF_ERROR(AddTimed(Kind::kKernel, name, dispatch));
    } else if (!timed) {
      builder_.AddUntimed(name);
    }
    for (const Json& value : At(record, "records")) {
      const std::optional<int64_t> id = Whole(At(At(value, "counter_id"), "handle"));
      const Json& number = At(value, "value");
      if (!id || !number.is_number()) return Missing("a counter's handle or value");
      const auto at = counters_.find(*id);
      const auto counted = number.get<double>();
      if (std::isfinite(counted)) {
        builder_.AddCounter(name, at == counters_.end() ? Format("counter {}", *id) : at->second,
                            counted);
      }
    }
    return {};
  }

  const Json& tool_;
  ProfileBuilder& builder_;
  std::map<int64_t, std::string> kernels_;
  std::map<int64_t, std::string> counters_;
};

Result<ImportedProfile> ImportTools(const Json& tools) {
  if (!tools.is_array()) return DataLoss("'rocprofiler-sdk-tool' is no list");
  ProfileBuilder builder;
  bool only_counters = false;
  for (const Json& one : tools) {
    Tool tool(one, builder);
    ROCFORGE_RETURN_IF_ERROR(tool.Add());
    only_counters |= tool.only_counters();
  }
  ImportedProfile out = builder.Finish("rocprofv3 (JSON)");
  out.counter_times = only_counters;
  return out;
}

// {"traceEvents": [...]}: the process names say what a row is ("GPU0", "COPY", "CPU HIP API").
Result<ImportedProfile> ImportChromeTrace(const Json& events) {
  if (!events.is_array()) return DataLoss("'traceEvents' is no list");
  std::map<int64_t, std::string> processes;
  for (const Json& event : events) {
    const std::optional<int64_t> pid = Whole(At(event, "pid"));
    if (pid && Text(At(event, "name")) == "process_name")
      processes[*pid] = Text(At(At(event, "args"), "name"));
  }
  ProfileBuilder builder;
  for (const Json& event : events) {
    if (Text(At(event, "ph")) != "X") continue;
    const std::optional<int64_t> pid = Whole(At(event, "pid"));
    const auto process = processes.find(pid.value_or(-1));
    const std::string where = process == processes.end() ? std::string() : process->second;
    const Kind kind = where.find("GPU") != std::string::npos    ? Kind::kKernel
                      : where.find("COPY") != std::string::npos ? Kind::kCopy
                                                                : Kind::kApi;
    const Json& args = At(event, "args");
    std::optional<int64_t> begin = Whole(At(args, "BeginNs"));
    std::optional<int64_t> end = Whole(At(args, "EndNs"));
    if (!begin || !end) {
      begin = Micros(At(event, "ts"));
      const std::optional<int64_t> length = Micros(At(event, "dur"));
      if (!begin || !length)
        return DataLoss("an event has neither BeginNs and EndNs nor ts and dur");
      end = *begin + *length;
    }
    ROCFORGE_RETURN_IF_ERROR(builder.AddCall(kind, Text(At(event, "name")), *begin, *end));
  }
  return builder.Finish("legacy rocprof trace (JSON)");
}

}  // namespace

Result<ImportedProfile> ImportRocmJson(std::string_view text) {
  if (text.size() > kMostBytes) {
    return ResourceExhausted(
        Format("JSON of {} is more than is read at once; write CSV or rocpd "
               "instead (--output-format)",
               FormatBytes(text.size())));
  }
  const Json document = Json::parse(text, nullptr, false);
  if (document.is_discarded()) return DataLoss("this is no JSON, or it is cut off");
  if (const Json& tools = At(document, "rocprofiler-sdk-tool"); !tools.is_null())
    return ImportTools(tools);
  if (const Json& events = At(document, "traceEvents"); !events.is_null())
    return ImportChromeTrace(events);
  return DataLoss(
      "JSON of neither rocprofv3 ('rocprofiler-sdk-tool') nor the legacy rocprof "
      "('traceEvents')");
}

}  // namespace rocforge::prof
