#include "kernels/cpu/ref/ref.h"
#include "quant/half.h"

namespace rocforge::cpu::ref {
namespace {

void Store(DType dtype, void* pages, int64_t index, double value) {
  const float rounded = static_cast<float>(value);
  if (dtype == DType::kF32) {
    static_cast<float*>(pages)[index] = rounded;
  } else {
    static_cast<uint16_t*>(pages)[index] = quant::FloatToHalf(rounded);
  }
}

// Keys rotated by `rope` unless it is null.
void Append(const op::KvAppend& params, const op::Rope* rope, const float* k, const float* v,
            const float* table, const op::Call& call) {
  const op::KvLayer& kv = *call.kv;
  for (int32_t t = 0; t < call.step->n_tokens; ++t) {
    const int64_t slot = call.step->kv_slots[t];
    for (int32_t h = 0; h < params.n_kv_heads; ++h) {
      const float* key = k + (int64_t{t} * params.n_kv_heads + h) * params.head_dim_k;
      const float* value = v + (int64_t{t} * params.n_kv_heads + h) * params.head_dim_v;
      const int64_t k_index = KvIndex(slot, kv.page_size, kv.n_kv_heads, h, kv.head_dim_k);
      const int64_t v_index = KvIndex(slot, kv.page_size, kv.n_kv_heads, h, kv.head_dim_v);
      for (int32_t i = 0; i < params.head_dim_k; ++i) {
        const double element =
            rope == nullptr ? key[i] : Rotated(*rope, key, table + t * rope->rope_dim, i);
        Store(kv.dtype, kv.k, k_index + i, element);
      }
      for (int32_t i = 0; i < params.head_dim_v; ++i) Store(kv.dtype, kv.v, v_index + i, value[i]);
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
