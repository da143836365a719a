// The kernels behind `devices --measure` do the work that they are timed for.
#include "kernels/gpu/launch/ceilings.h"

#include <gtest/gtest.h>

#include <cmath>
#include <span>
#include <vector>

#include "kernels/gpu/launch/launchers.h"
#include "kernels/gpu/ops/ceilings_args.h"
#include "tests/kernels/gpu/test_device.h"
#include "tests/testing.h"

namespace rocforge::gpu {
namespace {

class CeilingsTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    auto opened = testing::OpenTestDevice(GetParam());
    if (!opened.ok()) GTEST_SKIP() << opened.status().message();
    device_ = *opened;
    auto modules = Modules::Load(device_);
    ASSERT_OK(modules);
    modules_ = std::move(*modules);
    auto stream = Stream::Create(device_);
    ASSERT_OK(stream);
    stream_ = std::move(*stream);
  }

  template <typename Args>
  void Launch(const char* name, const LaunchShape& shape, const Args& args) {
    const auto kernel = modules_.Find("ceilings", name);
    ASSERT_OK(kernel);
    if (shape.shared_bytes > 0) {
      ASSERT_OK(AllowShared(*device_, *kernel, shape.shared_bytes));
    }
    ASSERT_OK(stream_.Launch(*kernel, shape, &args));
  }
  template <typename T>
  std::vector<T> Read(const Buffer& buffer) {
    std::vector<T> values(static_cast<size_t>(buffer.bytes()) / sizeof(T));
    EXPECT_OK(stream_.CopyToHost(std::as_writable_bytes(std::span(values)), buffer.ptr()));
    EXPECT_OK(stream_.Synchronize());
    return values;
  }
  Buffer Make(int64_t bytes) {
    auto buffer = Buffer::Allocate(device_, bytes);
    EXPECT_OK(buffer);
    return std::move(*buffer);
  }

  std::shared_ptr<const Device> device_;
  Modules modules_;
  Stream stream_;
};

TEST_P(CeilingsTest, WritesAndCopiesEveryWordOnce) {
  for (const uint64_t chunks : {uint64_t{1}, uint64_t{511}, uint64_t{5003}}) {
    const Buffer a = Make(static_cast<int64_t>(chunks * 16));
    const Buffer b = Make(static_cast<int64_t>(chunks * 16));
    Launch("ceiling_write", {2, 1, 256},
           CeilingWriteArgs{DevicePointer<void>(a.ptr()), chunks, 0xABCD1234u});
    Launch("ceiling_copy", {2, 1, 256},
           CeilingCopyArgs{DevicePointer<void>(b.ptr()), DevicePointer<void>(a.ptr()), chunks});
    for (const uint32_t word : Read<uint32_t>(b)) ASSERT_EQ(word, 0xABCD1234u) << chunks;
  }
}

TEST_P(CeilingsTest, DotProductsAreAllDone) {
  const Buffer out = Make(2 * 256 * 4);
  Launch("ceiling_dot4", {2, 1, 256},
         CeilingDotArgs{DevicePointer<int32_t>(out.ptr()), 5, 0x01020304, 0x0102FF01});
  // 1 * 1 + 2 * 2 + 3 * -1 + 4 * 1
  for (const int32_t sum : Read<int32_t>(out)) {
    ASSERT_EQ(sum, 6 * 5 * static_cast<int32_t>(kCeilingDots));
  }
}

TEST_P(CeilingsTest, TilesAreAllMultiplied) {
  const Buffer out = Make(kCeilingTileBlock * 4);
  constexpr uint32_t kIterations = 3;
  Launch("ceiling_tile", {1, 1, kCeilingTileBlock},
         CeilingTileArgs{DevicePointer<float>(out.ptr()), kIterations});
  double total = 0;
  for (const float sum : Read<float>(out)) total += static_cast<double>(sum);
  const double waves = kCeilingTileBlock / static_cast<double>(device_->info().wave_size);
  EXPECT_EQ(total, waves * 256 * 16 * kIterations * kCeilingTiles);

  if (!modules_.Find("ceilings", "ceiling_warpgroup").ok()) return;
  const Buffer wide = Make(kCeilingWarpgroups * 128 * 4);
  Launch("ceiling_warpgroup", {1, 1, kCeilingWarpgroups * 128, false, kCeilingWarpgroupShared},
         CeilingTileArgs{DevicePointer<float>(wide.ptr()), kIterations});
  for (const float sum : Read<float>(wide)) {
    ASSERT_EQ(sum, 64 * kIterations * (kCeilingWarpgroupColumns / 2));
  }
}

TEST_P(CeilingsTest, EveryFigureIsMeasured) {
  int calls = 0;
  const auto c = MeasureGpuCeilings(device_, modules_,
                                    [&](std::string_view, int done, int) { calls += done >= 0; });
  ASSERT_OK(c);
  EXPECT_EQ(calls, 5);
  EXPECT_EQ(c->key, GpuCeilingsKey(*device_, modules_));
  EXPECT_EQ(c->key.device, device_->info().name);
  for (const double figure : {c->read_bytes_per_s, c->write_bytes_per_s, c->copy_bytes_per_s,
                              c->to_device_bytes_per_s, c->to_host_bytes_per_s, c->launch_ns,
                              c->graph_node_ns, c->int8_ops_per_s, c->float_ops_per_s}) {
    EXPECT_TRUE(std::isfinite(figure));
    EXPECT_GT(figure, 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, CeilingsTest, ::testing::ValuesIn(testing::TestDevices()),
                         [](const auto& device) { return device.param; });

}  // namespace
}  // namespace rocforge::gpu
