#include "kernels/gpu/launch/ceilings.h"

#include <algorithm>
#include <utility>

#include "base/format.h"
#include "device/gpu/event_clock.h"
#include "kernels/gpu/launch/launchers.h"
#include "kernels/gpu/ops/ceilings_args.h"
#include "kernels/gpu/ops/memory_read_args.h"
#include "prof/kernel_timer.h"

namespace rocforge::gpu {
namespace {

constexpr int kRuns = 7;
constexpr int kFigures = 5;
constexpr int64_t kMiB = int64_t{1} << 20;
constexpr uint32_t kBlock = 256;

// How much of everything: enough to hide what a launch costs, and next to nothing where lanes are
// simulated.
struct Sizes {
  int64_t buffer_bytes = 0;  // of each of the two
  uint32_t blocks_per_unit = 8;
  uint32_t dot_iterations = 40000;
  uint32_t tile_iterations = 20000;
  int launches = 1000;
};

Result<Sizes> ChooseSizes(const Device& device) {
  Sizes sizes;
  if (device.driver().vendor() == Vendor::kSim) {
    return Sizes{.buffer_bytes = 1 << 16,
                 .blocks_per_unit = 1,
                 .dot_iterations = 16,
                 .tile_iterations = 2,
                 .launches = 10};
  }
  constexpr int64_t kLargest = 1024 * kMiB;
  constexpr int64_t kLeast = 32 * kMiB;
  ROCFORGE_ASSIGN_OR_RETURN(const int64_t free, device.FreeBytes());
  sizes.buffer_bytes = std::min(kLargest, free / 4 / kMiB * kMiB);
  if (sizes.buffer_bytes < kLeast) {
    return ResourceExhausted(Format("measuring needs {} of GPU memory and {} are free",
                                    FormatBytes(static_cast<uint64_t>(4 * kLeast)),
                                    FormatBytes(static_cast<uint64_t>(free))));
  }
  return sizes;
}

class Measurement {
 public:
  Measurement(std::shared_ptr<const Device> device, const Modules& modules)
      : device_(std::move(device)), modules_(modules) {}

  Status Prepare() {
    ROCFORGE_RETURN_IF_ERROR(device_->MakeCurrent());
    ROCFORGE_ASSIGN_OR_RETURN(sizes_, ChooseSizes(*device_));
    ROCFORGE_ASSIGN_OR_RETURN(stream_, Stream::Create(device_));
    ROCFORGE_ASSIGN_OR_RETURN(std::unique_ptr<prof::KernelClock> clock,
                              MakeEventClock(device_, &stream_));
    timer_ = prof::KernelTimer::ForKernel("ceilings", std::move(clock));
    n_blocks_ = static_cast<uint32_t>(std::max(1, device_->info().multiprocessors)) *
                sizes_.blocks_per_unit;
    ROCFORGE_ASSIGN_OR_RETURN(a_, Buffer::Allocate(device_, sizes_.buffer_bytes));
    ROCFORGE_ASSIGN_OR_RETURN(b_, Buffer::Allocate(device_, sizes_.buffer_bytes));
    ROCFORGE_ASSIGN_OR_RETURN(out_, Buffer::Allocate(device_, int64_t{n_blocks_} * kBlock * 4));
    ROCFORGE_RETURN_IF_ERROR(stream_.Fill(a_.ptr(), 1, a_.bytes()));
    return stream_.Fill(b_.ptr(), 2, b_.bytes());
  }

  Status Memory(prof::Ceilings& c);
  Status Transfers(prof::Ceilings& c);
  Status Launches(prof::Ceilings& c);
  Status Dots(prof::Ceilings& c);
  Status Tiles(prof::Ceilings& c);

 private:
  // Of the fastest run; `enqueue` puts the work into the stream.
  template <typename F>
  Result<double> Seconds(const F& enqueue) {
    double best = 0;
    for (int run = 0; run < kRuns; ++run) {
      ROCFORGE_RETURN_IF_ERROR(timer_.Start());
      ROCFORGE_RETURN_IF_ERROR(enqueue());
      ROCFORGE_RETURN_IF_ERROR(timer_.Stop());
      ROCFORGE_RETURN_IF_ERROR(stream_.Synchronize());
      ROCFORGE_ASSIGN_OR_RETURN(const double seconds, timer_.Elapsed());
      // The first run also loads code and fills page tables.
      if (run == 1 || (run > 1 && seconds < best)) best = seconds;
    }
    if (!(best > 0)) return Unavailable("the driver's events do not tell the time");
    return best;
  }
  template <typename Args>
  Result<double> SecondsOf(const char* file, const char* name, const LaunchShape& shape,
                           const Args& args) {
    ROCFORGE_ASSIGN_OR_RETURN(const Kernel kernel, modules_.Find(file, name));
    return Seconds([&] { return stream_.Launch(kernel, shape, &args); });
  }
  uint64_t n_chunks() const { return static_cast<uint64_t>(sizes_.buffer_bytes) / 16; }
  double bytes() const { return static_cast<double>(sizes_.buffer_bytes); }

  std::shared_ptr<const Device> device_;
  const Modules& modules_;
  Sizes sizes_;
  Stream stream_;
  prof::KernelTimer timer_ = prof::KernelTimer::ForKernel("ceilings");  // by events: Prepare
  Buffer a_, b_, out_;
  uint32_t n_blocks_ = 0;
};

Status Measurement::Memory(prof::Ceilings& c) {
  const LaunchShape shape{n_blocks_, 1, kBlock};
  ROCFORGE_ASSIGN_OR_RETURN(const double read_s,
                            SecondsOf("memory_read", "memory_read", shape,
                                      MemoryReadArgs{DevicePointer<void>(a_.ptr()), n_chunks(),
                                                     DevicePointer<uint32_t>(out_.ptr())}));
  ROCFORGE_ASSIGN_OR_RETURN(
      const double write_s,
      SecondsOf("ceilings", "ceiling_write", shape,
                CeilingWriteArgs{DevicePointer<void>(b_.ptr()), n_chunks(), 7}));
  ROCFORGE_ASSIGN_OR_RETURN(const double copy_s,
                            SecondsOf("ceilings", "ceiling_copy", shape,
                                      CeilingCopyArgs{DevicePointer<void>(b_.ptr()),
                                                      DevicePointer<void>(a_.ptr()), n_chunks()}));
  c.buffer_bytes = static_cast<uint64_t>(sizes_.buffer_bytes);
  c.read_bytes_per_s = bytes() / read_s;
  c.write_bytes_per_s = bytes() / write_s;
  c.copy_bytes_per_s = 2 * bytes() / copy_s;
  return {};
}

Status Measurement::Transfers(prof::Ceilings& c) {
  const int64_t n = std::min<int64_t>(sizes_.buffer_bytes, 64 * kMiB);
  ROCFORGE_ASSIGN_OR_RETURN(const PinnedBuffer host, PinnedBuffer::Allocate(device_, n));
  std::fill(host.bytes().begin(), host.bytes().end(), std::byte{3});
  ROCFORGE_ASSIGN_OR_RETURN(const double to_s,
                            Seconds([&] { return stream_.CopyToDevice(b_.ptr(), host.bytes()); }));
  ROCFORGE_ASSIGN_OR_RETURN(const double from_s,
                            Seconds([&] { return stream_.CopyToHost(host.bytes(), a_.ptr()); }));
  c.to_device_bytes_per_s = static_cast<double>(n) / to_s;
  c.to_host_bytes_per_s = static_cast<double>(n) / from_s;
  return {};
}

Status Measurement::Launches(prof::Ceilings& c) {
  ROCFORGE_ASSIGN_OR_RETURN(const Kernel empty, modules_.Find("ceilings", "ceiling_empty"));
  const CeilingEmptyArgs args{0};
  const auto wave = static_cast<uint32_t>(device_->info().wave_size);
  const auto enqueue = [&] {
    for (int i = 0; i < sizes_.launches; ++i)
      ROCFORGE_RETURN_IF_ERROR(stream_.Launch(empty, {1, 1, wave}, &args));
    return Status();
  };
  ROCFORGE_ASSIGN_OR_RETURN(const double launch_s, Seconds(enqueue));
  c.launch_ns = launch_s * 1e9 / sizes_.launches;
  // A driver without capture has no such figure; everything else still counts.
  if (!stream_.BeginCapture().ok()) return {};
  const Status captured = enqueue();
  Result<Graph> graph = stream_.EndCapture();
  if (!captured.ok() || !graph.ok()) return {};
  ROCFORGE_ASSIGN_OR_RETURN(const double graph_s, Seconds([&] { return stream_.Launch(*graph); }));
  c.graph_node_ns = graph_s * 1e9 / sizes_.launches;
  return {};
}

Status Measurement::Dots(prof::Ceilings& c) {
  const CeilingDotArgs args{DevicePointer<int32_t>(out_.ptr()), sizes_.dot_iterations, 0x01020304,
                            0x01010101};
  ROCFORGE_ASSIGN_OR_RETURN(const double seconds,
                            SecondsOf("ceilings", "ceiling_dot4", {n_blocks_, 1, kBlock}, args));
  const double dots = static_cast<double>(n_blocks_) * kBlock * args.iterations * kCeilingDots;
  c.int8_ops_per_s = dots * 8 / seconds;  // four multiply-adds
  return {};
}

Status Measurement::Tiles(prof::Ceilings& c) {
  const CeilingTileArgs args{DevicePointer<float>(out_.ptr()), sizes_.tile_iterations};
  ROCFORGE_ASSIGN_OR_RETURN(
      const double seconds,
      SecondsOf("ceilings", "ceiling_tile", {n_blocks_, 1, kCeilingTileBlock}, args));
  const double waves =
      static_cast<double>(n_blocks_) * kCeilingTileBlock / device_->info().wave_size;
  c.float_ops_per_s = waves * args.iterations * kCeilingTiles * (2.0 * 16 * 16 * 16) / seconds;
  const Result<Kernel> warpgroup = modules_.Find("ceilings", "ceiling_warpgroup");
  if (!warpgroup.ok()) return {};  // the target has none
  ROCFORGE_RETURN_IF_ERROR(AllowShared(*device_, *warpgroup, kCeilingWarpgroupShared));
  const LaunchShape shape{n_blocks_, 1, kCeilingWarpgroups * 128, false, kCeilingWarpgroupShared};
  ROCFORGE_ASSIGN_OR_RETURN(const double group_s,
                            Seconds([&] { return stream_.Launch(*warpgroup, shape, &args); }));
  const double products = static_cast<double>(n_blocks_) * kCeilingWarpgroups * args.iterations;
  c.float_ops_per_s =
      std::max(c.float_ops_per_s, products * (2.0 * 64 * 64 * kCeilingWarpgroupColumns) / group_s);
  return {};
}

}  // namespace

prof::CeilingsKey GpuCeilingsKey(const Device& device, const Modules& modules) {
  const Driver& driver = device.driver();
  return {device.info().name, Format("{} {}, {}", VendorName(driver.vendor()),
                                     driver.version_text(), modules.target())};
}

Result<prof::Ceilings> MeasureGpuCeilings(
    const std::shared_ptr<const Device>& device, const Modules& modules,
    const std::function<void(std::string_view what, int done, int total)>& progress) {
  using Step = Status (Measurement::*)(prof::Ceilings&);
  constexpr std::pair<const char*, Step> kSteps[kFigures] = {
      {"memory", &Measurement::Memory},
      {"transfers to and from the host", &Measurement::Transfers},
      {"launches", &Measurement::Launches},
      {"8-bit dot products", &Measurement::Dots},
      {"f16 matrix products", &Measurement::Tiles},
  };
  prof::Ceilings c;
  c.key = GpuCeilingsKey(*device, modules);
  c.last_cache_bytes = static_cast<uint64_t>(std::max<int64_t>(0, device->info().l2_bytes));
  Measurement measurement(device, modules);
  ROCFORGE_RETURN_IF_ERROR(measurement.Prepare());
  for (int i = 0; i < kFigures; ++i) {
    if (progress) progress(kSteps[i].first, i, kFigures);
    ROCFORGE_RETURN_IF_ERROR((measurement.*kSteps[i].second)(c).WithContext(kSteps[i].first));
  }
  return c;
}

}  // namespace rocforge::gpu
