#include "tests/kernels/gpu/op_harness.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <utility>

#include "kernels/op/kv_page.h"
#include "tests/kernels/gpu/reference_run.h"
#include "tests/kernels/gpu/test_device.h"
#include "tests/testing.h"

namespace rocforge::testing {
namespace {

constexpr size_t kGuardFloats = 64;
constexpr float kGuard = -123456.0f;

// All elements of a cache, plane by plane.
std::vector<float> CacheValues(const std::vector<std::byte>& bytes, const op::KvLayer& kv,
                               int32_t dim) {
  std::vector<float> values;
  const auto plane_bytes = static_cast<size_t>(op::KvPlaneBytes(kv.dtype, kv.page_size, dim));
  for (size_t at = 0; at < bytes.size(); at += plane_bytes) {
    for (int32_t offset = 0; offset < kv.page_size; ++offset) {
      for (int32_t i = 0; i < dim; ++i)
        values.push_back(op::KvElement(kv.dtype, bytes.data() + at, kv.page_size, dim, offset, i));
    }
  }
  return values;
}

// A step of Q8_0 in the block of element i.
float StepOf(const std::vector<float>& values, size_t i, int32_t dim) {
  const size_t row = i / static_cast<size_t>(dim) * static_cast<size_t>(dim);
  const size_t column = (i - row) / op::kKvBlock * op::kKvBlock;
  const size_t end = std::min(column + op::kKvBlock, static_cast<size_t>(dim));
  float most = 0;
  for (size_t c = column; c < end; ++c) most = std::max(most, std::abs(values[row + c]));
  return most / 127.0f;
}

// Rotations round differently. An element of f16 may then be off by a unit in the last place; one
// of Q8_0 seldom by a step, where it lies between two.
void ExpectSameCache(const std::vector<float>& got, const std::vector<float>& expected, DType type,
                     int32_t dim, float tolerance) {
  size_t off_by_a_step = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    const float unit = type == DType::kF32 || tolerance == 0 ? tolerance : 0x1p-10f;
    const float allowed = unit * (1.0f + std::abs(expected[i]));
    const float difference = std::abs(got[i] - expected[i]);
    if (type == DType::kQ8_0 && tolerance > 0 && difference > allowed) {
      ASSERT_LE(difference, StepOf(expected, i, dim) + allowed) << "cache " << i;
      ++off_by_a_step;
    } else {
      ASSERT_LE(difference, allowed) << "cache " << i;
    }
  }
  EXPECT_LE(off_by_a_step, got.size() / 100 + 1);
}

void ExpectNear(float got, float expected, float tolerance, const char* what, size_t i) {
  ASSERT_TRUE(std::isfinite(got)) << what << " " << i;
  ASSERT_NEAR(got, expected, tolerance * (1.0f + std::abs(expected))) << what << " " << i;
}

}  // namespace

std::unique_ptr<TestStep> TestStep::Make(const std::vector<std::pair<int32_t, int32_t>>& lengths,
                                         int32_t page_size, std::mt19937& random) {
  auto step = std::make_unique<TestStep>();
  step->page_size = page_size;
  step->seq_begin.push_back(0);
  int32_t stride = 1;
  for (const auto& [count, before] : lengths) {
    const int32_t pages = (count + before + page_size - 1) / page_size;
    stride = std::max(stride, pages);
    step->n_pages += pages;
  }
  std::vector<int32_t> pages(static_cast<size_t>(step->n_pages));
  std::iota(pages.begin(), pages.end(), 0);
  std::shuffle(pages.begin(), pages.end(), random);
  step->page_table_stride = stride;
  step->page_table.assign(lengths.size() * static_cast<size_t>(stride), 0);
  for (size_t s = 0; s < lengths.size(); ++s) {
    const auto [count, before] = lengths[s];
    for (int32_t p = 0; p < (count + before + page_size - 1) / page_size; ++p) {
      step->page_table[s * static_cast<size_t>(stride) + static_cast<size_t>(p)] = pages.back();
      pages.pop_back();
    }
    for (int32_t i = 0; i < count; ++i) {
      const int32_t position = before + i;
      step->token_ids.push_back(static_cast<int32_t>(random() % 100));
      step->positions.push_back(position);
      step->seq_of_token.push_back(static_cast<int32_t>(s));
      const int32_t page = step->page_table[s * static_cast<size_t>(stride) +
                                            static_cast<size_t>(position / page_size)];
      step->kv_slots.push_back(page * page_size + position % page_size);
    }
    step->seq_begin.push_back(static_cast<int32_t>(step->token_ids.size()));
    step->kv_len.push_back(before + count);
    step->output_rows.push_back(static_cast<int32_t>(step->token_ids.size()) - 1);
  }
  step->host = {static_cast<int32_t>(step->token_ids.size()),
                static_cast<int32_t>(lengths.size()),
                static_cast<int32_t>(step->output_rows.size()),
                step->token_ids.data(),
                step->positions.data(),
                step->seq_begin.data(),
                step->kv_len.data(),
                step->page_table.data(),
                stride,
                step->kv_slots.data(),
                step->output_rows.data()};
  return step;
}

OpHarness::OpHarness(const std::string& device_name) {
  auto device = OpenTestDevice(device_name);
  if (!device.ok()) return;
  device_ = std::move(*device);
  auto modules = gpu::Modules::Load(device_);
  EXPECT_OK(modules);
  modules_ = std::move(*modules);
  auto stream = gpu::Stream::Create(device_);
  EXPECT_OK(stream);
  stream_ = std::move(*stream);
}

void OpHarness::AddInput(int64_t rows, int64_t cols, float deviation) {
  std::normal_distribution<float> normal(0.0f, deviation);
  std::vector<float> values(static_cast<size_t>(rows * cols));
  for (float& v : values) v = normal(random_);
  AddInput(rows, cols, std::move(values));
}

void OpHarness::AddInput(int64_t rows, int64_t cols, std::vector<float> values) {
  in_.push_back({{DType::kF32, 1, rows, cols}, std::move(values), -1, {}});
}

void OpHarness::AddOutput(int64_t rows, int64_t cols, int in_place) {
  out_.push_back({{DType::kF32, 1, rows, cols}, {}, in_place, {}});
}

void OpHarness::SetKv(int32_t n_kv_heads, int32_t head_dim_k, int32_t head_dim_v, DType type) {
  has_kv_ = true;
  kv_ = {nullptr, nullptr, type, 0, n_kv_heads, head_dim_k, head_dim_v};
}

gpu::Buffer OpHarness::Upload(const void* data, size_t bytes) {
  auto buffer = gpu::Buffer::Allocate(device_, static_cast<int64_t>(bytes));
  EXPECT_OK(buffer);
  EXPECT_OK(stream_.CopyToDevice(buffer->ptr(), {static_cast<const std::byte*>(data), bytes}));
  EXPECT_OK(stream_.Synchronize());
  return std::move(*buffer);
}

void OpHarness::RunReference(const op::Params& params, const TestStep& step) {
  std::vector<std::vector<float>> inputs;
  for (const Matrix& m : in_) inputs.push_back(m.host);
  std::vector<op::Operand> in, out;
  for (size_t i = 0; i < in_.size(); ++i) in.push_back({in_[i].desc, inputs[i].data()});
  expected_.clear();
  for (const Matrix& m : out_) {
    expected_.emplace_back(static_cast<size_t>(m.desc.rows * m.desc.cols), std::nanf(""));
  }
  for (size_t i = 0; i < out_.size(); ++i) out.push_back({out_[i].desc, expected_[i].data()});
  k_expected_ = k_start_;
  v_expected_ = v_start_;
  op::KvLayer kv = kv_;
  kv.k = k_expected_.data();
  kv.v = v_expected_.data();
  const op::Call call{&params, in, out, &step.host, has_kv_ ? &kv : nullptr};
  ASSERT_NO_FATAL_FAILURE(testing::RunReference(call));
}

void OpHarness::RunDevice(const op::Params& params, const gpu::RowCount& rows,
                          const TestStep& step) {
  const auto upload_ints = [&](const std::vector<int32_t>& v) {
    return Upload(v.data(), v.size() * sizeof(int32_t));
  };
  const gpu::Buffer positions = upload_ints(step.positions);
  const gpu::Buffer seq_of_token = upload_ints(step.seq_of_token);
  const gpu::Buffer seq_begin = upload_ints(step.seq_begin);
  const gpu::Buffer kv_len = upload_ints(step.kv_len);
  const gpu::Buffer page_table = upload_ints(step.page_table);
  const gpu::Buffer slots = upload_ints(step.kv_slots);
  const gpu::Buffer output_rows = upload_ints(step.output_rows);
  gpu::BindContext context;
  context.device = device_;
  context.modules = &modules_;
  context.step.positions = positions.ptr();
  context.step.seq_of_token = seq_of_token.ptr();
  context.step.seq_begin = seq_begin.ptr();
  context.step.kv_len = kv_len.ptr();
  context.step.page_table = page_table.ptr();
  context.step.page_table_stride = step.page_table_stride;
  context.step.kv_slots = slots.ptr();
  context.step.output_rows = output_rows.ptr();

  const auto pointer = [](gpu::DevicePtr p) {
    return reinterpret_cast<void*>(static_cast<uintptr_t>(p));
  };
  std::vector<op::Operand> in, out;
  for (Matrix& m : in_) {
    std::vector<float> padded = m.host;
    padded.resize(padded.size() + kGuardFloats, kGuard);
    m.device = Upload(padded.data(), padded.size() * sizeof(float));
    in.push_back({m.desc, pointer(m.device.ptr())});
  }
  for (Matrix& m : out_) {
    std::vector<float> poison(static_cast<size_t>(m.desc.rows * m.desc.cols), std::nanf(""));
    poison.resize(poison.size() + kGuardFloats, kGuard);
    m.device = Upload(poison.data(), poison.size() * sizeof(float));
    out.push_back({m.desc, m.in_place >= 0 ? in[static_cast<size_t>(m.in_place)].data
                                           : pointer(m.device.ptr())});
  }
  op::KvLayer kv = kv_;
  gpu::Buffer k_pages, v_pages;
  if (has_kv_) {
    k_pages = Upload(k_start_.data(), k_start_.size());
    v_pages = Upload(v_start_.data(), v_start_.size());
    kv.k = pointer(k_pages.ptr());
    kv.v = pointer(v_pages.ptr());
  }
  const op::Call call{&params, in, out, nullptr, has_kv_ ? &kv : nullptr};
  const int64_t scratch_bytes = gpu::ScratchBytes(call, *device_);
  const std::vector<uint8_t> scratch_poison(static_cast<size_t>(scratch_bytes) + 1, 0xFF);
  const gpu::Buffer scratch = Upload(scratch_poison.data(), scratch_poison.size());
  context.scratch = scratch.ptr();
  context.scratch_bytes = scratch_bytes;
  const auto bound = gpu::Bind(call, rows, context);
  ASSERT_OK(bound);
  const gpu::StepShape shape{step.host.n_tokens, step.host.n_seqs, step.host.n_outputs,
                             *std::max_element(step.kv_len.begin(), step.kv_len.end())};
  for (int i = 0; i < repeats_; ++i) ASSERT_OK((*bound)->Enqueue(stream_, shape));
  got_.clear();
  for (size_t i = 0; i < out_.size(); ++i) {
    const gpu::Buffer& buffer =
        out_[i].in_place >= 0 ? in_[static_cast<size_t>(out_[i].in_place)].device : out_[i].device;
    std::vector<float>& values =
        got_.emplace_back(static_cast<size_t>(buffer.bytes()) / sizeof(float));
    ASSERT_OK(stream_.CopyToHost(std::as_writable_bytes(std::span(values)), buffer.ptr()));
  }
  k_got_ = k_start_;
  v_got_ = v_start_;
  if (has_kv_) {
    ASSERT_OK(stream_.CopyToHost(k_got_, k_pages.ptr()));
    ASSERT_OK(stream_.CopyToHost(v_got_, v_pages.ptr()));
  }
  ASSERT_OK(stream_.Synchronize());
}

void OpHarness::ExpectAgreement(const op::Params& params, const gpu::RowCount& rows, TestStep& step,
                                float tolerance) {
  SCOPED_TRACE(::testing::Message() << op::KindName(op::KindOf(params)) << ", seed " << seed_);
  if (has_kv_) {
    kv_.page_size = step.page_size;
    std::normal_distribution<float> normal(0.0f, 1.0f);
    for (auto [bytes, dim] : {std::pair(&k_start_, kv_.head_dim_k), {&v_start_, kv_.head_dim_v}}) {
      const int64_t plane_bytes = op::KvPlaneBytes(kv_.dtype, kv_.page_size, dim);
      const int64_t planes = int64_t{step.n_pages} * kv_.n_kv_heads;
      bytes->assign(static_cast<size_t>(planes * plane_bytes), std::byte{0});
      std::vector<float> row(static_cast<size_t>(dim));
      for (int64_t i = 0; i < planes * kv_.page_size; ++i) {
        for (float& v : row) v = normal(random_);
        op::EncodeKvRow(kv_.dtype, row.data(), dim, kv_.page_size, i % kv_.page_size,
                        bytes->data() + i / kv_.page_size * plane_bytes);
      }
    }
  }
  ASSERT_NO_FATAL_FAILURE(RunReference(params, step));
  ASSERT_NO_FATAL_FAILURE(RunDevice(params, rows, step));
  for (size_t o = 0; o < out_.size(); ++o) {
    const size_t n = expected_[o].size();
    for (size_t i = 0; i < n; ++i)
      ASSERT_NO_FATAL_FAILURE(ExpectNear(got_[o][i], expected_[o][i], tolerance, "output", i));
    for (size_t i = n; i < n + kGuardFloats; ++i)
      ASSERT_EQ(got_[o][i], kGuard) << "written beyond the output";
  }
  if (!has_kv_) return;
  const auto compare = [&](const std::vector<std::byte>& got,
                           const std::vector<std::byte>& expected, int32_t dim) {
    ExpectSameCache(CacheValues(got, kv_, dim), CacheValues(expected, kv_, dim), kv_.dtype, dim,
                    tolerance);
  };
  ASSERT_NO_FATAL_FAILURE(compare(k_got_, k_expected_, kv_.head_dim_k));
  ASSERT_NO_FATAL_FAILURE(compare(v_got_, v_expected_, kv_.head_dim_v));
}

}  // namespace rocforge::testing
