// A test per device (testing::TestDevices): opens it, loads the kernels and has a stream.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "device/gpu/device.h"
#include "kernels/gpu/launch/bound_op.h"
#include "kernels/gpu/launch/modules.h"
#include "tests/kernels/gpu/test_device.h"
#include "tests/testing.h"

namespace rocforge::testing {

class DeviceFixture : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    auto device = OpenTestDevice(GetParam());
    if (!device.ok()) GTEST_SKIP() << device.status().message();
    device_ = std::move(*device);
    auto modules = gpu::Modules::Load(device_);
    ASSERT_OK(modules);
    modules_ = std::move(*modules);
    auto stream = gpu::Stream::Create(device_);
    ASSERT_OK(stream);
    stream_ = std::move(*stream);
    context_.device = device_;
    context_.modules = &modules_;
  }

  template <typename T>
  gpu::Buffer Upload(const std::vector<T>& values) {
    const auto bytes = std::as_bytes(std::span(values));
    gpu::Buffer buffer = gpu::Buffer::Allocate(device_, static_cast<int64_t>(bytes.size())).value();
    if (!bytes.empty()) EXPECT_OK(stream_.CopyToDevice(buffer.ptr(), bytes));
    EXPECT_OK(stream_.Synchronize());
    return buffer;
  }
  template <typename T>
  std::vector<T> Download(const gpu::Buffer& buffer) {
    std::vector<T> values(static_cast<size_t>(buffer.bytes()) / sizeof(T));
    EXPECT_OK(stream_.CopyToHost(std::as_writable_bytes(std::span(values)), buffer.ptr()));
    EXPECT_OK(stream_.Synchronize());
    return values;
  }

  std::shared_ptr<gpu::Device> device_;
  gpu::Modules modules_;
  gpu::Stream stream_;
  gpu::BindContext context_;
};

}  // namespace rocforge::testing
