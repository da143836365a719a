#include "apps/bench/machine.h"

#include <sys/utsname.h>

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

#include "apps/bench/build_info.h"
#include "apps/pull/sha256.h"
#include "base/cpu_info.h"
#include "base/format.h"
#include "base/thread_pool.h"
#include "kernels/gpu/tune/tuning_file.h"

namespace rocforge::apps {
namespace {

std::string FirstLine(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// The mean of what the system says now; "unknown" where it does not.
std::string ClockText() {
  std::ifstream file("/proc/cpuinfo");
  double sum = 0;
  int n = 0;
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("cpu MHz")) continue;
    sum += std::atof(line.c_str() + line.find(':') + 1);
    ++n;
  }
  return n == 0 ? "unknown" : Format("{:.0f} MHz", sum / n);
}

std::string GovernorText() {
  const std::string governor = FirstLine("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
  return governor.empty() ? "unknown" : governor;
}

std::string LoadText() {
  double load[1] = {0};
  return getloadavg(load, 1) == 1 ? Format("{:.1f}", load[0]) : "unknown";
}

std::string NowText() {
  const std::time_t now = std::time(nullptr);
  std::tm utc = {};
  gmtime_r(&now, &utc);
  char text[32];
  std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

std::string SystemText() {
  utsname name = {};
  return uname(&name) == 0 ? Format("{} {}", name.sysname, name.release) : "unknown";
}

std::string ValueOf(const prof::Facts& facts, const char* name) {
  for (const auto& fact : facts) {
    if (fact.first == name) return fact.second;
  }
  return {};
}

}  // namespace

std::string Machine::Line() const {
  std::string text = "machine:";
  const char* separator = " ";
  for (const auto& [name, value] : hardware) {
    if (name == "model hash") continue;
    text += separator;
    if (name == "threads") {
      text += Format("{} thread{}", value, value == "1" ? "" : "s");
    } else if (name == "kv type" || name == "batch") {
      text += name;
      text += " ";
      text += value;
    } else {
      text += EscapeForTerminal(value, 80);
    }
    separator = ", ";
  }
  return text + Format(" | {}, governor {}, load {} | {} | commit {}",
                       ValueOf(context, "cpu clock"), ValueOf(context, "governor"),
                       ValueOf(context, "load"), ValueOf(context, "build"),
                       ValueOf(context, "commit"));
}

Machine DescribeMachine(int threads, const std::string& isa, const gpu::Device* device) {
  Machine m;
  const CpuInfo cpu = ReadCpuInfo();
  if (threads > 0) {
    m.hardware = {{"cpu", cpu.model_name}, {"threads", Format("{}", threads)}};
    if (!isa.empty()) m.hardware.emplace_back("isa", isa);
  } else {
    m.context.emplace_back("cpu", cpu.model_name);
  }
  if (device != nullptr) {
    const gpu::DeviceInfo& info = device->info();
    m.hardware.emplace_back("gpu", Format("{} ({})", info.name, info.architecture));
    m.context.emplace_back("driver", Format("{} {}", gpu::VendorName(device->driver().vendor()),
                                            device->driver().version_text()));
    m.context.emplace_back("gpu clock", Format("at most {} MHz", info.clock_khz / 1000));
  }
  m.context.emplace_back("cpu clock", ClockText());
  m.context.emplace_back("governor", GovernorText());
  m.context.emplace_back("load", LoadText());
  m.context.emplace_back("system", SystemText());
  m.context.emplace_back("build", BuildText());
  m.context.emplace_back("version", Version());
  m.context.emplace_back("commit", Commit());
  m.context.emplace_back("time", NowText());
  return m;
}

Status AddModel(const std::string& path, Machine* machine) {
  constexpr uint64_t kPart = uint64_t{1} << 20;
  std::ifstream file(path, std::ios::binary);
  std::error_code error;
  const uint64_t size = std::filesystem::file_size(path, error);
  if (!file || error) return Unavailable(Format("cannot read {}", EscapeForTerminal(path)));
  Sha256 hash;
  const std::string size_text = Format("{}", size);
  hash.Update(std::as_bytes(std::span(size_text)));
  std::vector<char> bytes(kPart);
  for (const uint64_t at : {uint64_t{0}, size > kPart ? size - kPart : 0}) {
    file.clear();
    file.seekg(static_cast<std::streamoff>(at));
    file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    hash.Update(std::as_bytes(std::span(bytes.data(), static_cast<size_t>(file.gcount()))));
  }
  machine->hardware.emplace_back("model", std::filesystem::path(path).filename().string());
  machine->hardware.emplace_back("model hash", hash.Finish().substr(0, 16));
  return {};
}

void AddTuning(const std::string& path, Machine* machine) {
  std::string text = "off";
  if (!path.empty()) {
    const Result<std::vector<gpu::TuningEntry>> entries = gpu::ReadTuningFile(path);
    const Result<std::string> hash = Sha256OfFile(path);
    text = !entries.ok()      ? "not readable"
           : entries->empty() ? "nothing kept"
           : !hash.ok()       ? "not readable"
                              : Format("{} entries, {}", entries->size(), hash->substr(0, 16));
  }
  machine->context.emplace_back("tuning", text);
}

Status AddBinaryHash(Machine* machine) {
  ROCFORGE_ASSIGN_OR_RETURN(const std::string hash, Sha256OfFile("/proc/self/exe"));
  machine->context.emplace_back("binary", hash);
  return {};
}

}  // namespace rocforge::apps
