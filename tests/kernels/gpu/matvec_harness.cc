#include "tests/kernels/gpu/matvec_harness.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>
#include <utility>

#include "kernels/gpu/launch/bound_op.h"
#include "kernels/gpu/launch/gemm.h"
#include "kernels/gpu/layout/weights.h"
#include "quant/quant.h"
#include "tests/kernels/gpu/reference_run.h"
#include "tests/kernels/gpu/test_device.h"
#include "tests/kernels/gpu/weight_data.h"
#include "tests/testing.h"

namespace rocforge::testing {
namespace {

constexpr size_t kGuard = 64;
constexpr float kGuardValue = -12345.5f;

bool IsFloat(DType type) { return !Info(type).quantised; }

// How far x . w may be off, for one row of x and one of the weights.
// many: by the matrix product, which rounds both to f16.
double DotBound(const std::vector<float>& w, const float* x, bool quantised_x, bool many) {
  double bound = 0;
  for (size_t unit = 0; unit < w.size(); unit += 32) {
    const size_t end = std::min(unit + 32, w.size());
    float largest = 0;
    double weights = 0;
    double products = 0;
    for (size_t i = unit; i < end; ++i) {
      largest = std::max(largest, std::abs(x[i]));
      weights += std::abs(double{w[i]});
      products += std::abs(double{w[i]} * x[i]);
    }
    if (quantised_x) bound += weights * largest / 254.0;
    bound += (many ? 0x1p-10 + 1e-5 : 1e-5) * products;  // float sums of some hundred terms
  }
  return bound;
}

}  // namespace

// Operands on the host. in: as op.h lists them; bounds are per output element before GLU.
struct MatvecHarness::Data {
  std::vector<std::vector<std::byte>> in;
  std::vector<op::TensorDesc> in_desc;
  std::vector<op::TensorDesc> out_desc;
  std::vector<std::vector<float>> expected;
  std::vector<std::vector<float>> got;
  op::Params norm;  // where c.norm is set: its input, whose output is in[0], and its weights
  std::vector<float> norm_x;
  std::vector<float> norm_weight;

  template <typename T>
  void Add(const op::TensorDesc& desc, const std::vector<T>& values) {
    std::vector<std::byte>& bytes = in.emplace_back(values.size() * sizeof(T));
    if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
    in_desc.push_back(desc);
  }
  std::vector<op::Operand> HostOperands() {
    std::vector<op::Operand> operands;
    for (size_t i = 0; i < in.size(); ++i) operands.push_back({in_desc[i], in[i].data()});
    return operands;
  }
};

MatvecHarness::MatvecHarness(const std::string& device_name) {
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

gpu::Buffer MatvecHarness::Upload(const void* data, size_t bytes) {
  auto buffer = gpu::Buffer::Allocate(device_, static_cast<int64_t>(bytes));
  EXPECT_OK(buffer);
  EXPECT_OK(stream_.CopyToDevice(buffer->ptr(), {static_cast<const std::byte*>(data), bytes}));
  EXPECT_OK(stream_.Synchronize());
  return std::move(*buffer);
}

void MatvecHarness::RunDevice(const MatvecCase& c, const op::Params& params, Data& data) {
  const auto pointer = [](gpu::DevicePtr p) {
    return reinterpret_cast<void*>(static_cast<uintptr_t>(p));
  };
  const size_t first_weight = c.n_experts > 0 ? 2 : 1;
  std::vector<gpu::Buffer> buffers;
  std::vector<op::Operand> in, out;
  for (size_t i = 0; i < data.in.size(); ++i) {
    const op::TensorDesc& desc = data.in_desc[i];
    if (i >= first_weight && i < first_weight + c.types.size()) {
      std::vector<std::byte> packed(static_cast<size_t>(gpu::PackedBytes(desc)));
      ASSERT_OK(gpu::PackRows(desc, data.in[i].data(), packed.data(), 0, desc.outer * desc.rows));
      buffers.push_back(Upload(packed.data(), packed.size()));
    } else {
      buffers.push_back(Upload(data.in[i].data(), data.in[i].size()));
    }
    in.push_back({desc, pointer(buffers.back().ptr())});
  }
  std::vector<gpu::DevicePtr> out_at;
  for (const op::TensorDesc& desc : data.out_desc) {
    std::vector<float> poison(static_cast<size_t>(desc.rows * desc.cols), std::nanf(""));
    poison.resize(poison.size() + kGuard, kGuardValue);
    if (c.residual_in_place) {
      // The residual is the last input; the output takes its place, with a guard behind it.
      std::memcpy(poison.data(), data.in.back().data(), data.in.back().size());
    }
    buffers.push_back(Upload(poison.data(), poison.size() * sizeof(float)));
    out_at.push_back(buffers.back().ptr());
    out.push_back({desc, pointer(out_at.back())});
    if (c.residual_in_place) in.back().data = out.back().data;
  }
  const op::Call call{&params, in, out, nullptr, nullptr};
  gpu::BindContext context;
  context.device = device_;
  context.modules = &modules_;
  context.scratch_bytes = gpu::ScratchBytes(call, *device_);
  gpu::Tuning tuning;
  tuning.Set(gpu::TuneKey(call), gpu::RowBucket(call.out[0].desc.rows), c.config);
  context.tuning = &tuning;
  std::vector<float> poison(static_cast<size_t>(context.scratch_bytes) / 4 + 1, std::nanf(""));
  poison.resize(poison.size() + kGuard, kGuardValue);
  const gpu::Buffer scratch = Upload(poison.data(), poison.size() * sizeof(float));
  context.scratch = scratch.ptr();
  const int64_t tokens = c.x_per_expert ? c.n_x / c.n_used : c.n_x;
  const auto bound =
      gpu::Bind(call, {gpu::RowCount::Unit::kToken, data.out_desc[0].rows / tokens}, context);
  ASSERT_OK(bound);
  gpu::StepShape shape{static_cast<int32_t>(tokens), 1, 1, 0};
  std::vector<op::Operand> norm_in;
  if (c.norm) {
    buffers.push_back(Upload(data.norm_x.data(), data.norm_x.size() * sizeof(float)));
    norm_in.push_back({in[0].desc, pointer(buffers.back().ptr())});
    buffers.push_back(Upload(data.norm_weight.data(), data.norm_weight.size() * sizeof(float)));
    norm_in.push_back({{DType::kF32, 1, 1, c.cols}, pointer(buffers.back().ptr())});
    const op::Operand norm_out[] = {{in[0].desc, nullptr}};  // nobody writes it
    ASSERT_TRUE((*bound)->TakeNorm({&data.norm, norm_in, norm_out, nullptr, nullptr}));
    ASSERT_FALSE((*bound)->TakesNorm(shape));
    shape.take_norms = true;
    ASSERT_TRUE((*bound)->TakesNorm(shape));
    // What the norm would have written must not be read.
    const std::vector<float> nothing(static_cast<size_t>(c.cols), std::nanf(""));
    ASSERT_OK(stream_.CopyToDevice(reinterpret_cast<gpu::DevicePtr>(in[0].data),
                                   std::as_bytes(std::span(nothing))));
    ASSERT_OK(stream_.Synchronize());
  }
  ASSERT_OK((*bound)->WeightsReady(stream_));
  ASSERT_OK((*bound)->Enqueue(stream_, shape));
  for (size_t i = 0; i < out_at.size(); ++i) {
    std::vector<float>& values = data.got.emplace_back(
        static_cast<size_t>(data.out_desc[i].rows * data.out_desc[i].cols) + kGuard);
    ASSERT_OK(stream_.CopyToHost(std::as_writable_bytes(std::span(values)), out_at[i]));
  }
  ASSERT_OK(stream_.CopyToHost(std::as_writable_bytes(std::span(poison)), scratch.ptr()));
  ASSERT_OK(stream_.Synchronize());
  for (size_t i = poison.size() - kGuard; i < poison.size(); ++i)
    ASSERT_EQ(poison[i], kGuardValue) << "written beyond the scratch";
}

void MatvecHarness::Expect(const MatvecCase& c) {
  const bool moe = c.n_experts > 0;
  const bool glu = c.glu.kind != op::GluKind::kNone;
  SCOPED_TRACE(::testing::Message()
               << (moe ? "experts " : "") << Name(c.types[0]) << " " << c.n_out[0] << " x "
               << c.cols << ", " << c.n_x << " rows, seed " << seed_);
  Data data;
  std::normal_distribution<float> normal(0.0f, 1.0f);
  const auto random_floats = [&](int64_t n) {
    std::vector<float> v(static_cast<size_t>(n));
    for (float& f : v) f = normal(random_);
    return v;
  };
  const int64_t out_rows = moe && !c.x_per_expert ? c.n_x * c.n_used : c.n_x;
  const int64_t outer = moe ? c.n_experts : 1;
  std::vector<float> x = random_floats(c.n_x * c.cols);
  if (c.norm) {
    data.norm = op::Norm{op::NormKind::kRms, 1e-5f, 0, true, false};
    data.norm_x = x;
    data.norm_weight = random_floats(c.cols);
    const op::TensorDesc row{DType::kF32, 1, 1, c.cols};
    const op::Operand norm_in[] = {{row, data.norm_x.data()}, {row, data.norm_weight.data()}};
    const op::Operand norm_out[] = {{row, x.data()}};
    ASSERT_NO_FATAL_FAILURE(RunReference({&data.norm, norm_in, norm_out, nullptr, nullptr}));
  }
  data.Add({DType::kF32, 1, c.n_x, c.cols}, x);
  std::vector<int32_t> ids(static_cast<size_t>(out_rows), 0);
  if (moe) {
    for (int32_t& id : ids) id = static_cast<int32_t>(random_() % c.n_experts);
    data.Add({DType::kI32, 1, out_rows / c.n_used, c.n_used}, ids);
  }
  const size_t first_weight = data.in.size();
  for (size_t i = 0; i < c.types.size(); ++i) {
    data.Add({c.types[i], outer, c.n_out[i], c.cols},
             RandomWeights(c.types[i], outer * c.n_out[i] * c.cols, random_, 2.0f));
  }
  for (size_t i = 0; i < c.bias.size(); ++i) {
    if (c.bias[i]) data.Add({DType::kF32, 1, outer, c.n_out[i]}, random_floats(outer * c.n_out[i]));
  }
  if (c.residual)
    data.Add({DType::kF32, 1, out_rows, c.n_out[0]}, random_floats(out_rows * c.n_out[0]));
  op::MatMul dense;
  op::MoeMatMul experts;
  dense.n_weights = experts.n_weights = static_cast<int32_t>(c.types.size());
  for (size_t i = 0; i < c.bias.size(); ++i) {
    dense.has_bias[i] = c.bias[i];
    if (moe) experts.has_bias[i] = c.bias[i];
  }
  dense.glu = experts.glu = c.glu;
  dense.has_residual = c.residual;
  dense.out_scale = c.out_scale;
  experts.n_used = c.n_used;
  experts.x_per_expert = c.x_per_expert;
  const op::Params params = moe ? op::Params(experts) : op::Params(dense);
  for (size_t i = 0; i < (glu ? 1 : c.types.size()); ++i)
    data.out_desc.push_back({DType::kF32, 1, out_rows, c.n_out[i]});

  std::vector<op::Operand> in = data.HostOperands();
  std::vector<op::Operand> out;
  for (const op::TensorDesc& desc : data.out_desc)
    data.expected.emplace_back(static_cast<size_t>(desc.rows * desc.cols), std::nanf(""));
  for (size_t i = 0; i < data.out_desc.size(); ++i)
    out.push_back({data.out_desc[i], data.expected[i].data()});
  const op::Call call{&params, in, out, nullptr, nullptr};
  ASSERT_NO_FATAL_FAILURE(RunReference(call));

  ASSERT_NO_FATAL_FAILURE(RunDevice(c, params, data));

  const bool many = out_rows >= gpu::GemmMinRows(call, *device_);
  // y and the bound of its error for weight i, row r, column o.
  const auto dot = [&](size_t i, int64_t r, int64_t o) {
    const op::TensorDesc& desc = data.in_desc[first_weight + i];
    std::vector<float> w(static_cast<size_t>(c.cols));
    quant::Decoder(desc.dtype)(data.in[first_weight + i].data() +
                                   (ids[static_cast<size_t>(r)] * desc.rows + o) * desc.row_bytes(),
                               w.data(), c.cols);
    const float* xr = x.data() + (moe && !c.x_per_expert ? r / c.n_used : r) * c.cols;
    double y = 0;
    for (size_t k = 0; k < w.size(); ++k) y += double{w[k]} * xr[k];
    // Weights of float types are multiplied with x as it is.
    return std::pair(y, DotBound(w, xr, !IsFloat(desc.dtype), many));
  };
  for (size_t i = 0; i < data.out_desc.size(); ++i) {
    const op::TensorDesc& desc = data.out_desc[i];
    for (int64_t r = 0; r < desc.rows; ++r) {
      for (int64_t o = 0; o < desc.cols; ++o) {
        const auto at = static_cast<size_t>(r * desc.cols + o);
        auto [y, bound] = dot(i, r, o);
        if (glu) {
          // |act'| <= 1.13 for every kind; biases move both factors by less than 6.
          const auto [up, up_bound] = dot(1, r, o);
          bound = 1.2 * bound * (std::abs(up) + up_bound + 7) +
                  (std::abs(y) + 1.2 * bound + 6) * up_bound;
        }
        const float got = data.got[i][at];
        const float want = data.expected[i][at];
        ASSERT_TRUE(std::isfinite(got)) << "output " << i << " row " << r << " column " << o;
        ASSERT_NEAR(got, want, std::abs(c.out_scale) * bound + 1e-5 * (1 + std::abs(want)))
            << "output " << i << " row " << r << " column " << o;
      }
    }
    for (size_t k = data.got[i].size() - kGuard; k < data.got[i].size(); ++k)
      ASSERT_EQ(data.got[i][k], kGuardValue) << "written beyond output " << i;
  }
}

}  // namespace rocforge::testing
