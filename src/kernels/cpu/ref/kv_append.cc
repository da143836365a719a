#include <vector>

#include "kernels/cpu/ref/ref.h"
#include "kernels/op/kv_page.h"

namespace rocforge::cpu::ref {
namespace {

// The row of one head at `slot` of the layer's keys or values.
void Store(const op::KvLayer& kv, void* pages, int64_t slot, int32_t head, int32_t dim,
           const float* row) {
  const int64_t plane = op::KvPlaneOffset(kv, slot / kv.page_size, head, dim);
  op::EncodeKvRow(kv.dtype, row, dim, kv.page_size, slot % kv.page_size,
                  static_cast<std::byte*>(pages) + plane);
}

// Keys rotated by `rope` unless it is null.
void Append(const op::KvAppend& params, const op::Rope* rope, const float* k, const float* v,
            const float* table, const op::Call& call) {
  const op::KvLayer& kv = *call.kv;
  std::vector<float> rotated(static_cast<size_t>(params.head_dim_k));
  for (int32_t t = 0; t < call.step->n_tokens; ++t) {
    const int64_t slot = call.step->kv_slots[t];
    for (int32_t h = 0; h < params.n_kv_heads; ++h) {
      const float* key = k + (int64_t{t} * params.n_kv_heads + h) * params.head_dim_k;
      const float* value = v + (int64_t{t} * params.n_kv_heads + h) * params.head_dim_v;
      for (int32_t i = 0; i < params.head_dim_k; ++i) {
        rotated[static_cast<size_t>(i)] = static_cast<float>(
            rope == nullptr ? key[i] : Rotated(*rope, key, table + t * rope->rope_dim, i));
      }
      Store(kv, kv.k, slot, h, kv.head_dim_k, rotated.data());
      Store(kv, kv.v, slot, h, kv.head_dim_v, value);
    }
  }
}

}  // namespace

void KvAppend(const op::Call& call, const Context&) {
  const auto& params = std::get<op::KvAppend>(*call.params);
  Append(params, nullptr, call.in[0].f32(), call.in[1].f32(), nullptr, call);
}

void RopeKvAppend(const op::Call& call, const Context& context) {
  const auto& params = std::get<op::RopeKvAppend>(*call.params);
  Append(params.append, &params.rope, call.in[1].f32(), call.in[2].f32(), call.in[3].f32(), call);
  const op::Params rope_params = params.rope;
  const op::Operand rope_in[] = {call.in[0], call.in[3]};
  Rope({&rope_params, rope_in, call.out, call.step, nullptr}, context);
}

}  // namespace rocforge::cpu::ref
