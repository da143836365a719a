// The file in which tuned configurations are kept: JSON, one entry per device, driver, op, type and
// shape.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "device/gpu/device.h"
#include "kernels/gpu/tune/tuning.h"
#include "rocforge/status.h"

namespace rocforge::gpu {

struct TuningEntry {
  std::string device;  // DeviceKey, or the CPU's name
  std::string driver;  // DriverKey, or "cpu"
  std::string op;      // TuneKey; on the CPU kCpuStep
  size_t bucket = 0;
  OpConfig config;          // on GPUs
  int32_t cpu_threads = 0;  // on the CPU: 0 and "" leave the choice
  std::string cpu_isa;
  int64_t before_ns = 0;  // of a call with the launcher's own choice, and with this one
  int64_t after_ns = 0;

  bool SameKey(const TuningEntry& other) const {
    return device == other.device && driver == other.driver && op == other.op &&
           bucket == other.bucket;
  }
};

// A whole step on the CPU, in front of the model's type and width ("step Q4_K 4096").
inline constexpr const char* kCpuStep = "step";

std::string DeviceKey(const Device& device);  // "AMD Radeon RX 7900 XTX (gfx1100)"
std::string DriverKey(const Device& device);

std::string WriteTuning(std::span<const TuningEntry> entries);
// kDataLoss names the entry and what is wrong with it; nothing of a broken file is used.
Result<std::vector<TuningEntry>> ParseTuning(std::string_view json);

// No entries where there is no such file.
Result<std::vector<TuningEntry>> ReadTuningFile(const std::string& path);
// Replaces the file at once: a reader sees the old or the new one. Makes the folder.
Status WriteTuningFile(const std::string& path, std::span<const TuningEntry> entries);

// `more` replaces entries of equal keys in `into`.
void MergeTuning(std::span<const TuningEntry> more, std::vector<TuningEntry>* into);

Tuning TuningFor(std::span<const TuningEntry> entries, const Device& device);

}  // namespace rocforge::gpu
