#include "device/gpu/device.h"

#include <utility>

#include "base/format.h"

namespace rocforge::gpu {
namespace {

// hipStreamNonBlocking and CU_STREAM_NON_BLOCKING: no hidden waits for the legacy default stream.
constexpr unsigned kStreamNonBlocking = 1;
// hipStreamCaptureModeThreadLocal and CU_STREAM_CAPTURE_MODE_THREAD_LOCAL: other threads may go on
// allocating.
constexpr int kCaptureThreadLocal = 1;

}  // namespace

Result<std::shared_ptr<Device>> Device::Open(std::shared_ptr<const Driver> driver, int ordinal) {
  if (ordinal < 0 || ordinal >= driver->device_count()) {
    return InvalidArgument(Format("there is no GPU {}; the {} driver has {}", ordinal,
                                  VendorName(driver->vendor()), driver->device_count()));
  }
  std::shared_ptr<Device> device(new Device());
  device->driver_ = std::move(driver);
  device->ordinal_ = ordinal;
  const Api& api = device->api();
  DeviceInfo& info = device->info_;
  ROCFORGE_RETURN_IF_ERROR(device->MakeCurrent());
  char text[256] = {};
  ROCFORGE_RETURN_IF_ERROR(
      device->Check(api.device_name(text, sizeof(text), ordinal), "device name"));
  info.name = text;
  ROCFORGE_RETURN_IF_ERROR(
      device->Check(api.architecture(text, sizeof(text), ordinal), "architecture"));
  info.architecture = text;
  size_t bytes = 0;
  ROCFORGE_RETURN_IF_ERROR(
      device->Check(api.device_total_memory(&bytes, ordinal), "device memory"));
  info.total_bytes = static_cast<int64_t>(bytes);
  const auto attribute = [&](int which, auto set) {
    int value = 0;
    ROCFORGE_RETURN_IF_ERROR(
        device->Check(api.device_attribute(&value, which, ordinal), "device attribute"));
    set(value);
    return Status();
  };
  ROCFORGE_RETURN_IF_ERROR(
      attribute(api.attribute_multiprocessors, [&](int v) { info.multiprocessors = v; }));
  ROCFORGE_RETURN_IF_ERROR(attribute(api.attribute_wave_size, [&](int v) { info.wave_size = v; }));
  ROCFORGE_RETURN_IF_ERROR(attribute(api.attribute_l2_bytes, [&](int v) { info.l2_bytes = v; }));
  ROCFORGE_RETURN_IF_ERROR(attribute(api.attribute_clock_khz, [&](int v) { info.clock_khz = v; }));
  ROCFORGE_RETURN_IF_ERROR(
      attribute(api.attribute_integrated, [&](int v) { info.integrated = v != 0; }));
  ROCFORGE_RETURN_IF_ERROR(
      attribute(api.attribute_cooperative_launch, [&](int v) { info.cooperative = v != 0; }));
  return device;
}

Result<int64_t> Device::FreeBytes() const {
  size_t free = 0;
  size_t total = 0;
  ROCFORGE_RETURN_IF_ERROR(Check(api().memory_info(&free, &total), "memory info"));
  return static_cast<int64_t>(free);
}

DeviceCounters Device::counters() const {
  const auto read = [](const Counter& counter) { return counter.load(std::memory_order_relaxed); };
  return {read(counting_.launches),       read(counting_.captured_launches),
          read(counting_.graph_launches), read(counting_.synchronisations),
          read(counting_.allocations),    read(counting_.bytes_to_device),
          read(counting_.bytes_to_host)};
}

Result<Buffer> Buffer::Allocate(std::shared_ptr<const Device> device, int64_t bytes) {
  Buffer buffer;
  if (bytes > 0) {
    Device::Count(device->counting_.allocations);
    const Status status = device->Check(
        device->api().memory_allocate(&buffer.ptr_, static_cast<size_t>(bytes)), "allocate");
    if (!status.ok()) {
      const Result<int64_t> free = device->FreeBytes();
      return Status(status.code(),
                    Format("{} of GPU memory: {}; {} of {} are free",
                           FormatBytes(static_cast<uint64_t>(bytes)), status.message(),
                           free.ok() ? FormatBytes(static_cast<uint64_t>(*free)) : "unknown",
                           FormatBytes(static_cast<uint64_t>(device->info().total_bytes))));
    }
  }
  buffer.bytes_ = bytes;
  buffer.device_ = std::move(device);
  return buffer;
}

Buffer::Buffer(Buffer&& other) noexcept
    : device_(std::move(other.device_)),
      ptr_(std::exchange(other.ptr_, 0)),
      bytes_(std::exchange(other.bytes_, 0)) {}
Buffer& Buffer::operator=(Buffer&& other) noexcept {
  std::swap(device_, other.device_);
  std::swap(ptr_, other.ptr_);
  std::swap(bytes_, other.bytes_);
  return *this;
}
// Destructors have nobody to tell: an error here is one that an earlier call reported already.
Buffer::~Buffer() {
  if (ptr_ != 0) device_->api().memory_free(ptr_);
}

Result<PinnedBuffer> PinnedBuffer::Allocate(std::shared_ptr<const Device> device, int64_t bytes) {
  return AllocateWith(std::move(device), bytes, 0);
}
Result<PinnedBuffer> PinnedBuffer::AllocateMapped(std::shared_ptr<const Device> device,
                                                  int64_t bytes) {
  const unsigned flags = device->api().host_mapped_flags;
  ROCFORGE_ASSIGN_OR_RETURN(PinnedBuffer buffer, AllocateWith(std::move(device), bytes, flags));
  if (bytes > 0) {
    const Device& owner = *buffer.device_;
    ROCFORGE_RETURN_IF_ERROR(
        owner.Check(owner.api().host_device_pointer(&buffer.device_ptr_, buffer.data_, 0),
                    "map pinned memory"));
  }
  return buffer;
}
Result<PinnedBuffer> PinnedBuffer::AllocateWith(std::shared_ptr<const Device> device, int64_t bytes,
                                                unsigned flags) {
  PinnedBuffer buffer;
  void* data = nullptr;
  if (bytes > 0) {
    Device::Count(device->counting_.allocations);
    ROCFORGE_RETURN_IF_ERROR(
        device
            ->Check(device->api().host_allocate(&data, static_cast<size_t>(bytes), flags),
                    "allocate pinned memory")
            .WithContext(FormatBytes(static_cast<uint64_t>(bytes))));
  }
  buffer.data_ = static_cast<std::byte*>(data);
  buffer.bytes_ = bytes;
  buffer.device_ = std::move(device);
  return buffer;
}

PinnedBuffer::PinnedBuffer(PinnedBuffer&& other) noexcept
    : device_(std::move(other.device_)),
      data_(std::exchange(other.data_, nullptr)),
      device_ptr_(std::exchange(other.device_ptr_, 0)),
      bytes_(std::exchange(other.bytes_, 0)) {}
PinnedBuffer& PinnedBuffer::operator=(PinnedBuffer&& other) noexcept {
  std::swap(device_, other.device_);
  std::swap(data_, other.data_);
  std::swap(device_ptr_, other.device_ptr_);
  std::swap(bytes_, other.bytes_);
  return *this;
}
PinnedBuffer::~PinnedBuffer() {
  if (data_ != nullptr) device_->api().host_free(data_);
}

Result<Event> Event::Create(std::shared_ptr<const Device> device) {
  Event event;
  ROCFORGE_RETURN_IF_ERROR(
      device->Check(device->api().event_create(&event.handle_, 0), "create event"));
  event.device_ = std::move(device);
  return event;
}
Event::Event(Event&& other) noexcept
    : device_(std::move(other.device_)), handle_(std::exchange(other.handle_, nullptr)) {}
Event& Event::operator=(Event&& other) noexcept {
  std::swap(device_, other.device_);
  std::swap(handle_, other.handle_);
  return *this;
}
Event::~Event() {
  if (handle_ != nullptr) device_->api().event_destroy(handle_);
}
Status Event::Synchronize() const {
  return device_->Check(device_->api().event_synchronize(handle_), "wait for event");
}
Result<double> Event::SecondsSince(const Event& begin) const {
  float milliseconds = 0;
  ROCFORGE_RETURN_IF_ERROR(device_->Check(
      device_->api().event_elapsed(&milliseconds, begin.handle_, handle_), "elapsed time"));
  return static_cast<double>(milliseconds) * 1e-3;
}

Graph::Graph(Graph&& other) noexcept
    : device_(std::move(other.device_)), executable_(std::exchange(other.executable_, nullptr)) {}
Graph& Graph::operator=(Graph&& other) noexcept {
  std::swap(device_, other.device_);
  std::swap(executable_, other.executable_);
  return *this;
}
Graph::~Graph() {
  if (executable_ != nullptr) device_->api().graph_executable_destroy(executable_);
}

Result<Stream> Stream::Create(std::shared_ptr<const Device> device) {
  Stream stream;
  ROCFORGE_RETURN_IF_ERROR(device->Check(
      device->api().stream_create(&stream.handle_, kStreamNonBlocking), "create stream"));
  stream.device_ = std::move(device);
  return stream;
}
Stream::Stream(Stream&& other) noexcept
    : device_(std::move(other.device_)),
      handle_(std::exchange(other.handle_, nullptr)),
      capturing_(other.capturing_) {}
Stream& Stream::operator=(Stream&& other) noexcept {
  std::swap(device_, other.device_);
  std::swap(handle_, other.handle_);
  std::swap(capturing_, other.capturing_);
  return *this;
}
Stream::~Stream() {
  if (handle_ != nullptr) device_->api().stream_destroy(handle_);
}

Status Stream::CopyToDevice(DevicePtr to, std::span<const std::byte> from) const {
  Device::Count(device_->counting_.bytes_to_device, static_cast<int64_t>(from.size()));
  return device_->Check(device_->api().copy_to_device(to, from.data(), from.size(), handle_),
                        "copy to device");
}
Status Stream::CopyToHost(std::span<std::byte> to, DevicePtr from) const {
  Device::Count(device_->counting_.bytes_to_host, static_cast<int64_t>(to.size()));
  return device_->Check(device_->api().copy_to_host(to.data(), from, to.size(), handle_),
                        "copy to host");
}
Status Stream::CopyOnDevice(DevicePtr to, DevicePtr from, int64_t bytes) const {
  return device_->Check(
      device_->api().copy_on_device(to, from, static_cast<size_t>(bytes), handle_),
      "copy on device");
}
Status Stream::Fill(DevicePtr to, uint8_t value, int64_t bytes) const {
  return device_->Check(device_->api().fill(to, value, static_cast<size_t>(bytes), handle_),
                        "fill");
}

Status Stream::Launch(const Kernel& kernel, const LaunchShape& shape, const void* args) const {
  // The drivers read the arguments and do not write them.
  void* arguments[] = {const_cast<void*>(args)};
  Device::Count(capturing_ ? device_->counting_.captured_launches : device_->counting_.launches);
  const Api& api = device_->api();
  const int code =
      shape.overlap && api.launch_overlapping != nullptr
          ? api.launch_overlapping(kernel.function, shape.grid_x, shape.grid_y, shape.block,
                                   shape.shared_bytes, handle_, arguments)
      : shape.cooperative
          ? api.launch_cooperative(kernel.function, shape.grid_x, shape.grid_y, 1, shape.block, 1,
                                   1, shape.shared_bytes, handle_, arguments)
          : api.launch(kernel.function, shape.grid_x, shape.grid_y, 1, shape.block, 1, 1,
                       shape.shared_bytes, handle_, arguments, nullptr);
  return code == 0 ? Status() : device_->Check(code, kernel.name.c_str());
}
Status AllowShared(const Device& device, const Kernel& kernel, uint32_t bytes) {
  return device.Check(device.api().allow_shared(kernel.function, static_cast<int>(bytes)),
                      "allow shared memory");
}

Status PreferShared(const Device& device, const Kernel& kernel, int percent) {
  if (device.api().prefer_shared == nullptr) return {};
  return device.Check(device.api().prefer_shared(kernel.function, percent), "prefer shared memory");
}

Status Stream::Record(const Event& event) const {
  return device_->Check(device_->api().event_record(event.handle(), handle_), "record event");
}
Status Stream::Wait(const Event& event) const {
  return device_->Check(device_->api().stream_wait_event(handle_, event.handle(), 0),
                        "wait for event");
}
Status Stream::Synchronize() const {
  Device::Count(device_->counting_.synchronisations);
  return device_->Check(device_->api().stream_synchronize(handle_), "wait for stream");
}

Status Stream::BeginCapture() const {
  ROCFORGE_RETURN_IF_ERROR(
      device_->Check(device_->api().capture_begin(handle_, kCaptureThreadLocal), "begin capture"));
  capturing_ = true;
  return {};
}
Result<Graph> Stream::EndCapture() const {
  capturing_ = false;
  const Api& api = device_->api();
  Handle captured = nullptr;
  ROCFORGE_RETURN_IF_ERROR(device_->Check(api.capture_end(handle_, &captured), "end capture"));
  Graph graph;
  const Status status =
      device_->Check(api.graph_instantiate(&graph.executable_, captured, 0), "instantiate graph");
  api.graph_destroy(captured);
  ROCFORGE_RETURN_IF_ERROR(status);
  graph.device_ = device_;
  return graph;
}
Status Stream::Launch(const Graph& graph) const {
  Device::Count(device_->counting_.graph_launches);
  return device_->Check(device_->api().graph_launch(graph.handle(), handle_), "launch graph");
}

Result<Module> Module::Load(std::shared_ptr<const Device> device,
                            std::span<const std::byte> image) {
  Module module;
  ROCFORGE_RETURN_IF_ERROR(
      device->Check(device->api().module_load(&module.handle_, image.data()), "load module"));
  module.device_ = std::move(device);
  return module;
}
Module::Module(Module&& other) noexcept
    : device_(std::move(other.device_)), handle_(std::exchange(other.handle_, nullptr)) {}
Module& Module::operator=(Module&& other) noexcept {
  std::swap(device_, other.device_);
  std::swap(handle_, other.handle_);
  return *this;
}
Module::~Module() {
  if (handle_ != nullptr) device_->api().module_unload(handle_);
}
Result<Kernel> Module::Find(const std::string& name) const {
  Kernel kernel{nullptr, name};
  const int code = device_->api().module_function(&kernel.function, handle_, name.c_str());
  if (code != 0) return NotFound(device_->Check(code, name.c_str()).message());
  return kernel;
}

}  // namespace rocforge::gpu
