// `rocforge devices --measure`: the ceilings of the CPU and of each GPU, measured and kept.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "prof/ceilings.h"
#include "rocforge/status.h"

namespace rocforge::apps {

struct MeasuredDevice {
  std::string name;  // "cpu", "gpu:0"
  Status status;     // why there are no figures
  prof::Ceilings ceilings;
};

// Measures `device` ("cpu", "gpu", "gpu:N", "sim32"), or the CPU and every GPU ("all"), with a
// progress bar, and keeps the better of each figure and what `folder` had (prof::BestOf). A device
// that fails is an entry with its reason where all were asked for, otherwise the error. kCancelled
// after Ctrl-C: what was finished is kept.
Result<std::vector<MeasuredDevice>> MeasureDevices(const std::string& device, int n_threads,
                                                   const std::string& folder);

// What `folder` keeps for `device` ("cpu", "gpu:0", ...) with so many threads, measured now if it
// is not all there. Says on stderr that it measures.
Result<prof::Ceilings> CeilingsOf(const std::string& device, int n_threads,
                                  const std::string& folder);

std::string ToTable(const std::vector<MeasuredDevice>& devices);
nlohmann::ordered_json ToJson(const MeasuredDevice& device);

// "2.35 TB/s", "4.1 GFLOP/s", "1.9 us"; "-" for 0.
std::string RateText(double per_s, const char* unit);
std::string NsText(double ns);

}  // namespace rocforge::apps
