#include "apps/profile/trace.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/format.h"

namespace rocforge::apps {
namespace {

constexpr int kHost = 1;
constexpr int kOps = 2;
constexpr int kRequest = 3;

// As a JSON string, quotes included. Names come from model files.
std::string Quoted(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

class Events {
 public:
  void Name(int thread, const char* name) {
    Begin();
    text_ += Format(R"({{"ph":"M","name":"thread_name","pid":1,"tid":{},"args":{{"name":"{}"}}}},)",
                    thread, name);
    text_ += Format(
        "\n{{\"ph\":\"M\",\"name\":\"thread_sort_index\",\"pid\":1,\"tid\":{},\"args\":"
        "{{\"sort_index\":{}}}}}",
        thread, thread);
  }
  void Process(const std::string& name) {
    Begin();
    text_ +=
        Format(R"({{"ph":"M","name":"process_name","pid":1,"args":{{"name":{}}}}})", Quoted(name));
  }
  // `args` is the inside of a JSON object, or empty.
  void Complete(int thread, const std::string& quoted_name, double begin_s, double seconds,
                const std::string& args) {
    Begin();
    text_ += Format(R"({{"ph":"X","name":{},"pid":1,"tid":{},"ts":{:.1f},"dur":{:.1f})",
                    quoted_name, thread, begin_s * 1e6, std::max(0.0, seconds) * 1e6);
    if (!args.empty()) text_ += ",\"args\":{" + args + "}";
    text_ += '}';
  }
  void Counter(const char* name, double at_s, const std::string& args) {
    Begin();
    text_ += Format(R"({{"ph":"C","name":"{}","pid":1,"ts":{:.1f},"args":{{{}}}}})", name,
                    at_s * 1e6, args);
  }
  std::string Finish() {
    return "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n" + text_ + "\n]}\n";
  }

 private:
  void Begin() {
    if (!text_.empty()) text_ += ",\n";
  }
  std::string text_;
};

void AddOps(const Profile& p, const StepRecord& step, const std::vector<std::string>& names,
            Events* events) {
  const exec::StepTimes& t = step.times;
  const double tail = static_cast<double>(t.choose_ns + t.download_ns + t.ops_ns) * 1e-9;
  const double begin = p.on_gpu ? step.begin_s + std::max(0.0, step.seconds - tail) : step.begin_s;
  for (const exec::OpTime& op : t.ops) {
    const double seconds = static_cast<double>(op.time_ns) * 1e-9;
    std::string args = Format(R"("node":{})", op.node);
    if (op.time_ns > 0) {
      args += Format(R"(,"GB/s":{:.1f},"GFLOP/s":{:.1f})", op.cost.bytes() / seconds * 1e-9,
                     op.cost.ops / seconds * 1e-9);
    }
    events->Complete(kOps, names[p.kind_of_node[op.node]],
                     begin + static_cast<double>(op.begin_ns) * 1e-9, seconds, args);
  }
}

void AddRequest(const Profile& p, Events* events) {
  if (p.spans.empty()) return;
  const double end = p.spans.back().begin_s + p.spans.back().seconds;
  events->Complete(
      kRequest, "\"request 1\"", 0, end,
      Format(R"("prompt_tokens":{},"generated_tokens":{})", p.prompt_tokens, p.generated_tokens));
  double prompt_end = 0;
  double text_begin = end;
  for (const HostSpan& span : p.spans) {
    if (span.name == "tokenise" || span.name == "prefill") prompt_end = span.begin_s + span.seconds;
    if (span.name == "decode") text_begin = std::min(text_begin, span.begin_s);
  }
  events->Complete(kRequest, "\"prompt\"", 0, prompt_end, "");
  if (text_begin < end) events->Complete(kRequest, "\"text\"", text_begin, end - text_begin, "");
}

}  // namespace

std::string ToTrace(const Profile& p) {
  std::vector<std::string> names;
  for (const OpKind& kind : p.kinds)
    names.push_back(Quoted(kind.types.empty() ? kind.name : kind.name + " " + kind.types));
  Events events;
  events.Process("rocforge profile: " + p.model + " on " + p.device);
  events.Name(kHost, "host");
  events.Name(kOps, p.on_gpu ? "GPU stream" : "CPU team");
  events.Name(kRequest, "request");
  AddRequest(p, &events);
  for (const HostSpan& span : p.spans)
    events.Complete(kHost, Quoted(span.name), span.begin_s, span.seconds, "");
  for (const StepRecord& step : p.steps) {
    AddOps(p, step, names, &events);
    double bytes = 0;
    for (const exec::OpTime& op : step.times.ops) bytes += op.cost.bytes();
    if (!(step.seconds > 0)) continue;
    events.Counter("tokens per second", step.begin_s,
                   Format("\"tok/s\":{:.1f}", step.tokens / step.seconds));
    events.Counter("memory bandwidth", step.begin_s,
                   Format("\"GB/s\":{:.1f}", bytes / step.seconds * 1e-9));
  }
  const auto mib = [](int64_t bytes) { return static_cast<double>(bytes) / (1 << 20); };
  for (const MemorySample& m : p.memory) {
    if (m.at_s < p.run_begin_s) continue;
    const double at_s = m.at_s - p.run_begin_s;
    events.Counter("memory of the process", at_s,
                   Format("\"resident MiB\":{:.1f}", mib(m.resident_bytes)));
    events.Counter("KV cache", at_s, Format("\"used MiB\":{:.3f}", mib(m.kv_bytes)));
    events.Counter(
        p.on_gpu ? "memory of the GPU" : "memory of the engine", at_s,
        Format(R"("weights MiB":{:.1f},"KV cache MiB":{:.1f},"activations MiB":{:.1f},)"
               R"("kernel scratch MiB":{:.1f})",
               mib(m.held.weights), mib(m.held.kv), mib(m.held.activations), mib(m.held.scratch)));
    if (m.device_used_bytes > 0) {
      events.Counter("GPU in use by all programs", at_s,
                     Format("\"MiB\":{:.1f}", mib(m.device_used_bytes)));
    }
  }
  return events.Finish();
}

}  // namespace rocforge::apps
