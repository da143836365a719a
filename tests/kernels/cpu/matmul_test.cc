#include <algorithm>
#include <cmath>

#include "base/format.h"
#include "tests/kernels/cpu/harness.h"
#include "tests/testing.h"

namespace rocforge::cpu {
namespace {

// Additions that a float product of k elements goes through at most: a chunk of 1024 in vectors of
// four lanes, the tree of lanes, the chunks, and the roundings of one decoded weight and product.
double Roundings(int64_t k) {
  return static_cast<double>(std::min<int64_t>(k, 1024)) / 4 + 4 + static_cast<double>(k) / 1024 +
         4;
}

// What |y - y_ref| may be at most for each [row, output]. Two parts:
//   * n u sum |w x| for n roundings in a chain (Higham 2002, 3.1);
//   * the decoded weight d * q + m may be rounded differently from quant/'s: three times by u of
//     its terms, which are of the size of the block's largest weights even where they cancel.
std::vector<double> Tolerances(const Tensor& x, const Tensor& w, int64_t expert = 0) {
  const int64_t k = x.desc.cols;
  const int64_t n = w.desc.rows;
  const int64_t block = std::max<int64_t>(Info(w.desc.dtype).block_elements, 1);
  const std::vector<float> values = Decoded(w);
  std::vector<double> tolerances;
  for (int64_t r = 0; r < x.desc.rows; ++r) {
    for (int64_t o = 0; o < n; ++o) {
      const float* row = values.data() + (expert * n + o) * k;
      double sum = 0;
      double decoding = 0;
      for (int64_t begin = 0; begin < k; begin += block) {
        double largest = 0;
        double x_sum = 0;
        for (int64_t i = begin; i < begin + block; ++i) {
          const double xi = std::abs(x.at(r * k + i));
          largest = std::max(largest, double{std::abs(row[i])});
          sum += std::abs(row[i]) * xi;
          x_sum += xi;
        }
        if (block > 1) decoding += largest * x_sum;
      }
      tolerances.push_back(kU * (Roundings(k) * sum + 8 * decoding) + 1e-30);
    }
  }
  return tolerances;
}

OpCase MakeCase(Random& random, DType type, int64_t rows, int64_t n, int64_t k) {
  OpCase c;
  c.params = op::MatMul{};
  c.in.push_back(RandomF32(random, rows, k));
  c.in.push_back(RandomWeights(random, type, 1, n, k));
  c.out.push_back({DType::kF32, 1, rows, n});
  return c;
}

std::string Describe(const OpCase& c, Isa isa, int n_threads) {
  return Format("{} {} rows {} n {} k {} threads {}", IsaName(isa), Name(c.in[1].desc.dtype),
                c.in[0].desc.rows, c.in[1].desc.rows, c.in[0].desc.cols, n_threads);
}

void CheckAgainstReference(const OpCase& c, int n_threads) {
  const Tensor expected = RunCase(c, Isa::kReference, 1)[0];
  const std::vector<double> tolerances = Tolerances(c.in[0], c.in[1]);
  for (Isa isa : FastIsas()) {
    const Tensor actual = RunCase(c, isa, n_threads)[0];
    ExpectNear(
        actual, expected,
        [&](int64_t i) {
          return tolerances[static_cast<size_t>(i)] + kU * std::abs(expected.at(i));
        },
        Describe(c, isa, n_threads));
  }
}

class MatMulTypes : public ::testing::TestWithParam<DType> {};

TEST_P(MatMulTypes, AgreesWithTheReference) {
  Random random;
  const int64_t block = Info(GetParam()).block_elements;
  for (int64_t rows : {1, 2, 3, 4, 5, 6, 13}) {
    const int64_t k = std::max<int64_t>(block, 32) * random.Int(1, 3);
    CheckAgainstReference(MakeCase(random, GetParam(), rows, random.Int(1, 21), k),
                          static_cast<int>(random.Int(1, 3)));
  }
  // Several chunks of k, the last one short.
  CheckAgainstReference(MakeCase(random, GetParam(), 2, 9, 2048 + block * (block < 32 ? 32 : 1)),
                        2);
  CheckAgainstReference(MakeCase(random, GetParam(), 7, 9, 1024 + block * (block < 32 ? 32 : 1)),
                        2);
}

INSTANTIATE_TEST_SUITE_P(All, MatMulTypes, ::testing::ValuesIn(DecodableTypes()),
                         [](const auto& test) { return std::string(Name(test.param)); });

TEST(MatMul, RowsOfAnyNumber) {
  Random random;
  for (int64_t rows = 1; rows <= 70; rows += random.Int(1, 4)) {
    for (DType type : {DType::kQ4_1, DType::kF32}) {
      CheckAgainstReference(MakeCase(random, type, rows, random.Int(1, 80), 64), 2);
    }
  }
  // More rows than a decoded panel serves at once.
  CheckAgainstReference(MakeCase(random, DType::kQ8_0, 300, 70, 96), 3);
}

TEST(MatMul, PlainTypesWithAnyNumberOfColumns) {
  Random random;
  for (DType type : {DType::kF32, DType::kF16, DType::kBF16}) {
    for (int64_t k : {1, 3, 4, 7, 15, 17, 31, 33, 63, 100, 1023, 1025, 1057}) {
      CheckAgainstReference(MakeCase(random, type, random.Int(1, 9), random.Int(1, 9), k), 2);
    }
  }
}

TEST(MatMul, SharedInputBiasAndResidual) {
  Random random;
  OpCase c = MakeCase(random, DType::kQ4_K, 5, 31, 512);
  c.params = op::MatMul{.n_weights = 3, .has_bias = {true, false, true}};
  c.in.push_back(RandomWeights(random, DType::kQ6_K, 1, 8, 512));
  c.in.push_back(RandomWeights(random, DType::kF16, 1, 77, 512));
  c.in.push_back(RandomF32(random, 1, 31));
  c.in.push_back(RandomF32(random, 1, 77));
  c.out.push_back({DType::kF32, 1, 5, 8});
  c.out.push_back({DType::kF32, 1, 5, 77});
  const std::vector<Tensor> expected = RunCase(c, Isa::kReference, 1);
  OpCase r = MakeCase(random, DType::kQ5_0, 6, 40, 96);
  r.params =
      op::MatMul{.n_weights = 1, .has_bias = {true}, .has_residual = true, .out_scale = 0.5f};
  r.in.push_back(RandomF32(random, 1, 40));
  r.in.push_back(RandomF32(random, 6, 40));
  const Tensor expected_residual = RunCase(r, Isa::kReference, 1)[0];
  for (Isa isa : FastIsas()) {
    for (int threads : {1, 2, 3}) {
      const std::vector<Tensor> actual = RunCase(c, isa, threads);
      for (size_t i = 0; i < 3; ++i) {
        const std::vector<double> tolerances = Tolerances(c.in[0], c.in[1 + i]);
        ExpectNear(
            actual[i], expected[i],
            [&](int64_t e) {
              return tolerances[static_cast<size_t>(e)] +
                     4 * kU * (std::abs(expected[i].at(e)) + 4);
            },
            Describe(c, isa, threads));
      }
      for (int in_place : {-1, 3}) {  // the residual
        r.in_place = in_place;
        const std::vector<double> tolerances = Tolerances(r.in[0], r.in[1]);
        ExpectNear(
            RunCase(r, isa, threads)[0], expected_residual,
            [&](int64_t e) {
              return tolerances[static_cast<size_t>(e)] +
                     4 * kU * (std::abs(expected_residual.at(e)) + 8);
            },
            Describe(r, isa, threads));
      }
    }
  }
}

TEST(MatMul, Glu) {
  Random random;
  for (op::GluKind kind : {op::GluKind::kSilu, op::GluKind::kGeluTanh, op::GluKind::kGeluErf,
                           op::GluKind::kSwigluOai}) {
    for (int64_t rows : {1, 9}) {
      OpCase c = MakeCase(random, DType::kQ4_0, rows, 75, 128);
      c.in.push_back(RandomWeights(random, DType::kQ8_0, 1, 75, 128));
      c.in.push_back(RandomF32(random, 1, 75));
      OpCase apart = c;  // the two products, to know how far the activation amplifies their errors
      apart.params = op::MatMul{.n_weights = 2, .has_bias = {true, false}};
      apart.out.push_back(apart.out[0]);
      const std::vector<Tensor> products = RunCase(apart, Isa::kReference, 1);
      const std::vector<double> gate = Tolerances(c.in[0], c.in[1]);
      const std::vector<double> up = Tolerances(c.in[0], c.in[2]);
      c.params = op::MatMul{.n_weights = 2, .has_bias = {true, false}, .glu = {kind}};
      const Tensor expected = RunCase(c, Isa::kReference, 1)[0];
      for (Isa isa : FastIsas()) {
        // |act(g)| <= |g| and |act'(g)| < 1.2 for all kinds (1.1 + alpha / 4 bounds swiglu_oai).
        ExpectNear(
            RunCase(c, isa, 2)[0], expected,
            [&](int64_t i) {
              const size_t e = static_cast<size_t>(i);
              const double g = std::abs(products[0].at(i)) + 1;
              const double u = std::abs(products[1].at(i)) + 1;
              return 1.6 * (gate[e] + 4 * kU * g) * u + (up[e] + 4 * kU * u) * g + 16 * kU * g * u;
            },
            Describe(c, isa, 2) + op::GluName(kind));
      }
    }
  }
}

// The same bits whether rows come alone or together, and for every team: a fixed seed gives the
// same text, and a batch gives the text of its members.
TEST(MatMul, BitsDependOnTheirOperandsAlone) {
  Random random;
  for (DType type : DecodableTypes()) {
    const int64_t block = Info(type).block_elements;
    const int64_t k = 1024 + (block == 1 ? 37 : block);
    const OpCase c = MakeCase(random, type, 11, 43, k);
    for (Isa isa : FastIsas()) {
      const Tensor all = RunCase(c, isa, 1)[0];
      for (int threads : {2, 3, 5}) {
        ExpectSameBits(RunCase(c, isa, threads)[0], all, Describe(c, isa, threads));
      }
      int64_t first = 0;
      for (int64_t rows : {1, 2, 3, 5}) {
        OpCase part = c;
        part.in[0] = Tensor({DType::kF32, 1, rows, k});
        std::copy_n(c.in[0].buffer.f32() + first * k, rows * k, part.in[0].buffer.f32());
        part.out[0].rows = rows;
        Tensor expected({DType::kF32, 1, rows, 43});
        std::copy_n(all.buffer.f32() + first * 43, rows * 43, expected.buffer.f32());
        ExpectSameBits(RunCase(part, isa, 2)[0], expected, Describe(part, isa, 2));
        first += rows;
      }
    }
  }
}

TEST(MatMul, NoRows) {
  Random random;
  for (Isa isa : AvailableIsas()) RunCase(MakeCase(random, DType::kQ4_0, 0, 9, 64), isa, 2);
}

// ---- Experts

OpCase MoeCase(Random& random, DType type, int64_t tokens, int32_t n_used, bool x_per_expert,
               int64_t n_experts, int64_t n, int64_t k) {
  OpCase c;
  c.params = op::MoeMatMul{.n_weights = 1, .n_used = n_used, .x_per_expert = x_per_expert};
  c.in.push_back(RandomF32(random, x_per_expert ? tokens * n_used : tokens, k));
  Tensor ids({DType::kI32, 1, tokens, n_used});
  for (int64_t i = 0; i < ids.elements(); ++i) {
    reinterpret_cast<int32_t*>(ids.buffer.data())[i] =
        static_cast<int32_t>(random.Int(0, n_experts - 1));
  }
  c.in.push_back(ids);
  c.in.push_back(RandomWeights(random, type, n_experts, n, k));
  c.out.push_back({DType::kF32, 1, tokens * n_used, n});
  return c;
}

TEST(MoeMatMul, AgreesWithTheReferenceAndWithMatMul) {
  Random random;
  for (int64_t tokens : {1, 2, 7, 40}) {
    for (bool x_per_expert : {false, true}) {
      const OpCase c = MoeCase(random, DType::kMXFP4, tokens, 3, x_per_expert, 5, 37, 96);
      const Tensor expected = RunCase(c, Isa::kReference, 1)[0];
      const int32_t* ids = reinterpret_cast<const int32_t*>(c.in[1].buffer.data());
      std::vector<std::vector<double>> tolerances;
      for (int64_t e = 0; e < 5; ++e) tolerances.push_back(Tolerances(c.in[0], c.in[2], e));
      for (Isa isa : FastIsas()) {
        const Tensor actual = RunCase(c, isa, 2)[0];
        ExpectNear(
            actual, expected,
            [&](int64_t i) {
              const int64_t row = i / 37;
              const int64_t x_row = x_per_expert ? row : row / 3;
              return tolerances[static_cast<size_t>(ids[row])]
                               [static_cast<size_t>(x_row * 37 + i % 37)] +
                     kU * std::abs(expected.at(i));
            },
            Format("{} tokens {}", IsaName(isa), tokens));
        ExpectSameBits(RunCase(c, isa, 3)[0], actual, "threads");
      }
    }
  }
}

TEST(MoeMatMul, BiasAndGlu) {
  Random random;
  OpCase c = MoeCase(random, DType::kQ4_1, 6, 2, false, 4, 50, 64);
  c.in.push_back(RandomWeights(random, DType::kF16, 4, 50, 64));
  c.in.push_back(RandomF32(random, 4, 50));
  c.in.push_back(RandomF32(random, 4, 50));
  OpCase apart = c;
  apart.params = op::MoeMatMul{.n_weights = 2, .n_used = 2, .has_bias = {true, true}};
  apart.out.push_back(apart.out[0]);
  const std::vector<Tensor> products = RunCase(apart, Isa::kReference, 1);
  c.params = op::MoeMatMul{
      .n_weights = 2, .n_used = 2, .has_bias = {true, true}, .glu = {op::GluKind::kSwigluOai}};
  const Tensor expected = RunCase(c, Isa::kReference, 1)[0];
  for (Isa isa : FastIsas()) {
    // 64 products of weights up to 8 with |x| up to 5: 1e-4 bounds either product's error.
    ExpectNear(
        RunCase(c, isa, 2)[0], expected,
        [&](int64_t i) {
          return 1e-4 * (std::abs(products[0].at(i)) + std::abs(products[1].at(i)) + 2);
        },
        IsaName(isa));
  }
}

}  // namespace
}  // namespace rocforge::cpu
