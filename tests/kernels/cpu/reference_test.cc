// The reference kernels against numbers computed by hand or by the published formulas, in this file
// and independently of src/.
#include <cmath>
#include <numeric>

#include "quant/half.h"
#include "tests/kernels/cpu/harness.h"

namespace rocforge::cpu {
namespace {

Tensor Values(int64_t rows, int64_t cols, const std::vector<float>& values) {
  Tensor t({DType::kF32, 1, rows, cols});
  EXPECT_EQ(t.elements(), static_cast<int64_t>(values.size()));
  std::copy(values.begin(), values.end(), t.buffer.f32());
  return t;
}

void ExpectValues(const Tensor& actual, const std::vector<double>& expected, double tolerance) {
  ASSERT_EQ(actual.elements(), static_cast<int64_t>(expected.size()));
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(actual.at(static_cast<int64_t>(i)), expected[i], tolerance) << i;
  }
}

Tensor RunReference(const OpCase& c) { return RunCase(c, Isa::kReference, 1)[0]; }

TEST(Reference, Norms) {
  // mean square of (3, 4) is 12.5; mean 3.5, variance 0.25.
  OpCase c{op::Norm{.eps = 0.0f},
           {Values(1, 2, {3, 4}), Values(1, 2, {2, -1})},
           {{DType::kF32, 1, 1, 2}}};
  ExpectValues(RunReference(c), {6 / std::sqrt(12.5), -4 / std::sqrt(12.5)}, 1e-6);
  c.params = op::Norm{.kind = op::NormKind::kLayer, .eps = 0.0f, .has_bias = true};
  c.in.push_back(Values(1, 2, {10, 20}));
  ExpectValues(RunReference(c), {2 * -1 + 10.0, -1 * 1 + 20.0}, 1e-6);
  // Groups of two columns, each on its own; eps is inside the root.
  OpCase g{op::Norm{.eps = 0.5f, .group = 2, .has_weight = false},
           {Values(1, 4, {1, 1, 3, 3})},
           {{DType::kF32, 1, 1, 4}}};
  const double a = 1 / std::sqrt(1.5);
  const double b = 3 / std::sqrt(9.5);
  ExpectValues(RunReference(g), {a, a, b, b}, 1e-6);
}

TEST(Reference, GluOfKnownValues) {
  // Values from tables: sigmoid(1), the normal distribution at 1, tanh.
  const std::vector<std::pair<op::GluKind, double>> expected = {
      {op::GluKind::kSilu, 0.7310585786300049 * 3},
      {op::GluKind::kGeluErf, 0.8413447460685429 * 3},
      {op::GluKind::kGeluTanh, 0.8411919906082768 * 3},
  };
  for (auto [kind, value] : expected) {
    OpCase c{op::Glu{kind}, {Values(1, 1, {1}), Values(1, 1, {3})}, {{DType::kF32, 1, 1, 1}}};
    ExpectValues(RunReference(c), {value}, 1e-6);
  }
  // gpt-oss: the gate is cut above only, up on both sides, and one is added to it.
  OpCase c{op::Glu{op::GluKind::kSwigluOai},
           {Values(1, 3, {20, -20, 1}), Values(1, 3, {-9, 1, 9})},
           {{DType::kF32, 1, 1, 3}}};
  const auto swish = [](double g) { return g / (1 + std::exp(-1.702f * g)); };
  ExpectValues(RunReference(c), {swish(7) * (-7 + 1), swish(-20) * 2, swish(1) * 8}, 1e-5);
}

TEST(Reference, MatMulByHand) {
  OpCase c{op::MatMul{.n_weights = 1, .has_bias = {true}, .has_residual = true, .out_scale = 0.5f},
           {Values(1, 2, {1, 2}), Values(2, 2, {3, 4, 5, 6}), Values(1, 2, {1, -1}),
            Values(1, 2, {100, 200})},
           {{DType::kF32, 1, 1, 2}}};
  ExpectValues(RunReference(c), {100 + 0.5 * (11 + 1), 200 + 0.5 * (17 - 1)}, 0);
}

// llama.cpp's YaRN, restated in double: ggml_rope_yarn_corr_dims and rope_yarn in its ggml.c and
// ops.cpp.
void YarnByHand(const op::RopeTable& p, int32_t position, std::vector<double>* out) {
  const auto corr_dim = [&](double rotations) {
    return static_cast<double>(p.rope_dim) *
           std::log(static_cast<double>(p.n_ctx_orig) / (rotations * 2 * M_PI)) /
           (2 * std::log(double{p.freq_base}));
  };
  const double start = std::max(0.0, std::floor(corr_dim(p.beta_fast)));
  const double end =
      std::min(static_cast<double>(p.rope_dim) - 1, std::ceil(corr_dim(p.beta_slow)));
  for (int64_t i0 = 0; i0 < p.rope_dim; i0 += 2) {
    const double extrap =
        position * std::pow(double{p.freq_base}, -double(i0) / double(p.rope_dim));
    const double interp = p.freq_scale * extrap;
    const double y = (double(i0) / 2 - start) / std::max(0.001, end - start);
    const double mix = (1 - std::min(1.0, std::max(0.0, y))) * p.ext_factor;
    const double theta = interp * (1 - mix) + extrap * mix;
    const double scale = p.attn_factor * (1 + 0.1 * std::log(1 / double{p.freq_scale}));
    out->push_back(std::cos(theta) * scale);
    out->push_back(std::sin(theta) * scale);
  }
}

TEST(Reference, RopeTables) {
  const std::vector<int32_t> positions = {0, 1, 17, 4095, 100000};
  OpCase c;
  c.step.n_tokens = 5;
  c.step.positions = positions.data();
  c.out.push_back({DType::kF32, 1, 5, 8});
  c.params = op::RopeTable{.rope_dim = 8};
  std::vector<double> expected;
  for (int32_t p : positions) {
    for (double frequency : {1.0, 0.1, 0.01, 0.001}) {  // 10000^(-j / 4)
      expected.push_back(std::cos(p * frequency));
      expected.push_back(std::sin(p * frequency));
    }
  }
  ExpectValues(RunReference(c), expected, 1e-6);

  // Linear scaling, frequency factors and the magnitude.
  c.params =
      op::RopeTable{.rope_dim = 8, .freq_scale = 0.5f, .attn_factor = 2.0f, .has_factors = true};
  c.in = {Values(1, 4, {1, 2, 4, 8})};
  expected.clear();
  for (int32_t p : positions) {
    double factor = 1;
    for (double frequency : {1.0, 0.1, 0.01, 0.001}) {
      expected.push_back(2 * std::cos(p * frequency * 0.5 / factor));
      expected.push_back(2 * std::sin(p * frequency * 0.5 / factor));
      factor *= 2;
    }
  }
  ExpectValues(RunReference(c), expected, 2e-6);

  // gpt-oss' parameters, on 64 columns.
  const op::RopeTable yarn{.rope_dim = 64,
                           .freq_base = 150000.0f,
                           .freq_scale = 1.0f / 32,
                           .ext_factor = 1.0f,
                           .n_ctx_orig = 4096};
  c.params = yarn;
  c.in.clear();
  c.out[0].cols = 64;
  expected.clear();
  for (int32_t p : positions) YarnByHand(yarn, p, &expected);
  ExpectValues(RunReference(c), expected, 3e-6);
}

TEST(Reference, RopeTurnsByTheAngle) {
  const float c60 = 0.5f;
  const float s60 = std::sqrt(3.0f) / 2;
  for (op::RopeKind kind : {op::RopeKind::kNormal, op::RopeKind::kNeox}) {
    // Pairs (1, 0) and (0, 1), turned by 60 and 90 degrees; one column passes through.
    const bool neox = kind == op::RopeKind::kNeox;
    OpCase c{op::Rope{kind, 5, 4},
             {neox ? Values(1, 5, {1, 0, 0, 1, 7}) : Values(1, 5, {1, 0, 0, 1, 7}),
              Values(1, 4, {c60, s60, 0, 1})},
             {{DType::kF32, 1, 1, 5}}};
    // Normal: pairs are (1, 0) and (0, 1). Neox: pairs are columns (0, 2) = (1, 0), (1, 3) = (0,
    // 1).
    const std::vector<double> expected =
        neox ? std::vector<double>{c60, -1, s60, 0, 7} : std::vector<double>{c60, s60, -1, 0, 7};
    ExpectValues(RunReference(c), expected, 1e-7);
  }
}

// Two positions with scores 0 and ln 3: probabilities 1/4 and 3/4; with a sink of logit ln 4, 1/8
// and 3/8.
TEST(Reference, AttentionOfKnownProbabilities) {
  const float ln3 = std::log(3.0f);
  std::vector<float> k = {0, 0, ln3, 0};
  std::vector<float> v = {8, 16, 24, -8};
  op::KvLayer layer{k.data(), v.data(), DType::kF32, 2, 1, 2, 2};
  const int32_t seq_begin[] = {0, 1};
  const int32_t kv_len = 2;
  const int32_t page = 0;
  OpCase c;
  c.params = op::Attention{.n_heads = 1, .n_kv_heads = 1, .head_dim_k = 2, .head_dim_v = 2};
  c.step = {.n_tokens = 1,
            .n_seqs = 1,
            .seq_begin = seq_begin,
            .kv_len = &kv_len,
            .page_table = &page,
            .page_table_stride = 1};
  c.kv = &layer;
  c.in = {Values(1, 2, {1, 5})};
  c.out = {{DType::kF32, 1, 1, 2}};
  ExpectValues(RunReference(c), {0.25 * 8 + 0.75 * 24, 0.25 * 16 - 0.75 * 8}, 1e-5);
  auto params = std::get<op::Attention>(c.params);
  params.has_sinks = true;
  c.params = params;
  c.in.push_back(Values(1, 1, {std::log(4.0f)}));
  ExpectValues(RunReference(c), {(8 + 3 * 24) / 8.0, (16 - 3 * 8) / 8.0}, 1e-5);
  // A window of one sees the token itself only; a cap of ln 3 makes its score ln 3 tanh 1.
  params.has_sinks = false;
  params.window = 1;
  c.params = params;
  c.in.pop_back();
  ExpectValues(RunReference(c), {24, -8}, 1e-5);
  params.window = 0;
  params.softcap = ln3;
  c.params = params;
  const double e = std::exp(ln3 * std::tanh(1.0));
  ExpectValues(RunReference(c), {(8 + e * 24) / (1 + e), (16 - e * 8) / (1 + e)}, 1e-5);
}

TEST(Reference, RoutesToTheBestExperts) {
  // Probabilities 1/8, 4/8, 1/8, 2/8.
  const float ln2 = std::log(2.0f);
  OpCase c;
  c.params = op::MoeRoute{.n_experts = 4, .n_used = 3, .normalise = false, .scale = 2.0f};
  c.in = {Values(1, 4, {0, 2 * ln2, 0, ln2})};
  c.out = {{DType::kI32, 1, 1, 3}, {DType::kF32, 1, 1, 3}};
  const auto ids = [](const Tensor& t) {
    const auto* p = reinterpret_cast<const int32_t*>(t.buffer.data());
    return std::vector<int32_t>(p, p + t.elements());
  };
  std::vector<Tensor> out = RunCase(c, Isa::kReference, 1);
  EXPECT_EQ(ids(out[0]), (std::vector<int32_t>{1, 3, 0}));  // the first of two equal ones
  ExpectValues(out[1], {1.0, 0.5, 0.25}, 1e-6);
  auto params = std::get<op::MoeRoute>(c.params);
  params.normalise = true;
  c.params = params;
  ExpectValues(RunCase(c, Isa::kReference, 1)[1], {2 * 4 / 7.0, 2 * 2 / 7.0, 2 / 7.0}, 1e-6);
  // Softmax over the chosen gives the same, being proportional.
  params.gating = op::MoeGating::kSoftmaxOfSelected;
  c.params = params;
  ExpectValues(RunCase(c, Isa::kReference, 1)[1], {2 * 4 / 7.0, 2 * 2 / 7.0, 2 / 7.0}, 1e-6);
  // The bias chooses, the sigmoid weighs.
  params.gating = op::MoeGating::kSigmoid;
  params.normalise = false;
  params.scale = 1.0f;
  params.n_used = 1;
  params.has_selection_bias = true;
  c.params = params;
  c.in.push_back(Values(1, 4, {0, 0, 9, 0}));
  c.out[0].cols = c.out[1].cols = 1;
  out = RunCase(c, Isa::kReference, 1);
  EXPECT_EQ(ids(out[0]), std::vector<int32_t>{2});
  ExpectValues(out[1], {0.5}, 1e-6);
}

}  // namespace
}  // namespace rocforge::cpu
