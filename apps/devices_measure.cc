#include "apps/devices_measure.h"

#include <cstdio>
#include <utility>

#include "apps/table.h"
#include "apps/terminal/interrupt.h"
#include "apps/terminal/progress.h"
#include "base/format.h"
#include "device/gpu/discovery.h"
#include "engine/gpu_device.h"
#include "kernels/gpu/launch/ceilings.h"
#include "prof/cpu_ceilings.h"

namespace rocforge::apps {
namespace {

using Kind = engine::DeviceRequest::Kind;

Result<prof::Ceilings> MeasureOne(const std::string& name, int n_threads, ProgressBar& bar) {
  const auto show = [&](std::string_view what, int done, int total) {
    bar.Update(static_cast<double>(done) / total, Format("{}: {}", name, what));
  };
  ROCFORGE_ASSIGN_OR_RETURN(const engine::DeviceRequest request, engine::ParseDevice(name));
  if (request.kind == Kind::kCpu) {
    ThreadPool pool(n_threads);
    return prof::MeasureCpuCeilings(pool, show);
  }
  ROCFORGE_ASSIGN_OR_RETURN(const engine::OpenedGpu gpu, engine::OpenGpu(request));
  return gpu::MeasureGpuCeilings(gpu.device, *gpu.modules, show);
}

std::vector<std::string> AllDevices() {
  std::vector<std::string> names = {"cpu"};
  const size_t n = gpu::Discover().devices.size();
  for (size_t i = 0; i < n; ++i) names.push_back(Format("gpu:{}", i));
  return names;
}

// What the 8-bit and the float products were measured with depends on it.
bool IsCpu(const MeasuredDevice& device) { return device.name == "cpu"; }

// The figures that every profile needs.
bool IsWhole(const prof::Ceilings& c) {
  return c.read_bytes_per_s > 0 && c.float_ops_per_s > 0 && c.launch_ns > 0;
}

}  // namespace

Result<std::vector<MeasuredDevice>> MeasureDevices(const std::string& device, int n_threads,
                                                   const std::string& folder) {
  const bool all = device == "all";
  const std::vector<std::string> names = all ? AllDevices() : std::vector<std::string>{device};
  ProgressBar bar("measuring");
  std::vector<MeasuredDevice> devices;
  for (const std::string& name : names) {
    MeasuredDevice& measured = devices.emplace_back();
    measured.name = name;
    Result<prof::Ceilings> ceilings = MeasureOne(name, n_threads, bar);
    if (ceilings.ok()) {
      measured.ceilings = std::move(*ceilings);
      // What else the machine does can only make it look slower.
      if (const auto kept = prof::LoadCeilings(folder, measured.ceilings.key); kept.ok())
        measured.ceilings = prof::BestOf(*kept, measured.ceilings);
      ROCFORGE_RETURN_IF_ERROR(prof::SaveCeilings(folder, measured.ceilings));
    } else if (!all) {
      return ceilings.status();
    } else {
      measured.status = ceilings.status();
    }
    if (Interrupted()) return Cancelled("interrupted; what was measured so far is kept");
  }
  return devices;
}

Result<prof::Ceilings> CeilingsOf(const std::string& device, int n_threads,
                                  const std::string& folder) {
  ROCFORGE_ASSIGN_OR_RETURN(const engine::DeviceRequest request, engine::ParseDevice(device));
  prof::CeilingsKey key;
  if (request.kind == Kind::kCpu) {
    key = prof::CpuCeilingsKey(n_threads);
  } else {
    ROCFORGE_ASSIGN_OR_RETURN(const engine::OpenedGpu gpu, engine::OpenGpu(request));
    key = gpu::GpuCeilingsKey(*gpu.device, *gpu.modules);
  }
  Result<prof::Ceilings> kept = prof::LoadCeilings(folder, key);
  if (kept.ok() && IsWhole(*kept)) return kept;
  std::fprintf(stderr, "measuring the ceilings of %s (%s), once\n",
               EscapeForTerminal(key.device).c_str(), EscapeForTerminal(key.driver).c_str());
  Result<std::vector<MeasuredDevice>> measured = MeasureDevices(device, n_threads, folder);
  if (!measured.ok()) return measured.status();
  return std::move(measured->front().ceilings);
}

std::string RateText(double per_s, const char* unit) {
  if (!(per_s > 0)) return "-";
  const char* prefix = "M";
  double value = per_s / 1e6;
  for (const char* next : {"G", "T"}) {
    if (value < 1000) break;
    value /= 1000;
    prefix = next;
  }
  return Format("{:.{}f} {}{}/s", value, value < 10 ? 2 : value < 100 ? 1 : 0, prefix, unit);
}

std::string NsText(double ns) {
  if (!(ns > 0)) return "-";
  if (ns < 1e3) return Format("{:.0f} ns", ns);
  if (ns < 1e6) return Format("{:.{}f} us", ns * 1e-3, ns < 1e4 ? 2 : ns < 1e5 ? 1 : 0);
  return FormatSeconds(ns * 1e-9);
}

std::string ToTable(const std::vector<MeasuredDevice>& devices) {
  struct Row {
    const char* name;
    double prof::Ceilings::* value;
    const char* unit;              // null: a time
    const char* on_gpu = nullptr;  // another name there
  };
  constexpr Row kRows[] = {
      {"memory read", &prof::Ceilings::read_bytes_per_s, "B"},
      {"memory write", &prof::Ceilings::write_bytes_per_s, "B"},
      {"memory copy (read + write)", &prof::Ceilings::copy_bytes_per_s, "B"},
      {"host to device", &prof::Ceilings::to_device_bytes_per_s, "B"},
      {"device to host", &prof::Ceilings::to_host_bytes_per_s, "B"},
      {"launch of a kernel", &prof::Ceilings::launch_ns, nullptr},
      {"node of a captured graph", &prof::Ceilings::graph_node_ns, nullptr},
      {"8-bit multiply-adds", &prof::Ceilings::int8_ops_per_s, "OP", "8-bit dot products of four"},
      {"float multiply-adds", &prof::Ceilings::float_ops_per_s, "FLOP", "f16 matrix unit"},
  };
  std::string text;
  for (const MeasuredDevice& device : devices) {
    if (!text.empty()) text += "\n";
    if (!device.status.ok()) {
      text +=
          Format("{}  not measured: {}\n", device.name, EscapeForTerminal(device.status.message()));
      continue;
    }
    const prof::Ceilings& c = device.ceilings;
    text += Format("{}  {} ({})\n", device.name, EscapeForTerminal(c.key.device),
                   EscapeForTerminal(c.key.driver));
    Table table({Align::kLeft, Align::kRight});
    for (const Row& row : kRows) {
      const double value = c.*row.value;
      if (!(value > 0)) continue;  // not a thing of this device
      const bool other = row.on_gpu != nullptr && !IsCpu(device);
      table.AddRow({Format("  {}", other ? row.on_gpu : row.name),
                    row.unit == nullptr ? NsText(value) : RateText(value, row.unit)});
    }
    text += table.ToString();
  }
  return text;
}

nlohmann::ordered_json ToJson(const MeasuredDevice& device) {
  nlohmann::ordered_json json = {{"name", device.name}};
  if (!device.status.ok()) {
    json["error"] = device.status.message();
    return json;
  }
  const prof::Ceilings& c = device.ceilings;
  json["device"] = c.key.device;
  json["driver"] = c.key.driver;
  const auto add = [&](const char* name, double value) {
    json[name] = value > 0 ? nlohmann::ordered_json(value) : nlohmann::ordered_json();
  };
  add("read_bytes_per_s", c.read_bytes_per_s);
  add("write_bytes_per_s", c.write_bytes_per_s);
  add("copy_bytes_per_s", c.copy_bytes_per_s);
  add("to_device_bytes_per_s", c.to_device_bytes_per_s);
  add("to_host_bytes_per_s", c.to_host_bytes_per_s);
  add("launch_ns", c.launch_ns);
  add("graph_node_ns", c.graph_node_ns);
  add("int8_ops_per_s", c.int8_ops_per_s);
  json["int8_unit"] = IsCpu(device) ? "vector" : "dot4";
  add("float_ops_per_s", c.float_ops_per_s);
  json["float_unit"] = IsCpu(device) ? "f32 vector" : "f16 matrix";
  json["buffer_bytes"] = c.buffer_bytes;
  json["last_cache_bytes"] = c.last_cache_bytes;
  return json;
}

}  // namespace rocforge::apps
