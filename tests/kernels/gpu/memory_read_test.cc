// The bandwidth kernel reads every word exactly once.
#include <gtest/gtest.h>

#include <random>
#include <span>
#include <vector>

#include "device/gpu/device.h"
#include "kernels/gpu/launch/modules.h"
#include "kernels/gpu/ops/memory_read_args.h"
#include "tests/kernels/gpu/test_device.h"
#include "tests/testing.h"

namespace rocforge::gpu {
namespace {

class MemoryReadTest : public ::testing::TestWithParam<std::string> {};

TEST_P(MemoryReadTest, EveryWordCountsOnce) {
  auto device = testing::OpenTestDevice(GetParam());
  if (!device.ok()) GTEST_SKIP() << device.status().message();
  const auto modules = Modules::Load(*device);
  ASSERT_OK(modules);
  const auto kernel = modules->Find("memory_read", "memory_read");
  ASSERT_OK(kernel);
  auto stream = Stream::Create(*device);
  ASSERT_OK(stream);
  std::mt19937 random(11);
  for (const uint32_t chunks : {1u, 511u, 4096u, 5000u}) {
    std::vector<uint32_t> words(4 * size_t{chunks});
    uint32_t expected = 0;
    for (uint32_t& w : words) expected ^= w = static_cast<uint32_t>(random());
    auto data = Buffer::Allocate(*device, static_cast<int64_t>(words.size() * 4));
    ASSERT_OK(data);
    const auto wave = static_cast<uint32_t>((*device)->info().wave_size);
    std::vector<uint32_t> out(2 * 256 / wave);
    auto sums = Buffer::Allocate(*device, static_cast<int64_t>(out.size() * 4));
    ASSERT_OK(sums);
    ASSERT_OK(stream->CopyToDevice(data->ptr(), std::as_bytes(std::span(words))));
    const MemoryReadArgs args{reinterpret_cast<const void*>(static_cast<uintptr_t>(data->ptr())),
                              chunks,
                              reinterpret_cast<uint32_t*>(static_cast<uintptr_t>(sums->ptr()))};
    ASSERT_OK(stream->Launch(*kernel, {2, 1, 256, false}, &args));
    ASSERT_OK(stream->CopyToHost(std::as_writable_bytes(std::span(out)), sums->ptr()));
    ASSERT_OK(stream->Synchronize());
    uint32_t got = 0;
    for (const uint32_t w : out) got ^= w;
    EXPECT_EQ(got, expected) << chunks;
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, MemoryReadTest, ::testing::ValuesIn(testing::TestDevices()),
                         [](const auto& device) { return device.param; });

}  // namespace
}  // namespace rocforge::gpu
