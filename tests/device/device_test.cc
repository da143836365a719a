// Devices, memory, streams and graphs over the simulator's driver table, and tables that fail.
#include "device/gpu/device.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <span>
#include <vector>

#include "device/gpu/discovery.h"
#include "device/gpu/event_clock.h"
#include "kernels/gpu/port/sim/sim_driver.h"
#include "tests/testing.h"

namespace rocforge::gpu {
namespace {

std::shared_ptr<Device> Sim() { return Device::Open(port::sim::SimDriver(32), 0).value(); }

// The simulator with one function replaced.
template <typename Replace>
std::shared_ptr<Device> Broken(Replace replace) {
  Api api = port::sim::SimDriver(32)->api();
  replace(api);
  return Device::Open(Driver::FromTable(Vendor::kSim, "broken", api), 0).value();
}

TEST(Device, CountsWhatIsAskedOfTheDriver) {
  const auto device = Sim();
  const DeviceCounters start = device->counters();
  auto pinned = PinnedBuffer::Allocate(device, 64);
  ASSERT_OK(pinned);
  auto buffer = Buffer::Allocate(device, 64);
  ASSERT_OK(buffer);
  auto stream = Stream::Create(device);
  ASSERT_OK(stream);
  std::fill(pinned->bytes().begin(), pinned->bytes().end(), std::byte{7});
  ASSERT_OK(stream->CopyToDevice(buffer->ptr(), pinned->bytes()));
  std::array<std::byte, 16> back{};
  ASSERT_OK(stream->CopyToHost(back, buffer->ptr()));
  ASSERT_OK(stream->Synchronize());
  EXPECT_EQ(back[15], std::byte{7});
  const DeviceCounters cost = device->counters() - start;
  EXPECT_EQ(cost.allocations, 2);
  EXPECT_EQ(cost.bytes_to_device, 64);
  EXPECT_EQ(cost.bytes_to_host, 16);
  EXPECT_EQ(cost.synchronisations, 1);
  EXPECT_EQ(cost.launches, 0);
}

TEST(Device, GraphsReplayWhatWasCaptured) {
  const auto device = Sim();
  const Buffer buffer = Buffer::Allocate(device, 8).value();
  const Stream stream = Stream::Create(device).value();
  ASSERT_OK(stream.BeginCapture());
  ASSERT_OK(stream.Fill(buffer.ptr(), 3, 8));
  const auto graph = stream.EndCapture();
  ASSERT_OK(graph);
  ASSERT_OK(stream.Fill(buffer.ptr(), 0, 8));
  std::array<std::byte, 8> got{};
  ASSERT_OK(stream.CopyToHost(got, buffer.ptr()));
  EXPECT_EQ(got[0], std::byte{0});
  ASSERT_OK(stream.Launch(*graph));
  ASSERT_OK(stream.CopyToHost(got, buffer.ptr()));
  EXPECT_EQ(got[7], std::byte{3});
  EXPECT_EQ(device->counters().graph_launches, 1);
}

TEST(Device, OutOfMemoryHasTheNumbers) {
  const auto device = Broken([](Api& api) {
    api.memory_allocate = [](DevicePtr*, size_t) { return 2; };
    api.memory_info = [](size_t* free, size_t* total) {
      *free = size_t{3} << 30;
      *total = size_t{8} << 30;
      return 0;
    };
  });
  const Status status = Buffer::Allocate(device, int64_t{5} << 30).status();
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted);
  EXPECT_NE(status.message().find("5.00 GiB"), std::string::npos) << status.message();
  EXPECT_NE(status.message().find("3.00 GiB"), std::string::npos) << status.message();
  EXPECT_NE(status.message().find("out of memory"), std::string::npos) << status.message();
}

// What the host writes into mapped memory is there for the device, with the flags that the table
// names, and nothing was copied.
unsigned flags_seen = 0;
TEST(Device, MappedMemoryIsReadInPlace) {
  const auto device = Broken([](Api& api) {
    api.host_mapped_flags = 6;
    api.host_allocate = [](void** p, size_t bytes, unsigned flags) {
      flags_seen = flags;
      return port::sim::SimDriver(32)->api().host_allocate(p, bytes, flags);
    };
  });
  const auto plain = PinnedBuffer::Allocate(device, 16);
  ASSERT_OK(plain);
  EXPECT_EQ(flags_seen, 0u);
  EXPECT_EQ(plain->device_ptr(), 0u);
  auto mapped = PinnedBuffer::AllocateMapped(device, 16);
  ASSERT_OK(mapped);
  EXPECT_EQ(flags_seen, 6u);
  mapped->bytes()[3] = std::byte{42};
  const PinnedBuffer moved = std::move(*mapped);
  EXPECT_EQ(mapped->device_ptr(), 0u);
  const Stream stream = Stream::Create(device).value();
  std::array<std::byte, 16> back{};
  ASSERT_OK(stream.CopyToHost(back, moved.device_ptr()));
  ASSERT_OK(stream.Synchronize());
  EXPECT_EQ(back[3], std::byte{42});
  EXPECT_EQ(device->counters().bytes_to_device, 0);

  const auto refuses = Broken(
      [](Api& api) { api.host_device_pointer = [](DevicePtr*, void*, unsigned) { return 1; }; });
  const Status status = PinnedBuffer::AllocateMapped(refuses, 16).status();
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_NE(status.message().find("map pinned memory"), std::string::npos) << status.message();
}

TEST(Device, ALostDeviceIsAStatusWithTheCall) {
  const auto device = Broken([](Api& api) { api.stream_synchronize = [](Handle) { return 719; }; });
  const Stream stream = Stream::Create(device).value();
  const Status status = stream.Synchronize();
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_NE(status.message().find("wait for stream"), std::string::npos) << status.message();
  EXPECT_NE(status.message().find("719"), std::string::npos) << status.message();
}

TEST(Device, OpenNamesWhatDoesNotExist) {
  const auto none = Device::Open(port::sim::SimDriver(32), 3);
  EXPECT_EQ(none.status().code(), StatusCode::kInvalidArgument);
}

// A timer over driver events makes two and destroys two, and what the driver cannot do is a Status.
int live_events = 0;
TEST(EventClock, TimesAStreamAndLeavesNothingBehind) {
  const auto device = Broken([](Api& api) {
    api.event_create = [](Handle* event, unsigned flags) {
      ++live_events;
      return port::sim::SimDriver(32)->api().event_create(event, flags);
    };
    api.event_destroy = [](Handle event) {
      --live_events;
      return port::sim::SimDriver(32)->api().event_destroy(event);
    };
  });
  const Buffer buffer = Buffer::Allocate(device, 1 << 22).value();
  const Stream stream = Stream::Create(device).value();
  {
    auto clock = MakeEventClock(device, &stream);
    ASSERT_OK(clock);
    prof::KernelTimer timer = prof::KernelTimer::ForKernel("fill", std::move(*clock));
    EXPECT_EQ(live_events, 2);
    EXPECT_EQ(timer.Elapsed().status().code(), StatusCode::kFailedPrecondition);
    ASSERT_OK(timer.Start());
    ASSERT_OK(stream.Fill(buffer.ptr(), 3, buffer.bytes()));
    ASSERT_OK(timer.Stop());
    const Result<double> seconds = timer.Elapsed();
    ASSERT_OK(seconds);
    EXPECT_GT(*seconds, 0);
    const prof::KernelTimer moved = std::move(timer);
    EXPECT_OK(moved.Elapsed());
  }
  EXPECT_EQ(live_events, 0);
  const auto broken =
      Broken([](Api& api) { api.event_record = [](Handle, Handle) { return 719; }; });
  const Stream other = Stream::Create(broken).value();
  prof::KernelTimer timer =
      prof::KernelTimer::ForKernel("k", std::move(*MakeEventClock(broken, &other)));
  EXPECT_EQ(timer.Start().code(), StatusCode::kUnavailable);
  EXPECT_EQ(timer.Stop().code(), StatusCode::kFailedPrecondition) << "it never started";
}

TEST(Discovery, EveryDriverIsThereOrSaysWhyNot) {
  const Discovery found = Discover();
  ASSERT_EQ(found.drivers.size(), 2u);
  for (const DriverProbe& probe : found.drivers) {
    EXPECT_EQ(probe.status.ok(), probe.driver != nullptr);
    if (probe.status.ok()) continue;
    EXPECT_FALSE(probe.status.message().empty());
    EXPECT_NE(WhyNoDevice(found).find(probe.status.message()), std::string::npos);
    if (probe.status.code() != StatusCode::kNotFound) continue;
    for (const std::string& name : LibraryNames(probe.vendor))
      EXPECT_NE(probe.status.message().find(name), std::string::npos) << name;
  }
}

TEST(Driver, VersionsForPeople) {
  EXPECT_EQ(FormatVersion(Vendor::kNvidia, 12040), "12.4");
  EXPECT_EQ(FormatVersion(Vendor::kAmd, 60342131), "6.3.42131");
}

}  // namespace
}  // namespace rocforge::gpu
