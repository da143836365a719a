#include "kernels/gpu/tune/tuning_file.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/format.h"
#include "base/mapped_file.h"

namespace rocforge::gpu {
namespace {

using Json = nlohmann::ordered_json;

constexpr int64_t kVersion = 1;
constexpr size_t kMostBytes = size_t{16} << 20;
constexpr int64_t kMostNs = int64_t{1} << 50;
constexpr GemmUnit kUnits[] = {GemmUnit::kAuto,         GemmUnit::kMatvec, GemmUnit::kSkinny,
                               GemmUnit::kFew,          GemmUnit::kTile,   GemmUnit::kWarpgroup,
                               GemmUnit::kWarpgroupWide};

// A whole number of an object in [0, most]; absent is 0.
Status Number(const Json& object, const char* key, int64_t most, int64_t* value) {
  const auto at = object.find(key);
  *value = 0;
  if (at == object.end()) return {};
  if (!at->is_number_integer()) return DataLoss(Format("'{}' is no whole number", key));
  if (at->is_number_unsigned() && at->get<uint64_t>() > static_cast<uint64_t>(most))
    return DataLoss(Format("'{}' is too large", key));
  *value = at->get<int64_t>();
  if (*value < 0) return DataLoss(Format("'{}' is negative", key));
  return {};
}

Status Text(const Json& object, const char* key, std::string* value) {
  const auto at = object.find(key);
  if (at == object.end()) return {};
  if (!at->is_string()) return DataLoss(Format("'{}' is no text", key));
  *value = at->get_ref<const std::string&>();
  return {};
}

Status ParseUnit(const std::string& name, GemmUnit* unit) {
  for (const GemmUnit u : kUnits) {
    if (name == GemmUnitName(u)) {
      *unit = u;
      return {};
    }
  }
  return DataLoss(Format("unknown unit '{}'", EscapeForTerminal(name, 40)));
}

Status ParseConfig(const Json& config, TuningEntry* entry) {
  if (!config.is_object()) return DataLoss("'config' is no object");
  std::string unit;
  ROCFORGE_RETURN_IF_ERROR(Text(config, "unit", &unit));
  if (!unit.empty()) ROCFORGE_RETURN_IF_ERROR(ParseUnit(unit, &entry->config.unit));
  const struct {
    const char* name;
    uint32_t* value;
  } fields[] = {{"blocks", &entry->config.blocks},
                {"threads", &entry->config.threads},
                {"parts", &entry->config.parts},
                {"rows", &entry->config.rows}};
  int64_t number = 0;
  for (const auto& field : fields) {
    ROCFORGE_RETURN_IF_ERROR(Number(config, field.name, 1 << 20, &number));
    *field.value = static_cast<uint32_t>(number);
  }
  if (const Status checked = CheckConfig(entry->config); !checked.ok())
    return DataLoss(checked.message());
  ROCFORGE_RETURN_IF_ERROR(Number(config, "cpu_threads", 1024, &number));
  entry->cpu_threads = static_cast<int32_t>(number);
  return Text(config, "cpu_isa", &entry->cpu_isa);
}

Result<TuningEntry> ParseEntry(const Json& json) {
  if (!json.is_object()) return DataLoss("it is no object");
  TuningEntry entry;
  ROCFORGE_RETURN_IF_ERROR(Text(json, "device", &entry.device));
  ROCFORGE_RETURN_IF_ERROR(Text(json, "driver", &entry.driver));
  ROCFORGE_RETURN_IF_ERROR(Text(json, "op", &entry.op));
  if (entry.device.empty() || entry.driver.empty() || entry.op.empty())
    return DataLoss("it lacks 'device', 'driver' or 'op'");
  int64_t bucket = 0;
  ROCFORGE_RETURN_IF_ERROR(Number(json, "bucket", kSizeBuckets - 1, &bucket));
  entry.bucket = static_cast<size_t>(bucket);
  ROCFORGE_RETURN_IF_ERROR(Number(json, "before_ns", kMostNs, &entry.before_ns));
  ROCFORGE_RETURN_IF_ERROR(Number(json, "after_ns", kMostNs, &entry.after_ns));
  const auto config = json.find("config");
  if (config == json.end()) return DataLoss("it lacks 'config'");
  ROCFORGE_RETURN_IF_ERROR(ParseConfig(*config, &entry));
  return entry;
}

Json ToJson(const TuningEntry& e) {
  Json config = Json::object();
  if (e.config.unit != GemmUnit::kAuto) config["unit"] = GemmUnitName(e.config.unit);
  const auto add = [&](const char* name, int64_t value) {
    if (value != 0) config[name] = value;
  };
  add("blocks", e.config.blocks);
  add("threads", e.config.threads);
  add("parts", e.config.parts);
  add("rows", e.config.rows);
  add("cpu_threads", e.cpu_threads);
  if (!e.cpu_isa.empty()) config["cpu_isa"] = e.cpu_isa;
  return {{"device", e.device},    {"driver", e.driver}, {"op", e.op},
          {"bucket", e.bucket},    {"config", config},   {"before_ns", e.before_ns},
          {"after_ns", e.after_ns}};
}

}  // namespace

std::string DeviceKey(const Device& device) {
  return Format("{} ({})", device.info().name, device.info().architecture);
}

std::string DriverKey(const Device& device) { return device.driver().version_text(); }

std::string WriteTuning(std::span<const TuningEntry> entries) {
  // An entry a line: readable, and a change is a line.
  std::string text = Format("{{\"rocforge_tuning\": {}, \"entries\": [", kVersion);
  for (size_t i = 0; i < entries.size(); ++i) {
    text += i == 0 ? "\n" : ",\n";
    text += ToJson(entries[i]).dump(-1, ' ', false, Json::error_handler_t::replace);
  }
  return text + "\n]}\n";
}

Result<std::vector<TuningEntry>> ParseTuning(std::string_view json) {
  if (json.size() > kMostBytes) return DataLoss("this is too large to be a tuning file");
  const Json document = Json::parse(json, nullptr, false);
  if (document.is_discarded()) return DataLoss("this is no JSON, or it is cut off");
  if (!document.is_object() || !document.contains("rocforge_tuning"))
    return DataLoss("this is no tuning file of rocforge");
  int64_t version = 0;
  ROCFORGE_RETURN_IF_ERROR(Number(document, "rocforge_tuning", 1 << 20, &version));
  if (version != kVersion) {
    return Unsupported(
        Format("a tuning file of version {}; this build reads {}: tune again", version, kVersion));
  }
  const auto list = document.find("entries");
  if (list == document.end() || !list->is_array()) return DataLoss("'entries' is no list");
  std::vector<TuningEntry> entries;
  for (const Json& one : *list) {
    Result<TuningEntry> entry = ParseEntry(one);
    if (!entry.ok()) return entry.status().WithContext(Format("entry {}", entries.size() + 1));
    entries.push_back(std::move(*entry));
  }
  return entries;
}

Result<std::vector<TuningEntry>> ReadTuningFile(const std::string& path) {
  const Result<MappedFile> file = MappedFile::Open(path);
  if (!file.ok() && file.status().code() == StatusCode::kNotFound)
    return std::vector<TuningEntry>();
  if (!file.ok()) return file.status();
  const std::span<const std::byte> bytes = file.value().bytes();
  Result<std::vector<TuningEntry>> entries =
      ParseTuning({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  if (!entries.ok()) return entries.status().WithContext(EscapeForTerminal(path));
  return entries;
}

Status WriteTuningFile(const std::string& path, std::span<const TuningEntry> entries) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  std::error_code error;
  if (!folder.empty()) std::filesystem::create_directories(folder, error);
  if (error) return Unavailable(Format("{}: {}", folder.string(), error.message()));
  const std::string temporary = Format("{}.{}", path, getpid());
  errno = 0;
  {
    std::ofstream file(temporary, std::ios::trunc | std::ios::binary);
    file << WriteTuning(entries);
    file.flush();
    if (!file) {
      const std::string why = std::strerror(errno);
      std::remove(temporary.c_str());
      return Unavailable(Format("{}: {}", EscapeForTerminal(temporary), why));
    }
  }
  std::filesystem::rename(temporary, path, error);
  if (!error) return {};
  std::remove(temporary.c_str());
  return Unavailable(Format("{}: {}", EscapeForTerminal(path), error.message()));
}

void MergeTuning(std::span<const TuningEntry> more, std::vector<TuningEntry>* into) {
  for (const TuningEntry& entry : more) {
    std::erase_if(*into, [&](const TuningEntry& old) { return old.SameKey(entry); });
    into->push_back(entry);
  }
}

Tuning TuningFor(std::span<const TuningEntry> entries, const Device& device) {
  const std::string name = DeviceKey(device), driver = DriverKey(device);
  Tuning tuning;
  for (const TuningEntry& e : entries) {
    if (e.device == name && e.driver == driver) tuning.Set(e.op, e.bucket, e.config);
  }
  return tuning;
}

}  // namespace rocforge::gpu
