#include "kernels/gpu/port/sim/sim_driver.h"

#include <unistd.h>
#include <atomic>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <functional>
#include <map>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "kernels/gpu/port/sim/runtime.h"

namespace rocforge::port::sim {
namespace {

using gpu::DevicePtr;
using gpu::Handle;

constexpr int kErrorInvalidValue = 1;
constexpr int kErrorOutOfMemory = 2;
constexpr int kErrorNotFound = 500;
constexpr int kErrorLaunchFailed = 719;
constexpr unsigned char kFreshMemory = 0xA5;

using Work = std::function<int()>;

// Work runs when it comes, or is kept where the stream captures.
struct SimStream {
  bool capturing = false;
  std::vector<Work> captured;
  int Enqueue(Work work) {
    if (!capturing) return work();
    captured.push_back(std::move(work));
    return 0;
  }
};

struct SimEvent {
  std::chrono::steady_clock::time_point time;
};

struct SimGraph {
  std::vector<Work> work;
};

thread_local Status last_launch_error;
std::atomic<uint32_t> shared_limit = kMostSharedBytes;

SimStream& Stream(Handle stream) { return *static_cast<SimStream*>(stream); }
void* HostPointer(DevicePtr p) { return reinterpret_cast<void*>(static_cast<uintptr_t>(p)); }

int Allocate(DevicePtr* p, size_t bytes) {
  // A whole allocation per buffer: the address sanitizer sees what goes beyond it.
  void* memory = ::operator new(bytes, std::align_val_t{256}, std::nothrow);
  if (memory == nullptr) return kErrorOutOfMemory;
  std::memset(memory, kFreshMemory, bytes);
  *p = static_cast<DevicePtr>(reinterpret_cast<uintptr_t>(memory));
  return 0;
}

int Free(DevicePtr p) {
  ::operator delete(HostPointer(p), std::align_val_t{256});
  return 0;
}

int HostAllocate(void** p, size_t bytes, unsigned) {
  DevicePtr memory = 0;
  const int code = Allocate(&memory, bytes);
  *p = HostPointer(memory);
  return code;
}

int HostFree(void* p) { return Free(static_cast<DevicePtr>(reinterpret_cast<uintptr_t>(p))); }

int Copy(void* to, const void* from, size_t bytes, Handle stream) {
  return Stream(stream).Enqueue([=] {
    std::memmove(to, from, bytes);
    return 0;
  });
}

int RunKernel(const KernelInfo* kernel, const LaunchShape& shape,
              const std::vector<std::byte>& args) {
  Status status = Launch(*kernel, shape, args);
  if (status.ok()) return 0;
  last_launch_error = std::move(status);
  return kErrorLaunchFailed;
}

int EnqueueKernel(Handle function, const LaunchShape& shape, Handle stream, void** arguments) {
  const auto* kernel = static_cast<const KernelInfo*>(function);
  // Drivers copy the arguments when the work is enqueued.
  const auto* first = static_cast<const std::byte*>(arguments[0]);
  std::vector<std::byte> args(first, first + kernel->args_bytes);
  return Stream(stream).Enqueue(
      [kernel, shape, args = std::move(args)] { return RunKernel(kernel, shape, args); });
}

int RunAll(const std::vector<Work>& work) {
  for (const Work& each : work) {
    if (const int code = each(); code != 0) return code;
  }
  return 0;
}

int EndCapture(Handle stream, Handle* graph) {
  SimStream& s = Stream(stream);
  if (!s.capturing) return kErrorInvalidValue;
  s.capturing = false;
  *graph = new SimGraph{std::exchange(s.captured, {})};
  return 0;
}

const char* ErrorText(int code) {
  switch (code) {
    case kErrorInvalidValue:
      return "invalid value";
    case kErrorOutOfMemory:
      return "out of memory";
    case kErrorNotFound:
      return "no such kernel";
    case kErrorLaunchFailed:
      return last_launch_error.message().c_str();
    default:
      return "unknown error";
  }
}

int TotalMemory(size_t* bytes) {
  *bytes = static_cast<size_t>(::sysconf(_SC_PHYS_PAGES)) *
           static_cast<size_t>(::sysconf(_SC_PAGE_SIZE));
  return 0;
}

enum Attribute { kMultiprocessors = 1, kWaveSize, kIntegrated, kL2Bytes, kCooperative, kClockKhz };

template <uint32_t kLanes>
int DeviceAttribute(int* value, int attribute, int) {
  switch (attribute) {
    case kMultiprocessors:
      *value = 4;
      return 0;
    case kWaveSize:
      *value = static_cast<int>(kLanes);
      return 0;
    case kIntegrated:
      *value = kLanes == 32 ? 1 : 0;
      return 0;
    case kCooperative:
      *value = 1;
      return 0;
    case kL2Bytes:
    case kClockKhz:
      *value = 0;  // there is none to speak of
      return 0;
    default:
      return kErrorInvalidValue;
  }
}

template <uint32_t kLanes>
int FindFunction(Handle* function, Handle, const char* name) {
  const KernelInfo* kernel = Find(name, kLanes);
  if (kernel == nullptr) return kErrorNotFound;
  *function = const_cast<KernelInfo*>(kernel);
  return 0;
}

void FillMemory(gpu::Api& api) {
  api.memory_info = [](size_t* free, size_t* total) {
    TotalMemory(free);
    return TotalMemory(total);
  };
  api.device_total_memory = [](size_t* bytes, int) { return TotalMemory(bytes); };
  api.memory_allocate = Allocate;
  api.memory_free = Free;
  api.host_allocate = HostAllocate;
  api.host_free = HostFree;
  api.host_device_pointer = [](DevicePtr* p, void* host, unsigned) {
    *p = static_cast<DevicePtr>(reinterpret_cast<uintptr_t>(host));
    return 0;
  };
  api.copy_to_device = [](DevicePtr to, const void* from, size_t n, Handle s) {
    return Copy(HostPointer(to), from, n, s);
  };
  api.copy_to_host = [](void* to, DevicePtr from, size_t n, Handle s) {
    return Copy(to, HostPointer(from), n, s);
  };
  api.copy_on_device = [](DevicePtr to, DevicePtr from, size_t n, Handle s) {
    return Copy(HostPointer(to), HostPointer(from), n, s);
  };
  api.fill = [](DevicePtr to, unsigned char value, size_t n, Handle s) {
    return Stream(s).Enqueue([=] {
      std::memset(HostPointer(to), value, n);
      return 0;
    });
  };
}

void FillStreams(gpu::Api& api) {
  api.stream_create = [](Handle* s, unsigned) {
    *s = new SimStream();
    return 0;
  };
  api.stream_destroy = [](Handle s) {
    delete static_cast<SimStream*>(s);
    return 0;
  };
  api.stream_synchronize = [](Handle s) { return Stream(s).capturing ? kErrorInvalidValue : 0; };
  api.stream_wait_event = [](Handle, Handle, unsigned) {
    return 0;
  };  // work runs when it is enqueued
  api.event_create = [](Handle* e, unsigned) {
    *e = new SimEvent();
    return 0;
  };
  api.event_destroy = [](Handle e) {
    delete static_cast<SimEvent*>(e);
    return 0;
  };
  api.event_record = [](Handle e, Handle s) {
    return Stream(s).Enqueue([e] {
      static_cast<SimEvent*>(e)->time = std::chrono::steady_clock::now();
      return 0;
    });
  };
  api.event_synchronize = [](Handle) { return 0; };
  api.event_elapsed = [](float* ms, Handle a, Handle b) {
    *ms = std::chrono::duration<float, std::milli>(static_cast<SimEvent*>(b)->time -
                                                   static_cast<SimEvent*>(a)->time)
              .count();
    return 0;
  };
}

void FillLaunches(gpu::Api& api) {
  api.module_load = [](Handle* module, const void*) {
    static int module_token = 0;
    *module = &module_token;
    return 0;
  };
  api.module_unload = [](Handle) { return 0; };
  api.allow_shared = [](Handle, int bytes) {
    return static_cast<uint32_t>(bytes) > shared_limit ? kErrorInvalidValue : 0;
  };
  api.launch = [](Handle f, unsigned gx, unsigned gy, unsigned, unsigned bx, unsigned, unsigned,
                  unsigned shared, Handle s, void** args, void**) {
    if (shared > shared_limit) return kErrorInvalidValue;
    return EnqueueKernel(f, {gx, gy, bx, false}, s, args);
  };
  api.launch_cooperative = [](Handle f, unsigned gx, unsigned gy, unsigned, unsigned bx, unsigned,
                              unsigned, unsigned, Handle s, void** args) {
    return EnqueueKernel(f, {gx, gy, bx, true}, s, args);
  };
  api.capture_begin = [](Handle s, int) {
    if (Stream(s).capturing) return kErrorInvalidValue;
    Stream(s).capturing = true;
    return 0;
  };
  api.capture_end = EndCapture;
  api.graph_instantiate = [](Handle* executable, Handle graph, unsigned long long) {
    *executable = new SimGraph(*static_cast<SimGraph*>(graph));
    return 0;
  };
  api.graph_launch = [](Handle executable, Handle s) {
    return Stream(s).Enqueue(
        [executable] { return RunAll(static_cast<SimGraph*>(executable)->work); });
  };
  const auto destroy = [](Handle graph) {
    delete static_cast<SimGraph*>(graph);
    return 0;
  };
  api.graph_destroy = destroy;
  api.graph_executable_destroy = destroy;
}

template <uint32_t kLanes>
gpu::Api MakeApi() {
  gpu::Api api;
  FillMemory(api);
  FillStreams(api);
  FillLaunches(api);
  api.initialise = [] { return 0; };
  api.make_current = [](int) { return 0; };
  api.driver_version = [](int* version) {
    *version = 1;
    return 0;
  };
  api.device_count = [](int* count) {
    *count = 1;
    return 0;
  };
  api.device_name = [](char* name, int bytes, int) {
    std::snprintf(name, static_cast<size_t>(bytes), "simulator, waves of %u", kLanes);
    return 0;
  };
  api.architecture = [](char* name, int bytes, int) {
    std::snprintf(name, static_cast<size_t>(bytes), "sim%u", kLanes);
    return 0;
  };
  api.device_attribute = DeviceAttribute<kLanes>;
  api.module_function = FindFunction<kLanes>;
  api.error_text = ErrorText;
  api.is_out_of_memory = [](int code) { return code == kErrorOutOfMemory; };
  api.attribute_multiprocessors = kMultiprocessors;
  api.attribute_wave_size = kWaveSize;
  api.attribute_integrated = kIntegrated;
  api.attribute_l2_bytes = kL2Bytes;
  api.attribute_cooperative_launch = kCooperative;
  api.attribute_clock_khz = kClockKhz;
  return api;
}

}  // namespace

std::shared_ptr<const gpu::Driver> SimDriver(uint32_t wave_size) {
  ROCFORGE_CHECK(wave_size == 32 || wave_size == 64);
  return gpu::Driver::FromTable(gpu::Vendor::kSim, wave_size == 32 ? "sim32" : "sim64",
                                wave_size == 32 ? MakeApi<32>() : MakeApi<64>());
}

void SetSharedLimit(uint32_t bytes) { shared_limit = bytes; }

const Status& LastLaunchError() { return last_launch_error; }

}  // namespace rocforge::port::sim
