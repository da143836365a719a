#include "prof/ceilings.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <utility>

#include "base/cpu_info.h"
#include "base/format.h"

namespace rocforge::prof {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kFileName = "ceilings.json";
constexpr int kCeilingsVersion = 1;

struct Field {
  const char* name;
  double Ceilings::* value;
  bool is_cost;  // the smaller the better
};
constexpr Field kFields[] = {
    {"read_bytes_per_s", &Ceilings::read_bytes_per_s, false},
    {"write_bytes_per_s", &Ceilings::write_bytes_per_s, false},
    {"copy_bytes_per_s", &Ceilings::copy_bytes_per_s, false},
    {"to_device_bytes_per_s", &Ceilings::to_device_bytes_per_s, false},
    {"to_host_bytes_per_s", &Ceilings::to_host_bytes_per_s, false},
    {"launch_ns", &Ceilings::launch_ns, true},
    {"graph_node_ns", &Ceilings::graph_node_ns, true},
    {"int8_ops_per_s", &Ceilings::int8_ops_per_s, false},
    {"float_ops_per_s", &Ceilings::float_ops_per_s, false},
};

std::string PathOf(const std::string& folder) { return folder + "/" + kFileName; }

std::string Text(const Json& json, const char* name) {
  const auto found = json.find(name);
  return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// 0 for anything but a positive, finite number.
double Number(const Json& json, const char* name) {
  const auto found = json.find(name);
  if (found == json.end() || !found->is_number()) return 0;
  const auto value = found->get<double>();
  return std::isfinite(value) && value > 0 ? value : 0;
}

uint64_t Bytes(const Json& json, const char* name) {
  constexpr double kMaxBytes = 1e18;
  return static_cast<uint64_t>(std::min(Number(json, name), kMaxBytes));
}

std::optional<Ceilings> FromJson(const Json& json) {
  if (!json.is_object()) return std::nullopt;
  Ceilings c;
  c.key = {Text(json, "device"), Text(json, "driver")};
  if (c.key.device.empty()) return std::nullopt;
  for (const Field& field : kFields) c.*field.value = Number(json, field.name);
  c.buffer_bytes = Bytes(json, "buffer_bytes");
  c.last_cache_bytes = Bytes(json, "last_cache_bytes");
  c.measured_at = Text(json, "measured_at");
  return c;
}

Json ToJson(const Ceilings& c) {
  Json json = {{"device", c.key.device}, {"driver", c.key.driver}};
  for (const Field& field : kFields) {
    if (c.*field.value > 0) json[field.name] = c.*field.value;
  }
  json["buffer_bytes"] = c.buffer_bytes;
  json["last_cache_bytes"] = c.last_cache_bytes;
  json["measured_at"] = c.measured_at;
  return json;
}

std::string Today() {
  const std::time_t now = std::time(nullptr);
  std::tm utc = {};
  if (gmtime_r(&now, &utc) == nullptr) return {};
  return Format("{:04}-{:02}-{:02}", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday);
}

Status Replace(const std::string& path, const std::string& text) {
  const std::string temporary = Format("{}.{}", path, getpid());
  {
    std::ofstream file(temporary, std::ios::trunc | std::ios::binary);
    file << text;
    file.flush();
    if (!file) {
      std::remove(temporary.c_str());
      return Unavailable(Format("cannot write {}", temporary));
    }
  }
  std::error_code error;
  std::filesystem::rename(temporary, path, error);
  if (!error) return {};
  std::remove(temporary.c_str());
  return Unavailable(Format("cannot write {}: {}", path, error.message()));
}

}  // namespace

CeilingsKey CpuCeilingsKey(int n_threads) {
  const CpuInfo cpu = ReadCpuInfo();
  return {Format("{} ({} GiB)", cpu.model_name.empty() ? cpu.architecture : cpu.model_name,
                 ReadMemoryInfo().total_bytes >> 30),
          Format("{} thread{}", n_threads, n_threads == 1 ? "" : "s")};
}

std::vector<Ceilings> LoadAllCeilings(const std::string& folder) {
  std::ifstream file(PathOf(folder), std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  const Json json = Json::parse(text.str(), nullptr, /*allow_exceptions=*/false);
  std::vector<Ceilings> all;
  if (!json.is_object() || Number(json, "version") != kCeilingsVersion) return all;
  const auto entries = json.find("entries");
  if (entries == json.end() || !entries->is_array()) return all;
  for (const Json& entry : *entries) {
    if (std::optional<Ceilings> c = FromJson(entry)) all.push_back(std::move(*c));
  }
  return all;
}

Result<Ceilings> LoadCeilings(const std::string& folder, const CeilingsKey& key) {
  for (Ceilings& c : LoadAllCeilings(folder)) {
    if (c.key == key) return std::move(c);
  }
  return NotFound(Format("the ceilings of {} ({}) were not measured: rocforge devices --measure",
                         key.device, key.driver));
}

Status SaveCeilings(const std::string& folder, const Ceilings& ceilings) {
  if (ceilings.key.device.empty()) return InvalidArgument("ceilings without a device");
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return Unavailable(Format("cannot make {}: {}", folder, error.message()));
  std::vector<Ceilings> all = LoadAllCeilings(folder);
  const auto same = [&](const Ceilings& c) { return c.key == ceilings.key; };
  auto kept = std::find_if(all.begin(), all.end(), same);
  if (kept == all.end()) {
    kept = all.emplace(all.end());
    kept->key = ceilings.key;
  }
  for (const Field& field : kFields) {
    const double value = ceilings.*field.value;
    if (std::isfinite(value) && value > 0) (*kept).*field.value = value;
  }
  if (ceilings.buffer_bytes > 0) kept->buffer_bytes = ceilings.buffer_bytes;
  if (ceilings.last_cache_bytes > 0) kept->last_cache_bytes = ceilings.last_cache_bytes;
  kept->measured_at = ceilings.measured_at.empty() ? Today() : ceilings.measured_at;
  Json json = {{"version", kCeilingsVersion}, {"entries", Json::array()}};
  for (const Ceilings& c : all) json["entries"].push_back(ToJson(c));
  // Device names come from drivers and may be any bytes.
  return Replace(PathOf(folder),
                 json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

Ceilings BestOf(const Ceilings& a, const Ceilings& b) {
  Ceilings best = a;
  for (const Field& field : kFields) {
    const double x = a.*field.value;
    const double y = b.*field.value;
    best.*field.value = x <= 0 || y <= 0 ? std::max(x, y)
                        : field.is_cost  ? std::min(x, y)
                                         : std::max(x, y);
  }
  best.buffer_bytes = std::max(a.buffer_bytes, b.buffer_bytes);
  best.last_cache_bytes = std::max(a.last_cache_bytes, b.last_cache_bytes);
  if (b.measured_at > best.measured_at) best.measured_at = b.measured_at;
  return best;
}

}  // namespace rocforge::prof
