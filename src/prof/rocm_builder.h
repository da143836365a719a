// Collects calls for rocm_import.h, whatever format they come from.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "prof/rocm_import.h"
#include "rocforge/status.h"

namespace rocforge::prof {

class ProfileBuilder {
 public:
  enum class Kind : uint8_t { kKernel, kCopy, kApi };

  // kDataLoss for times that are negative, end before they begin, or add up to more than nine
  // years.
  Status AddCall(Kind kind, const std::string& name, int64_t begin_ns, int64_t end_ns);
  // A kernel whose times are not known.
  void AddUntimed(const std::string& kernel) { Of(Kind::kKernel, kernel).calls += 1; }
  // Many calls at once.
  Status AddRow(Kind kind, const ProfileRow& row);
  // A counter's value in a call that was added; values of a counter add up.
  void AddCounter(const std::string& kernel, const std::string& counter, double value) {
    Of(Kind::kKernel, kernel).counters[counter] += value;
  }

  ImportedProfile Finish(std::string format);

 private:
  using Rows = std::map<std::string, ProfileRow>;
  ProfileRow& Of(Kind kind, std::string_view name);

  Rows rows_[3];
  std::vector<std::pair<int64_t, int64_t>> kernel_times_;
};

// JSON and SQLite of rocm_import.h.
Result<ImportedProfile> ImportRocmJson(std::string_view text);
Result<ImportedProfile> ImportRocpd(const std::string& path);

}  // namespace rocforge::prof
