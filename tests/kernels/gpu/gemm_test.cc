// The matrix product behind MatMul and MoeMatMul, on every unit a device has, against the reference
// CPU kernel. The bounds follow from rounding both inputs to f16: a product is off by at most 2^-10
// of its size (and 2^-22), the mean square over many outputs by far less.
#include "kernels/gpu/launch/gemm.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "kernels/gpu/layout/weights.h"
#include "kernels/gpu/port/sim/sim_driver.h"
#include "quant/quant.h"
#include "tests/kernels/gpu/device_fixture.h"
#include "tests/kernels/gpu/reference_run.h"
#include "tests/kernels/gpu/weight_data.h"
#include "tests/testing.h"

namespace rocforge::gpu {
namespace {

using testing::RandomWeights;
using testing::TestColumns;

constexpr size_t kGuard = 64;
constexpr float kGuardValue = -12345.5f;

struct GemmCase {
  std::vector<DType> types;
  std::vector<int64_t> n_out;
  int64_t cols = 0;
  int64_t tokens = 1;
  std::vector<bool> bias;
  op::Glu glu{op::GluKind::kNone};
  bool residual = false;  // in place
  float out_scale = 1.0f;
  int64_t n_experts = 0;  // MoeMatMul where not 0
  int32_t n_used = 1;
  bool x_per_expert = false;
  GemmOptions options;
  // Changes the random x or, for F32, weights.
  std::function<void(std::vector<float>& x)> edit_x;
  std::function<void(std::vector<float>& w)> edit_w;
};

class GemmTest : public testing::DeviceFixture {
 protected:
  std::vector<GemmUnit> Units() const {
    std::vector<GemmUnit> units = {GemmUnit::kTile, GemmUnit::kFew};
    if (modules_.Find("gemm", "gemm_warpgroup").ok()) {
      units.push_back(GemmUnit::kWarpgroup);
      units.push_back(GemmUnit::kWarpgroupWide);
    }
    return units;
  }
  void ExpectOnAllUnits(GemmCase c) {
    for (const GemmUnit unit : Units()) {
      if (unit == GemmUnit::kFew && (c.n_experts > 0 || c.tokens > 64)) continue;
      c.options.unit = unit;
      ASSERT_NO_FATAL_FAILURE(Expect(c));
    }
  }
  void Expect(const GemmCase& c);

 protected:
  // Inputs as op.h lists them and the outputs' shapes.
  struct Data {
    std::vector<std::vector<std::byte>> in;
    std::vector<op::TensorDesc> in_desc;
    std::vector<op::TensorDesc> out_desc;
    std::vector<std::vector<float>> expected, got;
    std::vector<float> x;
    std::vector<int32_t> ids;
    size_t first_weight = 1;

    template <typename T>
    void Add(const op::TensorDesc& desc, const std::vector<T>& values) {
      std::vector<std::byte>& bytes = in.emplace_back(values.size() * sizeof(T));
      if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
      in_desc.push_back(desc);
    }
  };

  std::vector<float> RandomFloats(int64_t n) {
    std::normal_distribution<float> normal(0.0f, 1.0f);
    std::vector<float> v(static_cast<size_t>(n));
    for (float& f : v) f = normal(random_);
    return v;
  }
  Buffer Upload(const void* data, size_t bytes) {
    auto buffer = Buffer::Allocate(device_, static_cast<int64_t>(bytes));
    EXPECT_OK(buffer);
    EXPECT_OK(stream_.CopyToDevice(buffer->ptr(), {static_cast<const std::byte*>(data), bytes}));
    EXPECT_OK(stream_.Synchronize());
    return std::move(*buffer);
  }
  op::Params MakeData(const GemmCase& c, Data& data);
  void RunReference(const op::Params& params, Data& data);
  void RunDevice(const GemmCase& c, const op::Params& params, Data& data);
  void Compare(const GemmCase& c, const Data& data);

  const uint32_t seed_ = std::random_device{}();
  std::mt19937 random_{seed_};
};

op::Params GemmTest::MakeData(const GemmCase& c, Data& data) {
  const bool moe = c.n_experts > 0;
  const int64_t out_rows = c.tokens * (moe ? c.n_used : 1);
  const int64_t x_rows = c.x_per_expert ? out_rows : c.tokens;
  const int64_t outer = moe ? c.n_experts : 1;
  data.x = RandomFloats(x_rows * c.cols);
  if (c.edit_x) c.edit_x(data.x);
  data.Add({DType::kF32, 1, x_rows, c.cols}, data.x);
  data.ids.assign(static_cast<size_t>(out_rows), 0);
  if (moe) {
    for (int32_t& id : data.ids) id = static_cast<int32_t>(random_() % c.n_experts);
    data.Add({DType::kI32, 1, c.tokens, c.n_used}, data.ids);
    data.first_weight = 2;
  }
  for (size_t i = 0; i < c.types.size(); ++i) {
    const int64_t n = outer * c.n_out[i] * c.cols;
    std::vector<std::byte> bytes = RandomWeights(c.types[i], n, random_, 2.0f);
    if (c.edit_w) {
      std::vector<float> w(static_cast<size_t>(n));
      std::memcpy(w.data(), bytes.data(), bytes.size());
      c.edit_w(w);
      std::memcpy(bytes.data(), w.data(), bytes.size());
    }
    data.Add({c.types[i], outer, c.n_out[i], c.cols}, bytes);
  }
  op::MatMul dense;
  op::MoeMatMul experts;
  dense.n_weights = experts.n_weights = static_cast<int32_t>(c.types.size());
  dense.glu = experts.glu = c.glu;
  for (size_t i = 0; i < c.bias.size(); ++i) {
    dense.has_bias[i] = c.bias[i];
    if (moe) experts.has_bias[i] = c.bias[i];
    if (c.bias[i]) data.Add({DType::kF32, 1, outer, c.n_out[i]}, RandomFloats(outer * c.n_out[i]));
  }
  if (c.residual)
    data.Add({DType::kF32, 1, out_rows, c.n_out[0]}, RandomFloats(out_rows * c.n_out[0]));
  dense.has_residual = c.residual;
  dense.out_scale = c.out_scale;
  experts.n_used = c.n_used;
  experts.x_per_expert = c.x_per_expert;
  const bool glu = c.glu.kind != op::GluKind::kNone;
  for (size_t i = 0; i < (glu ? 1 : c.types.size()); ++i)
    data.out_desc.push_back({DType::kF32, 1, out_rows, c.n_out[i]});
  return moe ? op::Params(experts) : op::Params(dense);
}

void GemmTest::RunReference(const op::Params& params, Data& data) {
  std::vector<op::Operand> in, out;
  for (size_t i = 0; i < data.in.size(); ++i) in.push_back({data.in_desc[i], data.in[i].data()});
  for (const op::TensorDesc& d : data.out_desc)
    data.expected.emplace_back(static_cast<size_t>(d.rows * d.cols), std::nanf(""));
  for (size_t i = 0; i < data.out_desc.size(); ++i)
    out.push_back({data.out_desc[i], data.expected[i].data()});
  const op::Call call{&params, in, out, nullptr, nullptr};
  ASSERT_NO_FATAL_FAILURE(testing::RunReference(call));
}

void GemmTest::RunDevice(const GemmCase& c, const op::Params& params, Data& data) {
  const auto pointer = [](DevicePtr p) {
    return reinterpret_cast<void*>(static_cast<uintptr_t>(p));
  };
  std::vector<Buffer> buffers;
  std::vector<op::Operand> in, out;
  for (size_t i = 0; i < data.in.size(); ++i) {
    const op::TensorDesc& d = data.in_desc[i];
    if (i >= data.first_weight && i < data.first_weight + c.types.size()) {
      std::vector<std::byte> packed(static_cast<size_t>(PackedBytes(d)));
      ASSERT_OK(PackRows(d, data.in[i].data(), packed.data(), 0, d.outer * d.rows));
      buffers.push_back(Upload(packed.data(), packed.size()));
    } else {
      buffers.push_back(Upload(data.in[i].data(), data.in[i].size()));
    }
    in.push_back({d, pointer(buffers.back().ptr())});
  }
  std::vector<DevicePtr> out_at;
  for (const op::TensorDesc& d : data.out_desc) {
    std::vector<float> poison(static_cast<size_t>(d.rows * d.cols), std::nanf(""));
    poison.resize(poison.size() + kGuard, kGuardValue);
    if (c.residual) std::memcpy(poison.data(), data.in.back().data(), data.in.back().size());
    buffers.push_back(Upload(poison.data(), poison.size() * sizeof(float)));
    out_at.push_back(buffers.back().ptr());
    out.push_back({d, pointer(out_at.back())});
    if (c.residual) in.back().data = out.back().data;
  }
  const op::Call call{&params, in, out, nullptr, nullptr};
  BindContext context;
  context.device = device_;
  context.modules = &modules_;
  context.scratch_bytes = GemmScratchBytes(call, c.options);
  std::vector<float> poison(static_cast<size_t>(context.scratch_bytes) / 4, std::nanf(""));
  poison.resize(poison.size() + kGuard, kGuardValue);
  const Buffer scratch = Upload(poison.data(), poison.size() * sizeof(float));
  context.scratch = scratch.ptr();
  const auto bound = BindGemm(call, {RowCount::Unit::kToken, data.out_desc[0].rows / c.tokens},
                              context, c.options);
  ASSERT_OK(bound);
  EXPECT_EQ((*bound)->Enqueue(stream_, {static_cast<int32_t>(c.tokens), 1, 1, 0}).code(),
            StatusCode::kInternal);
  ASSERT_OK((*bound)->WeightsReady(stream_));
  ASSERT_OK((*bound)->Enqueue(stream_, {static_cast<int32_t>(c.tokens), 1, 1, 0}));
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

void GemmTest::Compare(const GemmCase& c, const Data& data) {
  const bool moe = c.n_experts > 0;
  const bool glu = c.glu.kind != op::GluKind::kNone;
  struct Dot {
    double y = 0;
    double bound = 0;     // of the error
    double variance = 0;  // of the error, roundings being independent
  };
  // Rows of weights are decoded once.
  std::vector<std::vector<float>> decoded(c.types.size());
  for (size_t i = 0; i < c.types.size(); ++i) {
    const op::TensorDesc& d = data.in_desc[data.first_weight + i];
    decoded[i].resize(static_cast<size_t>(d.outer * d.rows * d.cols));
    for (int64_t r = 0; r < d.outer * d.rows; ++r) {
      quant::Decoder(d.dtype)(data.in[data.first_weight + i].data() + r * d.row_bytes(),
                              decoded[i].data() + r * d.cols, d.cols);
    }
  }
  const auto dot = [&](size_t i, int64_t r, int64_t o) {
    const op::TensorDesc& d = data.in_desc[data.first_weight + i];
    const float* w = decoded[i].data() + (data.ids[static_cast<size_t>(r)] * d.rows + o) * c.cols;
    const float* x = data.x.data() + (moe && !c.x_per_expert ? r / c.n_used : r) * c.cols;
    Dot sum;
    double size = 0;
    for (int64_t k = 0; k < c.cols; ++k) {
      const double product = double{w[k]} * x[k];
      sum.y += product;
      size += std::abs(product);
      sum.variance += product * product * (2.0 / 3.0 * 0x1p-22);
    }
    sum.bound = size * (0x1p-10 + 1e-5);
    return sum;
  };
  for (size_t i = 0; i < data.out_desc.size(); ++i) {
    const op::TensorDesc& d = data.out_desc[i];
    double squares = 0;
    double variance = 0;
    for (int64_t r = 0; r < d.rows; ++r) {
      for (int64_t o = 0; o < d.cols; ++o) {
        const auto at = static_cast<size_t>(r * d.cols + o);
        const Dot first = dot(i, r, o);
        double bound = first.bound * std::abs(double{c.out_scale});
        if (glu) {
          // |act'| <= 1.13 for every kind; biases move both factors by less than 6.
          const Dot up = dot(1, r, o);
          bound = 1.2 * first.bound * (std::abs(up.y) + up.bound + 7) +
                  (std::abs(first.y) + 1.2 * first.bound + 6) * up.bound;
        }
        const double got = data.got[i][at];
        const double want = data.expected[i][at];
        ASSERT_TRUE(std::isfinite(got)) << "output " << i << " row " << r << " column " << o;
        ASSERT_NEAR(got, want, bound + 1e-5 * std::abs(want) + 1e-30)
            << "output " << i << " row " << r << " column " << o;
        squares += (got - want) * (got - want);
        variance += first.variance * double{c.out_scale} * c.out_scale;
      }
    }
    if (!glu) {
      EXPECT_LE(squares, 4 * variance) << "mean square of the errors";
    }
    for (size_t k = data.got[i].size() - kGuard; k < data.got[i].size(); ++k)
      ASSERT_EQ(data.got[i][k], kGuardValue) << "written beyond output " << i;
  }
}

void GemmTest::Expect(const GemmCase& c) {
  SCOPED_TRACE(::testing::Message()
               << (c.n_experts > 0 ? "experts " : "") << Name(c.types[0]) << " " << c.n_out[0]
               << " x " << c.cols << ", " << c.tokens << " tokens, unit "
               << static_cast<int>(c.options.unit) << ", seed " << seed_);
  Data data;
  const op::Params params = MakeData(c, data);
  ASSERT_NO_FATAL_FAILURE(RunReference(params, data));
  ASSERT_NO_FATAL_FAILURE(RunDevice(c, params, data));
  ASSERT_NO_FATAL_FAILURE(Compare(c, data));
}

TEST_P(GemmTest, EveryType) {
  for (const DType type : testing::WeightTypes()) {
    GemmCase c{{type}, {36}, TestColumns(type, 100), 11};
    ASSERT_NO_FATAL_FAILURE(Expect(c));
    c.options.unit = GemmUnit::kTile;  // unpacked
    ASSERT_NO_FATAL_FAILURE(Expect(c));
  }
}

TEST_P(GemmTest, Shapes) {
  for (const auto& [n_out, cols, tokens] : {std::tuple<int64_t, int64_t, int64_t>{2, 1, 1},
                                            {130, 64, 9},
                                            {258, 65, 64},
                                            {40, 200, 129},
                                            {512, 63, 200},
                                            {6, 1100, 70}}) {
    ASSERT_NO_FATAL_FAILURE(ExpectOnAllUnits({{DType::kF32}, {n_out}, cols, tokens}));
  }
  for (const int64_t tokens : {17, 32, 33, 64}) {  // parts of k, both sizes of few rows
    GemmCase c{{DType::kQ4_K}, {150}, 1280, tokens};
    for (const GemmUnit unit : {GemmUnit::kSkinny, GemmUnit::kFew}) {
      c.options.unit = unit;
      ASSERT_NO_FATAL_FAILURE(Expect(c));
    }
  }
  // Odd rows of the output.
  ASSERT_NO_FATAL_FAILURE(Expect({{DType::kF16}, {131}, 96, 33}));
  ASSERT_NO_FATAL_FAILURE(Expect({{DType::kBF16}, {1}, 33, 12}));
}

// A block's stretch of stages goes over tiles, weights and types; stages of fewer than four units.
TEST_P(GemmTest, FewRowsOfSeveralWeights) {
  const std::vector<DType> k_quants = {DType::kQ4_K, DType::kQ6_K, DType::kQ5_K};
  const std::vector<DType> others = {DType::kQ8_0, DType::kQ4_0, DType::kQ8_0};
  struct Step {
    int64_t tokens, cols;
    uint32_t parts;
  };
  for (const auto& [tokens, cols, parts] :
       {Step{9, 768, 0}, {32, 256, 3}, {40, 768, 1}, {40, 160, 0}, {32, 32, 0}, {9, 1184, 3}}) {
    GemmCase c{cols % 256 == 0 ? k_quants : others, {520, 256, 40}, cols, tokens};
    c.options.unit = GemmUnit::kFew;
    c.options.parts = parts;
    ASSERT_NO_FATAL_FAILURE(Expect(c)) << tokens << " " << cols << " " << parts;
  }
}

TEST_P(GemmTest, FewRowsOnCardsWithLittleSharedMemory) {
  if (!GetParam().starts_with("sim")) GTEST_SKIP() << "the limit is the card's";
  // None of gemm_few's kernels; that of 32 rows alone, as on NVIDIA's consumer cards.
  for (const uint32_t limit : {48u << 10, 99u << 10}) {
    port::sim::SetSharedLimit(limit);
    for (const int64_t tokens : {32, 33, 64}) {
      GemmCase c{{DType::kQ4_K}, {151}, 512, tokens};
      c.options.unit = GemmUnit::kFew;
      Expect(c);
    }
    port::sim::SetSharedLimit(port::sim::kMostSharedBytes);
    if (HasFatalFailure()) return;
  }
}

TEST_P(GemmTest, WhoseFewRowsHaveAKernelOfTheirOwn) {
  if (!GetParam().starts_with("sim")) GTEST_SKIP() << "the limit is the card's";
  const auto has = [&](DType type, int64_t rows, int64_t experts) {
    const op::TensorDesc x{DType::kF32, 1, rows, 256},
        w{type, std::max<int64_t>(experts, 1), 8, 256};
    const op::Operand out[] = {{{DType::kF32, 1, rows, 8}, nullptr}};
    BindContext context;
    context.device = device_;
    context.modules = &modules_;
    if (experts > 0) {
      const op::Operand in[] = {{x, nullptr}, {{DType::kI32, 1, rows, 1}, nullptr}, {w, nullptr}};
      const op::Params params = op::MoeMatMul{};
      return HasGemmFew({&params, in, out, nullptr, nullptr}, rows, context);
    }
    const op::Operand in[] = {{x, nullptr}, {w, nullptr}};
    const op::Params params = op::MatMul{};
    return HasGemmFew({&params, in, out, nullptr, nullptr}, rows, context);
  };
  EXPECT_TRUE(has(DType::kQ4_K, 64, 0));
  EXPECT_FALSE(has(DType::kQ4_K, 65, 0));
  EXPECT_FALSE(has(DType::kQ4_K, 64, 2)) << "experts";
  EXPECT_FALSE(has(DType::kF32, 16, 0));
  port::sim::SetSharedLimit(99u << 10);
  EXPECT_TRUE(has(DType::kQ4_K, 32, 0));
  EXPECT_FALSE(has(DType::kQ4_K, 33, 0));
  port::sim::SetSharedLimit(port::sim::kMostSharedBytes);
}

TEST_P(GemmTest, MergedWeights) {
  ASSERT_NO_FATAL_FAILURE(ExpectOnAllUnits(
      {{DType::kQ4_K, DType::kQ4_K, DType::kQ6_K}, {300, 130, 20}, 256, 40, {true, false, true}}));
  ASSERT_NO_FATAL_FAILURE(
      ExpectOnAllUnits({{DType::kQ8_0, DType::kF16}, {64, 258}, 96, 20, {false, true}}));
}

TEST_P(GemmTest, Epilogues) {
  for (const op::GluKind kind : {op::GluKind::kSilu, op::GluKind::kGeluTanh, op::GluKind::kGeluErf,
                                 op::GluKind::kSwigluOai}) {
    GemmCase c{{DType::kQ4_0, DType::kQ8_0}, {150, 150}, 64, 37};
    c.glu = {kind, 1.702f, 7.0f};
    ASSERT_NO_FATAL_FAILURE(ExpectOnAllUnits(c));
    c.bias = {true, true};
    c.n_out = {45, 45};
    ASSERT_NO_FATAL_FAILURE(Expect(c));
    c.bias = {false, true};
    c.n_out = {20, 20};
    ASSERT_NO_FATAL_FAILURE(ExpectOnAllUnits(c));
  }
  GemmCase c{{DType::kQ5_1}, {140}, 96, 66};
  c.residual = true;
  c.out_scale = 0.37f;
  ASSERT_NO_FATAL_FAILURE(ExpectOnAllUnits(c));
  c.bias = {true};
  c.n_out = {33};
  ASSERT_NO_FATAL_FAILURE(Expect(c));
}

// Scratch for a part of the columns, or for some of the experts, at a time.
TEST_P(GemmTest, Chunks) {
  GemmCase c{{DType::kQ4_0, DType::kQ8_0}, {300, 520}, 128, 20};
  c.options.weight_bytes = 1;  // the least: 256 columns
  ASSERT_NO_FATAL_FAILURE(ExpectOnAllUnits(c));
  c.n_out = {520, 520};
  c.glu.kind = op::GluKind::kSilu;
  ASSERT_NO_FATAL_FAILURE(ExpectOnAllUnits(c));
  GemmCase e{{DType::kQ4_0}, {100}, 64, 30};
  e.n_experts = 7;
  e.n_used = 2;
  e.options.weight_bytes = 3 * 256 * 64 * 2;  // three experts
  ASSERT_NO_FATAL_FAILURE(ExpectOnAllUnits(e));
  e.n_out = {300};  // not one
  e.options.weight_bytes = 1;
  ASSERT_NO_FATAL_FAILURE(ExpectOnAllUnits(e));
}

TEST_P(GemmTest, Experts) {
  GemmCase c{{DType::kQ4_K, DType::kQ4_K}, {70, 70}, 256, 70, {true, true}};
  c.n_experts = 5;
  c.n_used = 3;
  c.glu.kind = op::GluKind::kSilu;
  ASSERT_NO_FATAL_FAILURE(ExpectOnAllUnits(c));
  c.glu.kind = op::GluKind::kGeluErf;
  c.tokens = 5;
  ASSERT_NO_FATAL_FAILURE(Expect(c));
  GemmCase down{{DType::kMXFP4}, {90}, 160, 150, {true}};
  down.n_experts = 3;
  down.n_used = 2;
  down.x_per_expert = true;
  ASSERT_NO_FATAL_FAILURE(ExpectOnAllUnits(down));
  down.n_experts = 40;  // most have no row
  down.tokens = 4;
  ASSERT_NO_FATAL_FAILURE(ExpectOnAllUnits(down));
}

// Neither huge nor tiny values leave the range of f16, row by row and tensor by tensor.
TEST_P(GemmTest, RangeOfValues) {
  constexpr int64_t kCols = 96;
  GemmCase c{{DType::kF32}, {34}, kCols, 12};
  c.edit_x = [](std::vector<float>& x) {
    for (size_t i = 0; i < x.size(); ++i)
      x[i] *= std::ldexp(1.0f, static_cast<int>(i / kCols) * 18 - 100);  // 2^-100 to 2^98
  };
  ASSERT_NO_FATAL_FAILURE(ExpectOnAllUnits(c));
  for (const int exponent : {-100, -24, 24, 100}) {
    GemmCase w{{DType::kF32}, {34}, kCols, 12};
    w.edit_w = [exponent](std::vector<float>& v) {
      for (float& f : v) f = std::ldexp(f, exponent);
    };
    ASSERT_NO_FATAL_FAILURE(ExpectOnAllUnits(w));
  }
  // An outlier of 2^16 in a row, as large models have: what is beside it keeps its bits.
  GemmCase outlier{{DType::kF32}, {34}, kCols, 12};
  outlier.edit_x = [](std::vector<float>& x) {
    for (size_t i = 0; i < x.size(); i += kCols) x[i] = 65536.0f * 4;
  };
  outlier.edit_w = [](std::vector<float>& w) {
    for (size_t i = 0; i < w.size(); i += kCols) w[i] = 0.0f;
  };
  ASSERT_NO_FATAL_FAILURE(ExpectOnAllUnits(outlier));
  GemmCase zero{{DType::kQ8_0}, {34}, kCols, 12};
  zero.edit_x = [](std::vector<float>& x) { std::fill(x.begin(), x.begin() + 5 * kCols, 0.0f); };
  ASSERT_NO_FATAL_FAILURE(ExpectOnAllUnits(zero));
}

TEST_P(GemmTest, FewRowsAndSmallFloatsStayWithTheVectorKernels) {
  const auto min_rows = [this](DType type, int64_t n_experts, int64_t cols) {
    op::MoeMatMul experts;
    const op::Params params = n_experts > 0 ? op::Params(experts) : op::Params(op::MatMul{});
    std::vector<op::Operand> in = {{{DType::kF32, 1, 99, cols}, nullptr}};
    if (n_experts > 0) in.push_back({{DType::kI32, 1, 99, 1}, nullptr});
    in.push_back({{type, std::max<int64_t>(n_experts, 1), 4096, cols}, nullptr});
    const std::vector<op::Operand> out = {{{DType::kF32, 1, 99, 4096}, nullptr}};
    return GemmMinRows({&params, in, out, nullptr, nullptr}, *device_);
  };
  EXPECT_EQ(min_rows(DType::kQ4_K, 0, 256), 9);
  EXPECT_EQ(min_rows(DType::kQ4_K, 16, 256), 8 * 16 + 1);
  EXPECT_GT(min_rows(DType::kF32, 0, 256), 1'000'000'000);
  EXPECT_EQ(min_rows(DType::kF32, 0, 1024), 9);
  // Large matrices of types that gemm_few knows, where there is one.
  const std::string& architecture = device_->info().architecture;
  const int64_t few = architecture.starts_with("gfx") ? 9 : architecture == "sm_90" ? 4 : 5;
  EXPECT_EQ(min_rows(DType::kQ4_K, 0, 8192), few);
  EXPECT_EQ(min_rows(DType::kIQ4_XS, 0, 8192), 9);
}

TEST_P(GemmTest, TooLittleScratchIsSaid) {
  Data data;
  GemmCase c{{DType::kF32}, {8}, 64, 20};
  const op::Params params = MakeData(c, data);
  std::vector<op::Operand> in, out;
  for (size_t i = 0; i < data.in.size(); ++i) in.push_back({data.in_desc[i], nullptr});
  for (const op::TensorDesc& d : data.out_desc) out.push_back({d, nullptr});
  const op::Call call{&params, in, out, nullptr, nullptr};
  BindContext context;
  context.device = device_;
  context.modules = &modules_;
  context.scratch_bytes = GemmScratchBytes(call) - 1;
  const auto bound = BindGemm(call, {RowCount::Unit::kToken, 1}, context);
  ASSERT_FALSE(bound.ok());
  EXPECT_NE(bound.status().message().find("scratch"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Devices, GemmTest, ::testing::ValuesIn(testing::TestDevices()),
                         [](const auto& device) { return device.param; });

}  // namespace
}  // namespace rocforge::gpu
