// Any bytes, read as the output of a profiler: one line of error, or a profile whose numbers hold.
#include <cstdlib>
#include <string_view>

#include "prof/rocm_import.h"

namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

void Check(const std::vector<rocforge::prof::ProfileRow>& rows) {
  for (const rocforge::prof::ProfileRow& row : rows) {
    Require(row.calls >= 0 && row.total_ns >= 0);
    Require(row.min_ns >= 0 && row.min_ns <= row.max_ns);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto profile = rocforge::prof::ImportRocmText({reinterpret_cast<const char*>(data), size});
  if (!profile.ok()) {
    Require(!profile.status().message().empty());
    return 0;
  }
  Check(profile->kernels);
  Check(profile->copies);
  Check(profile->api);
  Require(profile->busy_ns >= 0 && profile->busy_ns <= profile->span_ns);
  const rocforge::prof::ImportedProfile twice[] = {*profile, *profile};
  Check(rocforge::prof::MergeProfiles(twice).kernels);
  return 0;
}
