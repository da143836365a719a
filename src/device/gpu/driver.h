// A loaded GPU driver: the table of its functions and what went wrong where there is none.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "device/gpu/api.h"
#include "rocforge/status.h"

namespace rocforge::gpu {

enum class Vendor : uint8_t { kAmd, kNvidia, kSim };

const char* VendorName(Vendor vendor);  // "AMD", "NVIDIA", "simulator"

// What driver_version reports, for people: 12040 is "12.4" (CUDA), 60342131 "6.3.42131" (HIP).
std::string FormatVersion(Vendor vendor, int version);

// Immutable; stays loaded for the life of the process, because drivers do not survive dlclose.
class Driver {
 public:
  // Loads and initialises the driver. kNotFound: no library, with the names that were tried;
  // kUnavailable: there is a library but it refuses or has no device; kUnsupported: it lacks a
  // function, named.
  static Result<std::shared_ptr<const Driver>> Open(Vendor vendor);

  // Wraps a table that did not come from a library (the sim port).
  static std::shared_ptr<const Driver> FromTable(Vendor vendor, std::string library,
                                                 const Api& api);

  Vendor vendor() const { return vendor_; }
  const std::string& library() const { return library_; }  // "libamdhip64.so.7"
  const Api& api() const { return api_; }
  int device_count() const { return device_count_; }
  int version() const { return version_; }  // as the driver reports it
  std::string version_text() const { return FormatVersion(vendor_, version_); }

  // A failed call as a Status: "hipMalloc: out of memory (2)"; out of memory is kResourceExhausted,
  // all else kUnavailable. Ok for 0.
  Status Check(int code, const char* call) const;

 private:
  Driver() = default;
  Vendor vendor_ = Vendor::kSim;
  std::string library_;
  Api api_;
  int device_count_ = 0;
  int version_ = 0;
};

// Fill a table from a loaded library; kUnsupported names the missing function. Internal to the
// folder.
Status FillHipApi(void* library, Api* api);
Status FillCudaApi(void* library, Api* api);

// Library names in the order of preference.
const std::vector<std::string>& LibraryNames(Vendor vendor);

}  // namespace rocforge::gpu
