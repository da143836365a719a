#include <cmath>

#include "base/format.h"
#include "kernels/op/kv_page.h"
#include "quant/half.h"
#include "tests/kernels/cpu/harness.h"

namespace rocforge::cpu {
namespace {

Tensor RandomTable(Random& random, int64_t tokens, int64_t rope_dim) {
  Tensor table({DType::kF32, 1, tokens, rope_dim});
  for (int64_t i = 0; i < table.elements(); i += 2) {
    const float angle = 10.0f * random.Normal();
    table.buffer.f32()[i] = std::cos(angle);
    table.buffer.f32()[i + 1] = std::sin(angle);
  }
  return table;
}

struct RopeShape {
  op::RopeKind kind;
  int64_t head_dim;
  int64_t rope_dim;
};

std::vector<RopeShape> RopeShapes() {
  std::vector<RopeShape> shapes;
  for (op::RopeKind kind : {op::RopeKind::kNormal, op::RopeKind::kNeox}) {
    for (auto [head, rope] :
         {std::pair{2, 2}, {6, 4}, {64, 64}, {80, 32}, {96, 96}, {128, 64}, {34, 34}, {256, 256}}) {
      shapes.push_back({kind, head, rope});
    }
  }
  return shapes;
}

// Both products and their sum are rounded: 2 u of each of the two terms, at most |x| <= 6 here.
constexpr double kRotationTolerance = 4 * kU * 12;

TEST(Rope, AgreesWithTheReferenceInAndOutOfPlace) {
  Random random;
  for (const RopeShape& s : RopeShapes()) {
    for (int64_t tokens : {1, 5, 130}) {
      OpCase c;
      c.params = op::Rope{s.kind, s.head_dim, s.rope_dim};
      c.in.push_back(RandomF32(random, tokens, 3 * s.head_dim));
      c.in.push_back(RandomTable(random, tokens, s.rope_dim));
      c.out.push_back(c.in[0].desc);
      const Tensor expected = RunCase(c, Isa::kReference, 1)[0];
      for (Isa isa : AvailableIsas()) {
        for (int in_place : {-1, 0}) {
          c.in_place = in_place;
          ExpectNear(
              RunCase(c, isa, 2)[0], expected, [](int64_t) { return kRotationTolerance; },
              Format("{} head {} rope {}", IsaName(isa), s.head_dim, s.rope_dim));
        }
        c.in_place = -1;
      }
    }
  }
}

// A rotation keeps the length of each head and the columns that it does not rotate.
TEST(Rope, KeepsNormsAndTheRest) {
  Random random;
  for (const RopeShape& s : RopeShapes()) {
    OpCase c;
    c.params = op::Rope{s.kind, s.head_dim, s.rope_dim};
    c.in.push_back(RandomF32(random, 4, s.head_dim));
    c.in.push_back(RandomTable(random, 4, s.rope_dim));
    c.out.push_back(c.in[0].desc);
    for (Isa isa : AvailableIsas()) {
      const Tensor y = RunCase(c, isa, 1)[0];
      for (int64_t t = 0; t < 4; ++t) {
        double before = 0;
        double after = 0;
        for (int64_t i = 0; i < s.head_dim; ++i) {
          const int64_t e = t * s.head_dim + i;
          before += std::pow(c.in[0].at(e), 2);
          after += std::pow(y.at(e), 2);
          if (i >= s.rope_dim) {
            EXPECT_EQ(y.at(e), c.in[0].at(e));
          }
        }
        EXPECT_NEAR(before, after, 1e-5 * before) << IsaName(isa);
      }
    }
  }
}

// Keys and values of tokens at chosen slots of poisoned pages.
struct Pages {
  GuardedBuffer k, v;
  op::KvLayer layer;

  Pages(DType dtype, int32_t n_pages, int32_t page_size, int32_t heads, int32_t dim_k,
        int32_t dim_v)
      : k(int64_t{n_pages} * heads * op::KvPlaneBytes(dtype, page_size, dim_k)),
        v(int64_t{n_pages} * heads * op::KvPlaneBytes(dtype, page_size, dim_v)),
        layer{k.data(), v.data(), dtype, page_size, heads, dim_k, dim_v} {}
};

// Equal, both unwritten (NaN), or within the rotation's error and one unit of a half, or one step
// of Q8_0 and a unit of its scale.
void ExpectSamePages(const GuardedBuffer& actual, const GuardedBuffer& expected,
                     const op::KvLayer& layer, int32_t dim, bool rotated, const std::string& what) {
  EXPECT_TRUE(actual.GuardsIntact()) << what;
  const int64_t plane_bytes = op::KvPlaneBytes(layer.dtype, layer.page_size, dim);
  for (int64_t at = 0; at < actual.bytes(); at += plane_bytes) {
    for (int32_t offset = 0; offset < layer.page_size; ++offset) {
      const auto element = [&](const GuardedBuffer& pages, int32_t i) {
        return double{
            op::KvElement(layer.dtype, pages.data() + at, layer.page_size, dim, offset, i)};
      };
      double most = 0;
      for (int32_t i = 0; i < dim; ++i) most = std::max(most, std::abs(element(expected, i)));
      for (int32_t i = 0; i < dim; ++i) {
        const double a = element(actual, i);
        const double e = element(expected, i);
        if (std::isnan(a) && std::isnan(e)) continue;
        const double unit = layer.dtype == DType::kF32 ? 0 : 0x1p-10 * std::abs(e);
        const double step = layer.dtype == DType::kQ8_0 ? most / 127 : 0;
        ASSERT_LE(std::abs(a - e), rotated ? kRotationTolerance + unit + step : 0.0)
            << what << " plane " << at / plane_bytes << " " << offset << " " << i;
      }
    }
  }
}

TEST(KvAppend, WritesItsSlotsOnly) {
  Random random;
  constexpr int32_t kHeads = 3, kPageSize = 7, kPagesCount = 6;
  for (DType dtype : {DType::kF16, DType::kF32, DType::kQ8_0}) {
    for (auto [dim_k, dim_v] : {std::pair{64, 64}, {6, 10}, {128, 40}}) {
      const std::vector<int32_t> slots = {3 * kPageSize + 6, 0, 5 * kPageSize + 2, kPageSize};
      OpCase c;
      c.step.n_tokens = 4;
      c.step.kv_slots = slots.data();
      c.params = op::KvAppend{0, kHeads, dim_k, dim_v};
      c.in.push_back(RandomF32(random, 4, kHeads * dim_k));
      c.in.push_back(RandomF32(random, 4, kHeads * dim_v));
      OpCase r = c;  // the same with rotation
      r.params = op::RopeKvAppend{{op::RopeKind::kNeox, dim_k, dim_k}, {0, kHeads, dim_k, dim_v}};
      r.in.insert(r.in.begin(), RandomF32(random, 4, 5 * dim_k));
      r.in.push_back(RandomTable(random, 4, dim_k));
      r.out.push_back(r.in[0].desc);
      Pages expected(dtype, kPagesCount, kPageSize, kHeads, dim_k, dim_v);
      c.kv = &expected.layer;
      RunCase(c, Isa::kReference, 1);
      Pages expected_r(dtype, kPagesCount, kPageSize, kHeads, dim_k, dim_v);
      r.kv = &expected_r.layer;
      const Tensor expected_q = RunCase(r, Isa::kReference, 1)[0];
      for (Isa isa : FastIsas()) {
        const std::string what = Format("{} {} {}/{}", IsaName(isa), Name(dtype), dim_k, dim_v);
        Pages actual(dtype, kPagesCount, kPageSize, kHeads, dim_k, dim_v);
        c.kv = &actual.layer;
        RunCase(c, isa, 2);
        ExpectSamePages(actual.k, expected.k, actual.layer, dim_k, false, what);
        ExpectSamePages(actual.v, expected.v, actual.layer, dim_v, false, what);
        for (int in_place : {-1, 0}) {
          Pages actual_r(dtype, kPagesCount, kPageSize, kHeads, dim_k, dim_v);
          r.kv = &actual_r.layer;
          r.in_place = in_place;
          ExpectNear(
              RunCase(r, isa, 3)[0], expected_q, [](int64_t) { return kRotationTolerance; }, what);
          ExpectSamePages(actual_r.k, expected_r.k, actual_r.layer, dim_k, true, what);
          ExpectSamePages(actual_r.v, expected_r.v, actual_r.layer, dim_v, false, what);
        }
        r.in_place = -1;
      }
    }
  }
}

// Values that a half cannot hold, or only just: all instruction sets round alike.
TEST(KvAppend, RoundsHalvesToNearestEven) {
  const std::vector<float> values = {
      0.0f,    -0.0f,  65504.0f,       65519.0f,   65520.0f, 1e30f,   6.0e-8f, 2.9e-8f,
      3.0e-8f, 1e-40f, 1.00048828125f, 1.0014648f, -6.1e-5f, 6.0e-5f, 2049.0f, 2051.0f};
  const int32_t slot = 0;
  OpCase c;
  c.step.n_tokens = 1;
  c.step.kv_slots = &slot;
  const int32_t dim = static_cast<int32_t>(values.size());
  c.params = op::KvAppend{0, 1, dim, dim};
  Tensor x({DType::kF32, 1, 1, dim});
  std::copy(values.begin(), values.end(), x.buffer.f32());
  c.in = {x, x};
  for (Isa isa : AvailableIsas()) {
    Pages pages(DType::kF16, 1, 1, 1, dim, dim);
    c.kv = &pages.layer;
    RunCase(c, isa, 1);
    for (int32_t i = 0; i < dim; ++i) {
      EXPECT_EQ(reinterpret_cast<uint16_t*>(pages.k.data())[i],
                quant::FloatToHalf(values[static_cast<size_t>(i)]))
          << IsaName(isa) << " " << values[static_cast<size_t>(i)];
    }
  }
}

TEST(RopeTable, IsTheSameForEveryInstructionSet) {
  Random random;
  std::vector<int32_t> positions;
  for (int i = 0; i < 40; ++i) positions.push_back(static_cast<int32_t>(random.Int(0, 100000)));
  OpCase c;
  c.params = op::RopeTable{.rope_dim = 64,
                           .freq_scale = 0.25f,
                           .ext_factor = 1.0f,
                           .n_ctx_orig = 4096,
                           .has_factors = true};
  c.step.n_tokens = 40;
  c.step.positions = positions.data();
  c.in.push_back(RandomF32(random, 1, 32));
  for (int i = 0; i < 32; ++i) c.in[0].buffer.f32()[i] = std::abs(c.in[0].at(i)) + 0.5f;
  c.out.push_back({DType::kF32, 1, 40, 64});
  const Tensor expected = RunCase(c, Isa::kReference, 1)[0];
  for (Isa isa : FastIsas()) ExpectSameBits(RunCase(c, isa, 3)[0], expected, IsaName(isa));
}

}  // namespace
}  // namespace rocforge::cpu
