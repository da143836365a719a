#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "base/format.h"
#include "kernels/op/kv_page.h"
#include "tests/kernels/cpu/harness.h"

namespace rocforge::cpu {
namespace {

struct SeqShape {
  int32_t count;   // tokens of the step
  int32_t kv_len;  // positions once they are appended
};

struct Shape {
  int32_t n_heads = 4;
  int32_t n_kv_heads = 2;
  int32_t head_dim_k = 64;
  int32_t head_dim_v = 64;
  int32_t page_size = 16;
  DType dtype = DType::kF16;
  int32_t window = 0;
  float softcap = 0.0f;
  bool sinks = false;
  float q_scale = 1.0f;
};

// A ragged step over shuffled pages. Whatever no query may see is NaN: the unused ends of pages,
// pages of nobody, and pages that lie before every window (the table points to a page of NaN).
class Batch {
 public:
  Batch(Random& random, const Shape& shape, const std::vector<SeqShape>& seqs)
      : shape_(shape),
        seqs_(seqs),
        pages_needed_(CountPages()),
        k_(Pages(shape.head_dim_k)),
        v_(Pages(shape.head_dim_v)) {
    layer_ = {k_.data(),        v_.data(),        shape.dtype,     shape.page_size,
              shape.n_kv_heads, shape.head_dim_k, shape.head_dim_v};
    MakeTables(random);
    const int32_t n_tokens = seq_begin_.back();
    op_case_.params = op::Attention{.n_heads = shape.n_heads,
                                    .n_kv_heads = shape.n_kv_heads,
                                    .head_dim_k = shape.head_dim_k,
                                    .head_dim_v = shape.head_dim_v,
                                    .scale = 1.0f / std::sqrt(static_cast<float>(shape.head_dim_k)),
                                    .softcap = shape.softcap,
                                    .window = shape.window,
                                    .has_sinks = shape.sinks};
    op_case_.in.push_back(
        RandomF32(random, n_tokens, shape.n_heads * shape.head_dim_k, shape.q_scale));
    if (shape.sinks) op_case_.in.push_back(RandomF32(random, 1, shape.n_heads));
    op_case_.out.push_back({DType::kF32, 1, n_tokens, shape.n_heads * shape.head_dim_v});
    SetStep(0, static_cast<int32_t>(seqs.size()));
  }

  // The step of sequences [begin, end) only; inputs are cut by the caller.
  void SetStep(int32_t begin, int32_t end) {
    op::Step& s = op_case_.step;
    s.n_seqs = end - begin;
    s.n_tokens = seq_begin_[static_cast<size_t>(end)] - seq_begin_[static_cast<size_t>(begin)];
    s.seq_begin = seq_begin_.data();
    s.kv_len = kv_len_.data() + begin;
    s.page_table = page_table_.data() + begin * table_stride_;
    s.page_table_stride = table_stride_;
    op_case_.kv = &layer_;
  }

  const OpCase& op_case() {
    op_case_.kv = &layer_;
    return op_case_;
  }
  OpCase& mutable_case() { return op_case_; }

  // Bound of an output's error. A score's dot product is off by n u |q| |k|; that shifts each
  // probability by twice as much relatively; exp, tanh and the sums add a few roundings of their
  // own; the result is at most the largest value times the sum of all that.
  double Tolerance() const {
    double q = 0;
    for (int64_t i = 0; i < op_case_.in[0].elements(); i += shape_.head_dim_k) {
      double square = 0;
      for (int32_t d = 0; d < shape_.head_dim_k; ++d) {
        square += std::pow(op_case_.in[0].at(i + d), 2);
      }
      q = std::max(q, std::sqrt(square));
    }
    const double scale = std::get<op::Attention>(op_case_.params).scale;
    const double score = scale * q * largest_k_;
    const double roundings = shape_.head_dim_k / 4.0 + 16;
    return largest_v_ * kU * (2 * roundings * score + 300);
  }

 private:
  int32_t CountPages() {
    int32_t n = 0;
    for (const SeqShape& s : seqs_) n += (s.kv_len + shape_.page_size - 1) / shape_.page_size;
    return n;
  }

  GuardedBuffer Pages(int32_t head_dim) const {
    return GuardedBuffer((pages_needed_ + 2) * shape_.n_kv_heads *
                         op::KvPlaneBytes(shape_.dtype, shape_.page_size, head_dim));
  }

  // Writes a normal vector of n elements and returns its length as it is read back.
  double FillVector(Random& random, std::byte* plane, int32_t offset, int32_t n) const {
    std::vector<float> x(static_cast<size_t>(n));
    for (float& v : x) v = random.Normal();
    op::EncodeKvRow(shape_.dtype, x.data(), n, shape_.page_size, offset, plane);
    double square = 0;
    for (int32_t i = 0; i < n; ++i)
      square += std::pow(op::KvElement(shape_.dtype, plane, shape_.page_size, n, offset, i), 2);
    return std::sqrt(square);
  }

  void MakeTables(Random& random) {
    std::vector<int32_t> ids(static_cast<size_t>(pages_needed_) + 1);
    std::iota(ids.begin(), ids.end(), 1);  // page 0 stays NaN
    std::shuffle(ids.begin(), ids.end(), random.engine());
    table_stride_ = pages_needed_ + 1;
    page_table_.assign(seqs_.size() * static_cast<size_t>(table_stride_), 0);
    seq_begin_.push_back(0);
    size_t next = 0;
    for (size_t s = 0; s < seqs_.size(); ++s) {
      seq_begin_.push_back(seq_begin_.back() + seqs_[s].count);
      kv_len_.push_back(seqs_[s].kv_len);
      const int32_t first = seqs_[s].kv_len - seqs_[s].count;
      const int32_t visible = shape_.window > 0 ? std::max(0, first - shape_.window + 1) : 0;
      for (int32_t p = visible; p < seqs_[s].kv_len; ++p) {
        int32_t& page = page_table_[s * static_cast<size_t>(table_stride_) +
                                    static_cast<size_t>(p / shape_.page_size)];
        if (page == 0) page = ids[next++];
        for (int64_t h = 0; h < shape_.n_kv_heads; ++h) {
          const auto fill = [&](GuardedBuffer& pages, int32_t dim) {
            return FillVector(random, pages.data() + op::KvPlaneOffset(layer_, page, h, dim),
                              p % shape_.page_size, dim);
          };
          largest_k_ = std::max(largest_k_, fill(k_, shape_.head_dim_k));
          fill(v_, shape_.head_dim_v);
        }
      }
    }
  }

  Shape shape_;
  std::vector<SeqShape> seqs_;
  int32_t pages_needed_;
  GuardedBuffer k_, v_;
  int32_t table_stride_ = 0;
  std::vector<int32_t> page_table_, seq_begin_, kv_len_;
  double largest_k_ = 0;
  double largest_v_ = 6;  // no normal value in these tests comes near
  op::KvLayer layer_;
  OpCase op_case_;
};

std::string Describe(const Shape& s, Isa isa, int threads) {
  return Format("{} threads {} heads {}/{} dims {}/{} page {} {} window {} softcap {} sinks {}",
                IsaName(isa), threads, s.n_heads, s.n_kv_heads, s.head_dim_k, s.head_dim_v,
                s.page_size, Name(s.dtype), s.window, s.softcap, s.sinks);
}

void CheckBatch(Random& random, const Shape& shape, const std::vector<SeqShape>& seqs) {
  Batch batch(random, shape, seqs);
  const Tensor expected = RunCase(batch.op_case(), Isa::kReference, 1)[0];
  const double tolerance = batch.Tolerance();
  for (Isa isa : FastIsas()) {
    const Tensor one = RunCase(batch.op_case(), isa, 1)[0];
    ExpectNear(one, expected, [&](int64_t) { return tolerance; }, Describe(shape, isa, 1));
    for (int threads : {2, 3}) {
      ExpectSameBits(RunCase(batch.op_case(), isa, threads)[0], one, Describe(shape, isa, threads));
    }
  }
}

TEST(Attention, HeadShapes) {
  Random random;
  for (int32_t dim : {1, 6, 20, 32, 64, 80, 96, 112, 128, 256}) {
    for (DType dtype : {DType::kF16, DType::kF32, DType::kQ8_0}) {
      CheckBatch(random,
                 {.n_heads = 6,
                  .n_kv_heads = 2,
                  .head_dim_k = dim,
                  .head_dim_v = dim,
                  .page_size = 16,
                  .dtype = dtype},
                 {{1, 40}, {9, 21}});
    }
  }
  CheckBatch(random, {.head_dim_k = 192, .head_dim_v = 128}, {{3, 150}});
}

TEST(Attention, GroupsAndPages) {
  Random random;
  for (auto [heads, kv_heads] : {std::pair{1, 1}, {9, 3}, {8, 1}, {71, 1}, {16, 16}}) {
    for (int32_t page_size : {1, 7, 32, 256}) {
      CheckBatch(random,
                 {.n_heads = heads,
                  .n_kv_heads = kv_heads,
                  .head_dim_k = 32,
                  .head_dim_v = 32,
                  .page_size = page_size},
                 {{2, 5}, {1, 133}, {30, 30}});
      CheckBatch(random,
                 {.n_heads = heads,
                  .n_kv_heads = kv_heads,
                  .head_dim_k = 40,
                  .head_dim_v = 33,
                  .page_size = page_size,
                  .dtype = DType::kQ8_0},
                 {{2, 5}, {1, 133}});
    }
  }
}

TEST(Attention, WindowsSoftCapsAndSinks) {
  Random random;
  for (int32_t window : {0, 1, 5, 16, 130, 1000}) {
    for (float softcap : {0.0f, 20.0f}) {
      for (bool sinks : {false, true}) {
        CheckBatch(random, {.window = window, .softcap = softcap, .sinks = sinks, .q_scale = 4.0f},
                   {{20, 150}, {1, 300}, {4, 4}, {0, 9}});
      }
    }
  }
}

TEST(Attention, LongContextsAreSplitAmongThreads) {
  Random random;
  for (const DType dtype : {DType::kF16, DType::kQ8_0}) {
    CheckBatch(random, {.n_heads = 3, .n_kv_heads = 1, .dtype = dtype, .sinks = true}, {{1, 5000}});
  }
  CheckBatch(random, {.n_heads = 2, .n_kv_heads = 1}, {{2, 2049}, {1, 128}, {1, 129}});
}

TEST(Attention, ScoresOfAnySizeDoNotOverflow) {
  Random random;
  CheckBatch(random, {.head_dim_k = 32, .head_dim_v = 32, .q_scale = 1e4f}, {{3, 200}});
}

void CheckBits(Random& random, DType dtype) {
  const Shape shape{.n_heads = 6, .n_kv_heads = 2, .dtype = dtype, .window = 200, .sinks = true};
  const int32_t d = shape.n_heads * shape.head_dim_k;
  Batch batch(random, shape, {{13, 300}, {1, 50}});
  for (Isa isa : FastIsas()) {
    const OpCase whole = batch.op_case();
    const Tensor all = RunCase(whole, isa, 2)[0];
    OpCase one = whole;
    one.step.n_seqs = 1;
    one.step.n_tokens = 1;
    one.in[0] = Tensor({DType::kF32, 1, 1, d});
    one.out[0].rows = 1;
    const int32_t seq_begin[] = {0, 1};
    one.step.seq_begin = seq_begin;
    for (int32_t t = 0; t < 13; ++t) {
      const int32_t kv_len = 300 - 12 + t;
      one.step.kv_len = &kv_len;
      std::copy_n(whole.in[0].buffer.f32() + t * d, d, one.in[0].buffer.f32());
      Tensor expected({DType::kF32, 1, 1, d});
      std::copy_n(all.buffer.f32() + t * d, d, expected.buffer.f32());
      ExpectSameBits(RunCase(one, isa, 3)[0], expected, Describe(shape, isa, 3));
    }
  }
}

// The same bits for a sequence alone or in a batch, and for a token alone or in a prompt.
TEST(Attention, BitsDependOnTheirOperandsAlone) {
  Random random;
  for (const DType dtype : {DType::kF16, DType::kQ8_0}) CheckBits(random, dtype);
}

}  // namespace
}  // namespace rocforge::cpu
