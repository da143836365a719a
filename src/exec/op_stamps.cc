#include "exec/op_stamps.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <thread>
#include <utility>

#include "kernels/gpu/launch/launchers.h"
#include "kernels/gpu/ops/op_stamp_args.h"

namespace rocforge::exec {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int64_t kStampBytes = sizeof(gpu::OpStamp);
constexpr int64_t kCountBytes = sizeof(uint64_t);
constexpr int kCostStamps = 64;
constexpr auto kRateTime = std::chrono::milliseconds(20);
constexpr int kRateTries = 8;
// Clocks this near to one tick a nanosecond are clocks of nanoseconds.
constexpr double kNearOne = 0.02;

}  // namespace

Result<OpStamps> OpStamps::Create(const std::shared_ptr<const gpu::Device>& device,
                                  const gpu::Modules& modules, uint32_t capacity) {
  OpStamps s;
  s.device_ = device;
  s.capacity_ = std::max<uint32_t>(capacity, 2 * kCostStamps);
  ROCFORGE_RETURN_IF_ERROR(device->MakeCurrent());
  ROCFORGE_ASSIGN_OR_RETURN(s.kernel_, modules.Find("op_stamp", "op_stamp"));
  gpu::BindContext context;
  context.device = device;
  context.modules = &modules;
  s.overlap_ = gpu::CanOverlap(context);
  ROCFORGE_ASSIGN_OR_RETURN(s.ring_, gpu::Buffer::Allocate(device, s.capacity_ * kStampBytes));
  ROCFORGE_ASSIGN_OR_RETURN(s.count_, gpu::Buffer::Allocate(device, kCountBytes));
  ROCFORGE_ASSIGN_OR_RETURN(
      s.host_, gpu::PinnedBuffer::Allocate(device, s.capacity_ * kStampBytes + kCountBytes));
  ROCFORGE_ASSIGN_OR_RETURN(const gpu::Stream stream, gpu::Stream::Create(device));
  ROCFORGE_RETURN_IF_ERROR(stream.Fill(s.count_.ptr(), 0, kCountBytes));
  ROCFORGE_RETURN_IF_ERROR(s.Calibrate(stream));
  ROCFORGE_RETURN_IF_ERROR(s.MeasureCost(stream));
  return s;
}

Status OpStamps::Enqueue(const gpu::Stream& stream, uint32_t id) const {
  const gpu::OpStampArgs args{gpu::DevicePointer<gpu::OpStamp>(ring_.ptr()),
                              gpu::DevicePointer<uint64_t>(count_.ptr()), capacity_, id};
  const auto wave = static_cast<uint32_t>(device_->info().wave_size);
  return stream.Launch(kernel_, {1, 1, wave, false, 0, overlap_}, &args);
}

Status OpStamps::Read(const gpu::Stream& stream, std::vector<Stamp>* stamps) {
  const auto ring_bytes = static_cast<size_t>(capacity_ * kStampBytes);
  ROCFORGE_RETURN_IF_ERROR(stream.CopyToHost(host_.bytes().first(ring_bytes), ring_.ptr()));
  ROCFORGE_RETURN_IF_ERROR(stream.CopyToHost(host_.bytes().subspan(ring_bytes), count_.ptr()));
  ROCFORGE_RETURN_IF_ERROR(stream.Synchronize());
  uint64_t count = 0;
  std::memcpy(&count, host_.bytes().data() + ring_bytes, sizeof(count));
  stamps->clear();
  const uint64_t first = count - std::min<uint64_t>(count - n_read_, capacity_);
  for (uint64_t i = first; i < count; ++i) {
    gpu::OpStamp stamp;
    std::memcpy(&stamp, host_.bytes().data() + i % capacity_ * kStampBytes, sizeof(stamp));
    // Ticks since the start of a device fit the 53 bits of a double for months.
    stamps->push_back(
        {static_cast<int64_t>(std::llround(static_cast<double>(stamp.clock) * ns_per_tick_)),
         static_cast<uint32_t>(stamp.id)});
  }
  n_read_ = count;
  return {};
}

// Nothing else is known of the clock's rate; the host's clock tells it. A host that was busy with
// something else between a stamp and its own clock would tell a wrong one: of several tries at each
// end the quickest counts, and its middle.
Status OpStamps::Calibrate(const gpu::Stream& stream) {
  ROCFORGE_RETURN_IF_ERROR(Enqueue(stream, 0));  // the first launch loads code
  ROCFORGE_RETURN_IF_ERROR(stream.Synchronize());
  struct End {
    size_t stamp = 0;
    Clock::duration took = Clock::duration::max();
    Clock::time_point middle;
  };
  size_t n_stamps = 1;
  const auto find = [&](End* end) -> Status {
    for (int i = 0; i < kRateTries; ++i, ++n_stamps) {
      const Clock::time_point before = Clock::now();
      ROCFORGE_RETURN_IF_ERROR(Enqueue(stream, 0));
      ROCFORGE_RETURN_IF_ERROR(stream.Synchronize());
      const Clock::duration took = Clock::now() - before;
      if (took < end->took) *end = {n_stamps, took, before + took / 2};
    }
    return {};
  };
  End first, last;
  ROCFORGE_RETURN_IF_ERROR(find(&first));
  std::this_thread::sleep_for(kRateTime);
  ROCFORGE_RETURN_IF_ERROR(find(&last));
  std::vector<Stamp> stamps;
  ROCFORGE_RETURN_IF_ERROR(Read(stream, &stamps));
  const int64_t ticks =
      stamps.size() == n_stamps ? stamps[last.stamp].time_ns - stamps[first.stamp].time_ns : 0;
  if (ticks <= 0) return Unavailable("the device's clock does not move: ops cannot be timed");
  const double rate = std::chrono::duration<double, std::nano>(last.middle - first.middle).count() /
                      static_cast<double>(ticks);
  ns_per_tick_ = std::fabs(rate - 1) < kNearOne ? 1 : rate;
  return {};
}

Status OpStamps::MeasureCost(const gpu::Stream& stream) {
  const auto enqueue = [&] {
    for (uint32_t i = 0; i < kCostStamps; ++i) ROCFORGE_RETURN_IF_ERROR(Enqueue(stream, i));
    return Status();
  };
  // As a graph where the driver captures: launches one by one would show the host's pace.
  gpu::Graph graph;
  if (stream.BeginCapture().ok()) {
    const Status captured = enqueue();
    Result<gpu::Graph> made = stream.EndCapture();
    if (captured.ok() && made.ok()) graph = std::move(*made);
  }
  for (int pass = 0; pass < 3; ++pass) {
    ROCFORGE_RETURN_IF_ERROR(graph.handle() != nullptr ? stream.Launch(graph) : enqueue());
    std::vector<Stamp> stamps;
    ROCFORGE_RETURN_IF_ERROR(Read(stream, &stamps));
    if (stamps.size() != kCostStamps) return Internal("stamps of the device were lost");
    // The mean: clocks may tick in steps longer than a stamp.
    const int64_t cost = (stamps.back().time_ns - stamps.front().time_ns) / (kCostStamps - 1);
    cost_ns_ = pass == 0 ? cost : std::min(cost_ns_, cost);
  }
  return {};
}

}  // namespace rocforge::exec
