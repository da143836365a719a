#include "bench/kernels/ops.h"

#include <cmath>
#include <numeric>
#include <random>

#include "kernels/op/kv_page.h"

namespace rocforge::bench {

double MatMulCase::weight_bytes() const {
  double sum = 0;
  for (size_t i = 0; i < types.size(); ++i)
    sum += static_cast<double>(op::TensorDesc{types[i], 1, n_out[i], cols}.bytes());
  return sum;
}

op::Cost MatMulCase::Cost() const {
  std::vector<op::Operand> in = {{{DType::kF32, 1, rows, cols}, nullptr}};
  std::vector<op::Operand> out;
  const bool glu = params.glu.kind != op::GluKind::kNone;
  for (size_t i = 0; i < types.size(); ++i) {
    in.push_back({{types[i], 1, n_out[i], cols}, nullptr});
    if (!glu || i == 0) out.push_back({{DType::kF32, 1, rows, n_out[i]}, nullptr});
  }
  if (params.has_residual) in.push_back(out[0]);
  const op::Params any = params;
  return op::CostOf({&any, in, out, nullptr, nullptr});
}

int64_t AttentionCase::cache_bytes() const {
  return int64_t{n_seqs} * pages() * n_kv_heads * op::KvPlaneBytes(kv_type, page_size, head_dim);
}

std::vector<std::byte> AttentionCase::RandomPage() const {
  const int64_t plane_bytes = op::KvPlaneBytes(kv_type, page_size, head_dim);
  std::vector<std::byte> page(static_cast<size_t>(n_kv_heads * plane_bytes));
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  std::vector<float> row(static_cast<size_t>(head_dim));
  for (int64_t head = 0; head < n_kv_heads; ++head) {
    for (int32_t offset = 0; offset < page_size; ++offset) {
      for (float& v : row) v = normal(random);
      op::EncodeKvRow(kv_type, row.data(), head_dim, page_size, offset,
                      page.data() + head * plane_bytes);
    }
  }
  return page;
}

op::Attention AttentionCase::Params() const {
  return {.n_heads = n_heads,
          .n_kv_heads = n_kv_heads,
          .head_dim_k = head_dim,
          .head_dim_v = head_dim,
          .scale = 1.0f / std::sqrt(static_cast<float>(head_dim))};
}

op::Cost AttentionCase::Cost() const {
  const AttentionStep step(*this);
  const op::Step view = step.View(*this);
  const op::KvLayer kv = {.dtype = kv_type};
  const op::TensorDesc rows{DType::kF32, 1, n_tokens(), int64_t{n_heads} * head_dim};
  const op::Operand in[] = {{rows, nullptr}};
  const op::Params params = Params();
  return op::CostOf({&params, in, in, &view, &kv});
}

AttentionStep::AttentionStep(const AttentionCase& test) : seq_begin{0} {
  for (int32_t s = 0; s < test.n_seqs; ++s) {
    for (int32_t i = 0; i < test.tokens; ++i) {
      positions.push_back(test.context - test.tokens + i);
      seq_of_token.push_back(s);
    }
    seq_begin.push_back(static_cast<int32_t>(positions.size()));
    kv_len.push_back(test.context);
  }
  const int64_t n = int64_t{test.n_seqs} * test.pages();
  int64_t stride = 7919;  // any number without a common divisor
  while (std::gcd(stride, n) != 1) ++stride;
  for (int64_t i = 0; i < n; ++i) page_table.push_back(static_cast<int32_t>(i * stride % n));
}

op::Step AttentionStep::View(const AttentionCase& test) const {
  op::Step step;
  step.n_tokens = test.n_tokens();
  step.n_seqs = test.n_seqs;
  step.n_outputs = test.n_seqs;
  step.positions = positions.data();
  step.seq_begin = seq_begin.data();
  step.kv_len = kv_len.data();
  step.page_table = page_table.data();
  step.page_table_stride = test.pages();
  return step;
}

}  // namespace rocforge::bench
