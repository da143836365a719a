// AMD: libamdhip64 of ROCm 5, 6 and 7. Numbers and offsets are those of hip_runtime_api.h.
#include <cstdio>
#include <cstring>

#include "device/gpu/driver.h"
#include "device/gpu/symbols.h"

namespace rocforge::gpu {
namespace {

constexpr int kErrorInvalidValue = 1;
constexpr int kErrorOutOfMemory = 2;

// hipHostMallocMapped and hipHostMallocNonCoherent. Coherent memory, which is the default, is not
// kept in the device's L2 cache.
constexpr unsigned kHostMappedFlags = 0x2u | 0x80000000u;

// hipDeviceAttribute_t
constexpr int kAttributeClockRate = 5;
constexpr int kAttributeCooperativeLaunch = 10;
constexpr int kAttributeIntegrated = 16;
constexpr int kAttributeL2CacheSize = 19;
constexpr int kAttributeMultiprocessorCount = 63;
constexpr int kAttributeWarpSize = 87;

// hipDeviceProp_t is read for one field only: gcnArchName, 256 characters, at these offsets in the
// layout since ROCm 6 (hipGetDevicePropertiesR0600) and in the one before. The buffer is larger
// than either.
constexpr size_t kPropertiesBytes = 4096;
constexpr size_t kArchOffsetR0600 = 1160;
constexpr size_t kArchOffsetR0000 = 396;

struct HipOnly {
  int (*init)(unsigned flags) = nullptr;
  int (*set_device)(int device) = nullptr;
  const char* (*error_string)(int code) = nullptr;
  int (*properties_r0600)(void* properties, int device) = nullptr;
  int (*properties)(void* properties, int device) = nullptr;
};

// One process has at most one HIP library; the table holds plain functions, which need to find
// these.
HipOnly& Hip() {
  static HipOnly hip;
  return hip;
}

int Architecture(char* name, int bytes, int device) {
  alignas(16) char properties[kPropertiesBytes] = {};
  const bool r0600 = Hip().properties_r0600 != nullptr;
  const int code =
      r0600 ? Hip().properties_r0600(properties, device) : Hip().properties(properties, device);
  if (code != 0) return code;
  const char* arch = properties + (r0600 ? kArchOffsetR0600 : kArchOffsetR0000);
  if (std::strncmp(arch, "gfx", 3) != 0) return kErrorInvalidValue;  // a layout that we do not know
  std::snprintf(name, static_cast<size_t>(bytes), "%s", arch);
  return 0;
}

const char* ErrorText(int code) {
  const char* text = Hip().error_string(code);
  return text != nullptr ? text : "unknown error";
}

}  // namespace

Status FillHipApi(void* library, Api* api) {
  Symbols s(library);
  s.Get("hipDriverGetVersion", &api->driver_version);
  s.Get("hipGetDeviceCount", &api->device_count);
  s.Get("hipDeviceGetName", &api->device_name);
  s.Get("hipDeviceTotalMem", &api->device_total_memory);
  s.Get("hipDeviceGetAttribute", &api->device_attribute);
  s.Get("hipMemGetInfo", &api->memory_info);
  s.Get("hipMalloc", &api->memory_allocate);
  s.Get("hipFree", &api->memory_free);
  s.Get("hipHostMalloc", &api->host_allocate);
  s.Get("hipHostFree", &api->host_free);
  s.Get("hipHostGetDevicePointer", &api->host_device_pointer);
  s.Get("hipMemcpyHtoDAsync", &api->copy_to_device);
  s.Get("hipMemcpyDtoHAsync", &api->copy_to_host);
  s.Get("hipMemcpyDtoDAsync", &api->copy_on_device);
  s.Get("hipMemsetD8Async", &api->fill);
  s.Get("hipStreamCreateWithFlags", &api->stream_create);
  s.Get("hipStreamDestroy", &api->stream_destroy);
  s.Get("hipStreamSynchronize", &api->stream_synchronize);
  s.Get("hipStreamWaitEvent", &api->stream_wait_event);
  s.Get("hipEventCreateWithFlags", &api->event_create);
  s.Get("hipEventDestroy", &api->event_destroy);
  s.Get("hipEventRecord", &api->event_record);
  s.Get("hipEventSynchronize", &api->event_synchronize);
  s.Get("hipEventElapsedTime", &api->event_elapsed);
  s.Get("hipModuleLoadData", &api->module_load);
  s.Get("hipModuleUnload", &api->module_unload);
  s.Get("hipModuleGetFunction", &api->module_function);
  s.Get("hipModuleLaunchKernel", &api->launch);
  s.Get("hipModuleLaunchCooperativeKernel", &api->launch_cooperative);
  s.Get("hipStreamBeginCapture", &api->capture_begin);
  s.Get("hipStreamEndCapture", &api->capture_end);
  s.Get("hipGraphInstantiateWithFlags", &api->graph_instantiate);
  s.Get("hipGraphLaunch", &api->graph_launch);
  s.Get("hipGraphDestroy", &api->graph_destroy);
  s.Get("hipGraphExecDestroy", &api->graph_executable_destroy);
  HipOnly& hip = Hip();
  s.Get("hipInit", &hip.init);
  s.Get("hipSetDevice", &hip.set_device);
  s.Get("hipGetErrorString", &hip.error_string);
  s.GetOptional("hipGetDevicePropertiesR0600", &hip.properties_r0600);
  s.Get("hipGetDeviceProperties", &hip.properties);
  api->initialise = [] { return Hip().init(0); };
  api->allow_shared = [](Handle, int) { return 0; };  // nothing to ask for: at most 64 KiB
  api->make_current = [](int device) { return Hip().set_device(device); };
  api->architecture = Architecture;
  api->error_text = ErrorText;
  api->is_out_of_memory = [](int code) { return code == kErrorOutOfMemory; };
  api->host_mapped_flags = kHostMappedFlags;
  api->attribute_multiprocessors = kAttributeMultiprocessorCount;
  api->attribute_wave_size = kAttributeWarpSize;
  api->attribute_integrated = kAttributeIntegrated;
  api->attribute_l2_bytes = kAttributeL2CacheSize;
  api->attribute_cooperative_launch = kAttributeCooperativeLaunch;
  api->attribute_clock_khz = kAttributeClockRate;
  return s.status();
}

}  // namespace rocforge::gpu
