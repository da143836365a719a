#include "device/gpu/driver.h"

#include <dlfcn.h>

#include <utility>

#include "base/format.h"

namespace rocforge::gpu {
namespace {

struct OpenedLibrary {
  void* handle;
  std::string name;
};

// Keeps what dlopen said about each name, since "not found" and "found, but its own libraries are
// missing" need different cures.
Result<OpenedLibrary> OpenLibrary(Vendor vendor) {
  std::string tried;
  for (const std::string& name : LibraryNames(vendor)) {
    if (void* library = ::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL))
      return OpenedLibrary{library, name};
    const char* error = ::dlerror();
    tried += Format("{}{}", tried.empty() ? "" : "; ", error != nullptr ? error : name.c_str());
  }
  return NotFound(Format("no {} driver: {}", VendorName(vendor), tried));
}

}  // namespace

const char* VendorName(Vendor vendor) {
  switch (vendor) {
    case Vendor::kAmd:
      return "AMD";
    case Vendor::kNvidia:
      return "NVIDIA";
    case Vendor::kSim:
      return "simulator";
  }
  return "unknown";
}

const std::vector<std::string>& LibraryNames(Vendor vendor) {
  static const std::vector<std::string> amd = {"libamdhip64.so.7", "libamdhip64.so.6",
                                               "libamdhip64.so.5"};
  static const std::vector<std::string> nvidia = {"libcuda.so.1"};
  static const std::vector<std::string> none;
  return vendor == Vendor::kAmd ? amd : vendor == Vendor::kNvidia ? nvidia : none;
}

Result<std::shared_ptr<const Driver>> Driver::Open(Vendor vendor) {
  if (vendor == Vendor::kSim) return InvalidArgument("the simulator has no driver library");
  ROCFORGE_ASSIGN_OR_RETURN(const OpenedLibrary library, OpenLibrary(vendor));
  std::shared_ptr<Driver> driver(new Driver());
  driver->vendor_ = vendor;
  driver->library_ = library.name;
  Api& api = driver->api_;
  const Status filled =
      vendor == Vendor::kAmd ? FillHipApi(library.handle, &api) : FillCudaApi(library.handle, &api);
  ROCFORGE_RETURN_IF_ERROR(filled.WithContext(library.name));
  ROCFORGE_RETURN_IF_ERROR(driver->Check(api.initialise(), "initialise").WithContext(library.name));
  ROCFORGE_RETURN_IF_ERROR(driver->Check(api.device_count(&driver->device_count_), "device count")
                               .WithContext(library.name));
  if (driver->device_count_ < 1)
    return Unavailable(Format("{}: the driver sees no device", library.name));
  ROCFORGE_RETURN_IF_ERROR(driver->Check(api.driver_version(&driver->version_), "driver version")
                               .WithContext(library.name));
  return std::shared_ptr<const Driver>(std::move(driver));
}

std::shared_ptr<const Driver> Driver::FromTable(Vendor vendor, std::string library,
                                                const Api& api) {
  std::shared_ptr<Driver> driver(new Driver());
  driver->vendor_ = vendor;
  driver->library_ = std::move(library);
  driver->api_ = api;
  driver->device_count_ = 1;
  return driver;
}

std::string FormatVersion(Vendor vendor, int version) {
  switch (vendor) {
    case Vendor::kAmd:
      return Format("{}.{}.{}", version / 10'000'000, version / 100'000 % 100, version % 100'000);
    case Vendor::kNvidia:
      return Format("{}.{}", version / 1000, version % 1000 / 10);
    case Vendor::kSim:
      break;
  }
  return Format("{}", version);
}

Status Driver::Check(int code, const char* call) const {
  if (code == 0) return {};
  std::string message = Format("{}: {} (error {})", call, api_.error_text(code), code);
  return api_.is_out_of_memory(code) ? ResourceExhausted(std::move(message))
                                     : Unavailable(std::move(message));
}

}  // namespace rocforge::gpu
