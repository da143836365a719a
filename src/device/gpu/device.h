// One GPU and what lives on it: memory, streams, events, modules, graphs. Owning handles over the
// driver table; every error is a Status with the call's name. Objects are used by one thread at a
// time and outlive none of the work they enqueued: the caller synchronises before it destroys what
// a stream still uses.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "device/gpu/driver.h"
#include "rocforge/status.h"

namespace rocforge::gpu {

struct DeviceInfo {
  std::string name;          // "AMD Radeon RX 7900 XTX"
  std::string architecture;  // "gfx1100", "sm_90"
  int64_t total_bytes = 0;
  int multiprocessors = 0;
  int wave_size = 0;
  int64_t l2_bytes = 0;
  int clock_khz = 0;
  bool integrated = false;   // shares the host's memory
  bool cooperative = false;  // can launch grids with a grid barrier
};

// What was asked of the driver through the objects below since the device was opened. Differences
// of two readings say what a step cost.
struct DeviceCounters {
  int64_t launches = 0;           // kernels, one by one
  int64_t captured_launches = 0;  // kernels recorded into a graph instead
  int64_t graph_launches = 0;
  int64_t synchronisations = 0;
  int64_t allocations = 0;  // of device and of pinned memory
  int64_t bytes_to_device = 0;
  int64_t bytes_to_host = 0;

  DeviceCounters operator-(const DeviceCounters& before) const {
    return {launches - before.launches,
            captured_launches - before.captured_launches,
            graph_launches - before.graph_launches,
            synchronisations - before.synchronisations,
            allocations - before.allocations,
            bytes_to_device - before.bytes_to_device,
            bytes_to_host - before.bytes_to_host};
  }
};

class Device : public std::enable_shared_from_this<Device> {
 public:
  // kInvalidArgument if the driver has no such device.
  static Result<std::shared_ptr<Device>> Open(std::shared_ptr<const Driver> driver, int ordinal);

  const Driver& driver() const { return *driver_; }
  const Api& api() const { return driver_->api(); }
  const DeviceInfo& info() const { return info_; }
  int ordinal() const { return ordinal_; }

  // Calls on the device's objects work in threads that have made it current.
  Status MakeCurrent() const { return Check(api().make_current(ordinal_), "make current"); }
  Result<int64_t> FreeBytes() const;

  Status Check(int code, const char* call) const { return driver_->Check(code, call); }

  // Thread-safe.
  DeviceCounters counters() const;

 private:
  friend class Buffer;
  friend class PinnedBuffer;
  friend class Stream;
  using Counter = std::atomic<int64_t>;
  struct Counting {
    Counter launches, captured_launches, graph_launches, synchronisations, allocations,
        bytes_to_device, bytes_to_host;
  };
  static void Count(Counter& counter, int64_t n = 1) {
    counter.fetch_add(n, std::memory_order_relaxed);
  }

  Device() = default;
  std::shared_ptr<const Driver> driver_;
  int ordinal_ = 0;
  DeviceInfo info_;
  mutable Counting counting_{};  // users hold const devices
};

// Device memory.
class Buffer {
 public:
  // kResourceExhausted with the bytes asked for and free. 0 bytes is an empty buffer.
  static Result<Buffer> Allocate(std::shared_ptr<const Device> device, int64_t bytes);
  Buffer() = default;
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;
  ~Buffer();

  DevicePtr ptr() const { return ptr_; }
  int64_t bytes() const { return bytes_; }

 private:
  std::shared_ptr<const Device> device_;
  DevicePtr ptr_ = 0;
  int64_t bytes_ = 0;
};

// Page-locked host memory: what asynchronous copies need.
class PinnedBuffer {
 public:
  static Result<PinnedBuffer> Allocate(std::shared_ptr<const Device> device, int64_t bytes);
  // Such that kernels read it at device_ptr(), where it lies. What the host writes is seen by
  // kernels that are launched later.
  static Result<PinnedBuffer> AllocateMapped(std::shared_ptr<const Device> device, int64_t bytes);
  PinnedBuffer() = default;
  PinnedBuffer(PinnedBuffer&& other) noexcept;
  PinnedBuffer& operator=(PinnedBuffer&& other) noexcept;
  ~PinnedBuffer();

  std::span<std::byte> bytes() const { return {data_, static_cast<size_t>(bytes_)}; }
  DevicePtr device_ptr() const { return device_ptr_; }  // 0: not mapped

 private:
  static Result<PinnedBuffer> AllocateWith(std::shared_ptr<const Device> device, int64_t bytes,
                                           unsigned flags);
  std::shared_ptr<const Device> device_;
  std::byte* data_ = nullptr;
  DevicePtr device_ptr_ = 0;
  int64_t bytes_ = 0;
};

class Event {
 public:
  static Result<Event> Create(std::shared_ptr<const Device> device);
  Event() = default;
  Event(Event&& other) noexcept;
  Event& operator=(Event&& other) noexcept;
  ~Event();

  Handle handle() const { return handle_; }
  Status Synchronize() const;
  // Seconds from `begin` to this event; both recorded and done.
  Result<double> SecondsSince(const Event& begin) const;

 private:
  std::shared_ptr<const Device> device_;
  Handle handle_ = nullptr;
};

// A kernel of a loaded module; valid as long as the module.
struct Kernel {
  Handle function = nullptr;
  std::string name;
};

struct LaunchShape {
  uint32_t grid_x = 1;
  uint32_t grid_y = 1;
  uint32_t block = 1;
  bool cooperative = false;   // all blocks resident, as a grid barrier needs
  uint32_t shared_bytes = 0;  // of a kernel with SharedLarge; AllowShared was called for it
  bool overlap = false;  // may start before the launch before it has ended, where the driver can
                         // do that: the kernel's code calls AwaitPrevious (port.h)
};

// Once per kernel that is launched with shared_bytes. kUnavailable where the device has not as
// much.
Status AllowShared(const Device& device, const Kernel& kernel, uint32_t bytes);

// A hint: while the kernel runs a multiprocessor should have `percent` of its first-level memory as
// shared memory. Launches overlap only where theirs agree.
Status PreferShared(const Device& device, const Kernel& kernel, int percent);

// An instantiated graph of captured work.
class Graph {
 public:
  Graph() = default;
  Graph(Graph&& other) noexcept;
  Graph& operator=(Graph&& other) noexcept;
  ~Graph();
  Handle handle() const { return executable_; }

 private:
  friend class Stream;
  std::shared_ptr<const Device> device_;
  Handle executable_ = nullptr;
};

// Work in order. All calls but Synchronize return at once.
class Stream {
 public:
  static Result<Stream> Create(std::shared_ptr<const Device> device);
  Stream() = default;
  Stream(Stream&& other) noexcept;
  Stream& operator=(Stream&& other) noexcept;
  ~Stream();

  Status CopyToDevice(DevicePtr to, std::span<const std::byte> from) const;
  Status CopyToHost(std::span<std::byte> to, DevicePtr from) const;
  Status CopyOnDevice(DevicePtr to, DevicePtr from, int64_t bytes) const;
  Status Fill(DevicePtr to, uint8_t value, int64_t bytes) const;
  // `args` is the kernel's argument struct; it is copied by the call.
  Status Launch(const Kernel& kernel, const LaunchShape& shape, const void* args) const;
  Status Record(const Event& event) const;
  Status Wait(const Event& event) const;
  Status Synchronize() const;

  // Between the two, calls are recorded instead of run. EndCapture must follow, also after an
  // error.
  Status BeginCapture() const;
  Result<Graph> EndCapture() const;
  Status Launch(const Graph& graph) const;

 private:
  std::shared_ptr<const Device> device_;
  Handle handle_ = nullptr;
  mutable bool capturing_ = false;
};

class Module {
 public:
  // `image`: an AMD code object, or PTX with a NUL byte after its end.
  static Result<Module> Load(std::shared_ptr<const Device> device,
                             std::span<const std::byte> image);
  Module() = default;
  Module(Module&& other) noexcept;
  Module& operator=(Module&& other) noexcept;
  ~Module();

  // kNotFound if the module has no such kernel.
  Result<Kernel> Find(const std::string& name) const;

 private:
  std::shared_ptr<const Device> device_;
  Handle handle_ = nullptr;
};

}  // namespace rocforge::gpu
