// NVIDIA: libcuda, the driver API of CUDA 12 and newer. Numbers are those of cuda.h.
#include <cstdio>

#include "device/gpu/driver.h"
#include "device/gpu/symbols.h"

namespace rocforge::gpu {
namespace {

constexpr int kErrorOutOfMemory = 2;

constexpr unsigned kHostMappedFlags = 0x2;  // CU_MEMHOSTALLOC_DEVICEMAP

// CUdevice_attribute
constexpr int kAttributeWarpSize = 10;
constexpr int kAttributeClockRate = 13;
constexpr int kAttributeMultiprocessorCount = 16;
constexpr int kAttributeIntegrated = 18;
constexpr int kAttributeL2CacheSize = 38;
constexpr int kAttributeComputeCapabilityMajor = 75;
constexpr int kAttributeComputeCapabilityMinor = 76;
constexpr int kAttributeCooperativeLaunch = 95;

// CUfunction_attribute
constexpr int kFunctionMaxDynamicSharedBytes = 8;
constexpr int kFunctionPreferredSharedCarveout = 9;

// CUlaunchAttribute with the one attribute that is used, and CUlaunchConfig.
constexpr int kAttributeProgrammaticStreamSerialization = 6;
struct LaunchAttribute {
  alignas(8) int id;
  alignas(8) int value;
  char pad[60];
};
static_assert(sizeof(LaunchAttribute) == 72);
struct LaunchConfig {
  unsigned grid[3];
  unsigned block[3];
  unsigned shared_bytes;
  Handle stream;
  const LaunchAttribute* attributes;
  unsigned n_attributes;
};
static_assert(sizeof(LaunchConfig) == 56);

struct CudaOnly {
  int (*launch_kernel_ex)(const LaunchConfig* config, Handle function, void** arguments,
                          void** extra) = nullptr;
  int (*init)(unsigned flags) = nullptr;
  int (*function_set_attribute)(Handle function, int attribute, int value) = nullptr;
  int (*primary_context_retain)(Handle* context, int device) = nullptr;
  int (*context_set_current)(Handle context) = nullptr;
  int (*error_string)(int code, const char** text) = nullptr;
  int (*device_attribute)(int* value, int attribute, int device) = nullptr;
};

// One process has at most one CUDA library; the table holds plain functions, which need to find
// these.
CudaOnly& Cuda() {
  static CudaOnly cuda;
  return cuda;
}

// The primary context of a device is retained once and kept for the life of the process, as the
// runtime API does.
int MakeCurrent(int device) {
  constexpr int kMaxDevices = 64;
  constexpr int kErrorInvalidDevice = 101;
  static Handle contexts[kMaxDevices] = {};
  if (device < 0 || device >= kMaxDevices) return kErrorInvalidDevice;
  if (contexts[device] == nullptr) {
    if (const int code = Cuda().primary_context_retain(&contexts[device], device); code != 0)
      return code;
  }
  return Cuda().context_set_current(contexts[device]);
}

int Architecture(char* name, int bytes, int device) {
  int major = 0;
  int minor = 0;
  if (const int code = Cuda().device_attribute(&major, kAttributeComputeCapabilityMajor, device);
      code != 0)
    return code;
  if (const int code = Cuda().device_attribute(&minor, kAttributeComputeCapabilityMinor, device);
      code != 0)
    return code;
  std::snprintf(name, static_cast<size_t>(bytes), "sm_%d%d", major, minor);
  return 0;
}

int LaunchOverlapping(Handle function, unsigned grid_x, unsigned grid_y, unsigned block,
                      unsigned shared_bytes, Handle stream, void** arguments) {
  const LaunchAttribute attribute{kAttributeProgrammaticStreamSerialization, 1, {}};
  const LaunchConfig config{
      {grid_x, grid_y, 1}, {block, 1, 1}, shared_bytes, stream, &attribute, 1};
  return Cuda().launch_kernel_ex(&config, function, arguments, nullptr);
}

const char* ErrorText(int code) {
  const char* text = nullptr;
  return Cuda().error_string(code, &text) == 0 && text != nullptr ? text : "unknown error";
}

}  // namespace

Status FillCudaApi(void* library, Api* api) {
  Symbols s(library);
  s.Get("cuDriverGetVersion", &api->driver_version);
  s.Get("cuDeviceGetCount", &api->device_count);
  s.Get("cuDeviceGetName", &api->device_name);
  s.Get("cuDeviceTotalMem_v2", &api->device_total_memory);
  s.Get("cuDeviceGetAttribute", &api->device_attribute);
  s.Get("cuMemGetInfo_v2", &api->memory_info);
  s.Get("cuMemAlloc_v2", &api->memory_allocate);
  s.Get("cuMemFree_v2", &api->memory_free);
  s.Get("cuMemHostAlloc", &api->host_allocate);
  s.Get("cuMemFreeHost", &api->host_free);
  s.Get("cuMemHostGetDevicePointer_v2", &api->host_device_pointer);
  s.Get("cuMemcpyHtoDAsync_v2", &api->copy_to_device);
  s.Get("cuMemcpyDtoHAsync_v2", &api->copy_to_host);
  s.Get("cuMemcpyDtoDAsync_v2", &api->copy_on_device);
  s.Get("cuMemsetD8Async", &api->fill);
  s.Get("cuStreamCreate", &api->stream_create);
  s.Get("cuStreamDestroy_v2", &api->stream_destroy);
  s.Get("cuStreamSynchronize", &api->stream_synchronize);
  s.Get("cuStreamWaitEvent", &api->stream_wait_event);
  s.Get("cuEventCreate", &api->event_create);
  s.Get("cuEventDestroy_v2", &api->event_destroy);
  s.Get("cuEventRecord", &api->event_record);
  s.Get("cuEventSynchronize", &api->event_synchronize);
  s.Get("cuEventElapsedTime", &api->event_elapsed);
  s.Get("cuModuleLoadData", &api->module_load);
  s.Get("cuModuleUnload", &api->module_unload);
  s.Get("cuModuleGetFunction", &api->module_function);
  s.Get("cuLaunchKernel", &api->launch);
  s.Get("cuLaunchCooperativeKernel", &api->launch_cooperative);
  s.Get("cuStreamBeginCapture_v2", &api->capture_begin);
  s.Get("cuStreamEndCapture", &api->capture_end);
  s.Get("cuGraphInstantiateWithFlags", &api->graph_instantiate);
  s.Get("cuGraphLaunch", &api->graph_launch);
  s.Get("cuGraphDestroy", &api->graph_destroy);
  s.Get("cuGraphExecDestroy", &api->graph_executable_destroy);
  CudaOnly& cuda = Cuda();
  s.GetOptional("cuLaunchKernelEx", &cuda.launch_kernel_ex);
  if (cuda.launch_kernel_ex != nullptr) api->launch_overlapping = LaunchOverlapping;
  s.Get("cuInit", &cuda.init);
  s.Get("cuDevicePrimaryCtxRetain", &cuda.primary_context_retain);
  s.Get("cuFuncSetAttribute", &cuda.function_set_attribute);
  s.Get("cuCtxSetCurrent", &cuda.context_set_current);
  s.Get("cuGetErrorString", &cuda.error_string);
  cuda.device_attribute = api->device_attribute;
  api->initialise = [] { return Cuda().init(0); };
  api->allow_shared = [](Handle function, int bytes) {
    return Cuda().function_set_attribute(function, kFunctionMaxDynamicSharedBytes, bytes);
  };
  api->prefer_shared = [](Handle function, int percent) {
    return Cuda().function_set_attribute(function, kFunctionPreferredSharedCarveout, percent);
  };
  api->make_current = MakeCurrent;
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
