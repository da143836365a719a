#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/cpu/ref/ref.h"
#include "kernels/op/kv_page.h"

namespace rocforge::cpu::ref {
namespace {

// One query head of one token, over positions [begin, end) of sequence s.
struct Query {
  const op::Attention& params;
  const op::Step& step;
  const op::KvLayer& kv;
  int32_t s;
  int32_t kv_head;
  const float* q;

  // Element `column` of this head's key, or value, at a position.
  double Load(const void* pages, int32_t head_dim, int32_t position, int32_t column) const {
    const int32_t* table = step.page_table + int64_t{s} * step.page_table_stride;
    const int64_t plane = op::KvPlaneOffset(kv, table[position / kv.page_size], kv_head, head_dim);
    return op::KvElement(kv.dtype, static_cast<const std::byte*>(pages) + plane, kv.page_size,
                         head_dim, position % kv.page_size, column);
  }

  double Score(int32_t position) const {
    double dot = 0;
    for (int32_t i = 0; i < params.head_dim_k; ++i)
      dot += q[i] * Load(kv.k, kv.head_dim_k, position, i);
    const double score = dot * params.scale;
    return params.softcap > 0.0f ? params.softcap * std::tanh(score / params.softcap) : score;
  }

  // sum += weight * v[position]
  void AddValue(int32_t position, double weight, double* sum) const {
    for (int32_t i = 0; i < params.head_dim_v; ++i)
      sum[i] += weight * Load(kv.v, kv.head_dim_v, position, i);
  }
};

void Attend(const Query& query, int32_t position, const float* sink, double* sum, float* out) {
  const int32_t window = query.params.window;
  const int32_t begin = window > 0 ? std::max(0, position - window + 1) : 0;
  double maximum = sink != nullptr ? *sink : -std::numeric_limits<double>::infinity();
  for (int32_t j = begin; j <= position; ++j) maximum = std::max(maximum, query.Score(j));

  double total = sink != nullptr ? std::exp(*sink - maximum) : 0.0;
  std::fill_n(sum, query.params.head_dim_v, 0.0);
  for (int32_t j = begin; j <= position; ++j) {
    const double weight = std::exp(query.Score(j) - maximum);
    total += weight;
    query.AddValue(j, weight, sum);
  }
  for (int32_t i = 0; i < query.params.head_dim_v; ++i) out[i] = static_cast<float>(sum[i] / total);
}

}  // namespace

void Attention(const op::Call& call, const Context& context) {
  const auto& params = std::get<op::Attention>(*call.params);
  const op::Step& step = *call.step;
  const float* sinks = params.has_sinks ? call.in[1].f32() : nullptr;
  double* sum = reinterpret_cast<double*>(context.scratch);
  for (int32_t s = 0; s < step.n_seqs; ++s) {
    for (int32_t t = step.seq_begin[s]; t < step.seq_begin[s + 1]; ++t) {
      const int32_t position = step.kv_len[s] - (step.seq_begin[s + 1] - t);
      for (int32_t h = 0; h < params.n_heads; ++h) {
        const int64_t row = int64_t{t} * params.n_heads + h;
        const Query query{params,
                          step,
                          *call.kv,
                          s,
                          h / (params.n_heads / params.n_kv_heads),
                          call.in[0].f32() + row * params.head_dim_k};
        Attend(query, position, sinks == nullptr ? nullptr : sinks + h, sum,
               call.out[0].f32_out() + row * params.head_dim_v);
      }
    }
  }
}

}  // namespace rocforge::cpu::ref
