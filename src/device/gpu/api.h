// One table of driver functions for AMD and NVIDIA: hipModuleLaunchKernel and cuLaunchKernel are
// the same call under two names. Filled by dlopen, never linked. Handles are opaque pointers;
// device memory is an address.
#pragma once

#include <cstddef>
#include <cstdint>

namespace rocforge::gpu {

using Handle = void*;
using DevicePtr = uint64_t;

// Every function returns 0 or the driver's error code, unless said otherwise. Streams: nullptr is
// not used.
struct Api {
  int (*driver_version)(int* version) = nullptr;
  int (*device_count)(int* count) = nullptr;
  int (*device_name)(char* name, int bytes, int device) = nullptr;
  int (*device_total_memory)(size_t* bytes, int device) = nullptr;
  int (*device_attribute)(int* value, int attribute, int device) = nullptr;
  int (*memory_info)(size_t* free, size_t* total) = nullptr;

  int (*memory_allocate)(DevicePtr* p, size_t bytes) = nullptr;
  int (*memory_free)(DevicePtr p) = nullptr;
  int (*host_allocate)(void** p, size_t bytes, unsigned flags) = nullptr;  // pinned
  int (*host_free)(void* p) = nullptr;
  // The device's address of pinned memory that was allocated with host_mapped_flags.
  int (*host_device_pointer)(DevicePtr* p, void* host, unsigned flags) = nullptr;
  int (*copy_to_device)(DevicePtr to, const void* from, size_t bytes, Handle stream) = nullptr;
  int (*copy_to_host)(void* to, DevicePtr from, size_t bytes, Handle stream) = nullptr;
  int (*copy_on_device)(DevicePtr to, DevicePtr from, size_t bytes, Handle stream) = nullptr;
  int (*fill)(DevicePtr to, unsigned char value, size_t bytes, Handle stream) = nullptr;

  int (*stream_create)(Handle* stream, unsigned flags) = nullptr;
  int (*stream_destroy)(Handle stream) = nullptr;
  int (*stream_synchronize)(Handle stream) = nullptr;
  int (*stream_wait_event)(Handle stream, Handle event, unsigned flags) = nullptr;

  int (*event_create)(Handle* event, unsigned flags) = nullptr;
  int (*event_destroy)(Handle event) = nullptr;
  int (*event_record)(Handle event, Handle stream) = nullptr;
  int (*event_synchronize)(Handle event) = nullptr;
  int (*event_elapsed)(float* milliseconds, Handle begin, Handle end) = nullptr;

  int (*module_load)(Handle* module, const void* image) = nullptr;
  int (*module_unload)(Handle module) = nullptr;
  int (*module_function)(Handle* function, Handle module, const char* name) = nullptr;
  // Lets launches of the function pass up to this many bytes of shared_bytes.
  int (*allow_shared)(Handle function, int bytes) = nullptr;
  // Null where shared memory is not taken from the first-level cache.
  int (*prefer_shared)(Handle function, int percent) = nullptr;
  int (*launch)(Handle function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared_bytes,
                Handle stream, void** arguments, void** extra) = nullptr;
  int (*launch_cooperative)(Handle function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                            unsigned block_x, unsigned block_y, unsigned block_z,
                            unsigned shared_bytes, Handle stream, void** arguments) = nullptr;
  // Like launch, but the blocks may start before the launch before it in the stream has ended, if
  // that one allows it. Null where the driver has no such launches.
  int (*launch_overlapping)(Handle function, unsigned grid_x, unsigned grid_y, unsigned block,
                            unsigned shared_bytes, Handle stream, void** arguments) = nullptr;

  int (*capture_begin)(Handle stream, int mode) = nullptr;
  int (*capture_end)(Handle stream, Handle* graph) = nullptr;
  int (*graph_instantiate)(Handle* executable, Handle graph, unsigned long long flags) = nullptr;
  int (*graph_launch)(Handle executable, Handle stream) = nullptr;
  int (*graph_destroy)(Handle graph) = nullptr;
  int (*graph_executable_destroy)(Handle executable) = nullptr;

  // What differs in more than the name. All but error_text return 0 or an error code.
  int (*initialise)() = nullptr;
  int (*make_current)(int device) = nullptr;                         // for the calling thread
  int (*architecture)(char* name, int bytes, int device) = nullptr;  // "gfx1100", "sm_90"
  const char* (*error_text)(int code) = nullptr;                     // never null
  bool (*is_out_of_memory)(int code) = nullptr;

  // `flags` of host_allocate for memory that kernels read in place. The device may cache it: what
  // the host writes is seen by kernels that are launched later.
  unsigned host_mapped_flags = 0;

  // Values of device_attribute's `attribute`.
  int attribute_multiprocessors = 0;
  int attribute_wave_size = 0;
  int attribute_integrated = 0;
  int attribute_l2_bytes = 0;
  int attribute_cooperative_launch = 0;
  int attribute_clock_khz = 0;
};

}  // namespace rocforge::gpu
